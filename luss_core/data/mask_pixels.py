"""The pixels of a mask file as they are stored, whatever its mode: nothing is scaled, converted or guessed.

Pillow spreads grey samples of 2 and 4 bits over 0..255 and drops half of those of 16 bits in colour; the first is taken
back here, the second refused.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from luss_core.errors import UserError

MOST = 1000
"""Megapixels of a mask, at most, where nothing else is known."""
SPREAD = {"L;2": 85, "L;4": 17}
"""Raw modes of PNG with fewer than 8 bits: the factor that Pillow puts on the samples."""
BITS = {"1": 1, "L;2": 2, "L;4": 4}
REFUSED = {
    "F": "it holds floating-point pixels; save it with integer ids, 8 or 16 bits",
    "CMYK": "it holds colours of a printer (CMYK); save it as RGB or with one channel",
    "YCbCr": "it holds YCbCr, as JPEG has it, where colours are not exact; save it as RGB or with one channel",
    "LAB": "it holds Lab colours, which are not exact; save it as RGB or with one channel",
    "HSV": "it holds HSV colours; save it as RGB or with one channel",
}


class MaskPixels(NamedTuple):
    """What a mask file stores."""

    kind: Literal["grey", "palette", "colour"]
    values: np.ndarray
    """(H, W) samples (grey) or indices (palette), or (H, W, 3) uint8 colours."""
    bits: int
    """Of a sample: 1, 2, 4, 8, 16 or 32."""
    alpha: np.ndarray | None = None
    """(H, W) uint8 opacity, where the file has it."""
    palette: np.ndarray | None = None
    """(256, 3) uint8 colour of each index; those that the file does not have are black."""

    @property
    def drawn_alpha(self) -> bool:
        """Whether some pixels are more transparent than others, so that transparency means something."""
        return self.alpha is not None and self.alpha.size > 0 and bool((self.alpha != self.alpha.flat[0]).any())


@contextmanager
def any_size() -> Iterator[None]:
    """Pillow opens files of whatever size; its own limit would stop a run whose photographs were accepted."""
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def read_pixels(path: Path, most: float = MOST, data: bytes | None = None) -> MaskPixels:
    """The pixels of a mask.

    Args:
        most: megapixels that are read.
        data: all that the file holds, where it has been read.

    Raises:
        UserError: missing, cut short, or of a kind that holds no exact values, with the reason.
    """
    try:
        with any_size(), Image.open(path if data is None else BytesIO(data)) as image:
            if image.width * image.height > most * 1e6:
                found = f"{image.width * image.height / 1e6:.0f} megapixels"
                raise UserError(f"{path} cannot be read as a mask: it has {found}, more than an image here")
            return _pixels(path, image)
    except UserError:
        raise
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist") from error
    except UnidentifiedImageError as error:
        raise UserError(f"{path} cannot be read as a mask: it is no image; write it again") from error
    except MemoryError as error:
        raise UserError(f"{path} cannot be read as a mask: it does not fit into memory") from error
    except Exception as error:  # of broken files Pillow raises anything
        raise UserError(f"{path} cannot be read as a mask: {error or type(error).__name__}; write it again") from error


def _pixels(path: Path, image: Image.Image) -> MaskPixels:
    _refuse(path, image)
    raw = _raw_mode(image)
    mode, bits = image.mode, BITS.get(raw, 8)
    if mode in ("L", "1"):
        values = np.asarray(image).astype(np.uint8, copy=False)
        return MaskPixels("grey", values if bits == 8 else values // SPREAD.get(raw, 1), 1 if mode == "1" else bits)
    if mode.startswith("I"):
        return MaskPixels("grey", np.asarray(image), 16 if mode.startswith("I;16") else 32)
    if mode in ("P", "PA"):
        return _with_palette(image)
    if mode in ("LA", "La"):
        both = np.asarray(image)
        return MaskPixels("grey", both[..., 0], 8, both[..., 1])
    pixels = np.asarray(image)
    if mode in ("RGBA", "RGBa"):
        return MaskPixels("colour", pixels[..., :3], 8, pixels[..., 3])
    return MaskPixels("colour", pixels[..., :3], 8)


def _with_palette(image: Image.Image) -> MaskPixels:
    palette = np.zeros((256, 3), np.uint8)
    found = np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)[:256]
    palette[: len(found)] = found
    values = np.asarray(image)
    if image.mode == "PA":
        return MaskPixels("palette", values[..., 0], 8, values[..., 1], palette)
    return MaskPixels("palette", values, 8, None, palette)


def _raw_mode(image: Image.Image) -> str:
    """How a PNG file stores its samples, in the words of Pillow; '' for other files."""
    tiles = getattr(image, "tile", None) if image.format == "PNG" else None
    return str(tiles[0].args) if tiles else ""


def _refuse(path: Path, image: Image.Image) -> None:
    """Raises:
    UserError: the file cannot hold exact ids.
    """
    why = REFUSED.get(image.mode)
    if image.format in ("JPEG", "MPO"):
        why = "it is a JPEG file, whose compression changes values, so that ids are lost; export the masks as PNG"
    elif _raw_mode(image).endswith(";16B") and image.mode[0] != "I":
        why = "it has colours or transparency of 16 bits; save it with 8 bits a channel, or with one channel"
    elif not why and image.mode not in ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX"):
        why = (
            ""
            if image.mode.startswith("I")
            else f"it is of image mode {image.mode}; save it as RGB or with one channel"
        )
    if why:
        raise UserError(f"{path} cannot be a mask: {why}")
