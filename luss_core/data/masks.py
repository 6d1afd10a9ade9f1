"""Masks as PNG files of category ids, and nearest resizing.

Two codings are read. RGB, as ImageNet-S: id = R + 256 G, B unused, 1000 = ignore. One channel: the value is the id, and
255 means ignore in 8-bit files (16-bit files carry ids as they are). Masks are written in RGB.
"""

import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from luss_core.errors import UserError
from luss_core.io import atomic

IGNORE = 1000
"""The id of pixels that no score looks at."""
IGNORE_BYTE = 255
"""The same in 8-bit masks of one channel."""
ID_LIMIT = 1 << 16
"""Two bytes hold an id."""
UNAMBIGUOUS_MODES = ("RGB", "L", "I", "I;16")
MODES = (*UNAMBIGUOUS_MODES, "P")


def read_mask(path: Path) -> np.ndarray:
    """(H, W) int32 ids; ignored pixels are IGNORE. A palette file counts as one channel: the index is the id.

    Raises:
        UserError: missing, cut short, or neither RGB nor one channel.
    """
    return _ids(path, _pixels(path, MODES))


def read_prediction(path: Path) -> np.ndarray:
    """(H, W) int32 ids of a mask that a method wrote.

    A palette is refused: an optimiser may have made it of an RGB mask, and then the index is not the id.

    Raises:
        UserError: as read_mask, and for a palette.
    """
    return _ids(path, _pixels(path, UNAMBIGUOUS_MODES))


def write_mask(path: Path, ids: np.ndarray) -> None:
    """An RGB PNG of (H, W) ids, whole or not at all.

    Raises:
        UserError: cannot be written.
        ValueError: an id does not fit into two bytes.
    """
    pixels = encode(ids)
    with atomic(path) as partial:
        _save(partial, pixels)


def mask_png(ids: np.ndarray) -> bytes:
    """What ``write_mask`` writes; the same bytes for the same ids.

    Raises:
        ValueError: as write_mask.
    """
    file = BytesIO()
    _save(file, encode(ids))
    return file.getvalue()


def at_threshold(ids: np.ndarray, bins: np.ndarray, level: int) -> np.ndarray:
    """The mask of a scored map: the id where the score reaches ``level`` hundredths, else 0."""
    return np.where(bins >= level, ids, 0)


def encode(ids: np.ndarray) -> np.ndarray:
    """(H, W) ids -> (H, W, 3) uint8.

    Raises:
        ValueError: an id does not fit into two bytes.
    """
    if ids.size and not 0 <= ids.min() <= ids.max() < ID_LIMIT:
        raise ValueError(f"mask ids {ids.min()}..{ids.max()} are outside 0..{ID_LIMIT - 1}")
    pixels = np.zeros((*ids.shape, 3), np.uint8)
    pixels[..., 0] = ids & 255
    pixels[..., 1] = ids >> 8
    return pixels


def decode(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 -> (H, W) int32 ids."""
    return pixels[..., 0] | (pixels[..., 1].astype(np.int32) << 8)


def resize_nearest(ids: np.ndarray, height: int, width: int) -> np.ndarray:
    """(height, width) ids: each pixel takes the id under its centre."""
    rows, columns = (
        (2 * np.arange(new) + 1) * old // (2 * new) for new, old in zip((height, width), ids.shape, strict=True)
    )
    return ids[rows[:, None], columns]


def image_size(path: Path) -> tuple[int, int]:
    """Height and width of an image file from its header.

    Raises:
        UserError: missing, or not an image.
    """
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"{path} cannot be read as an image: {error}") from error


def _pixels(path: Path, modes: tuple[str, ...]) -> np.ndarray:
    """(H, W) or (H, W, 3) as stored."""
    try:
        with Image.open(path) as image:
            if image.mode in modes:
                return np.asarray(image)
            mode = image.mode
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"{path} cannot be read as a mask: {error}; write it again") from error
    raise UserError(
        f"{path}: image mode {mode} cannot be a mask here; allowed: RGB (id = R + 256 G)"
        f"{', or one channel (the value is the id)' if len(modes) > 1 else ''}; save it without alpha or palette"
    )


def _ids(path: Path, pixels: np.ndarray) -> np.ndarray:
    if pixels.ndim == 3:
        return decode(pixels)
    ids = pixels.astype(np.int32)
    if pixels.dtype == np.uint8:
        ids[pixels == IGNORE_BYTE] = IGNORE
    elif ids.min(initial=0) < 0:
        raise UserError(f"{path}: negative ids; a mask of one channel holds ids 0, 1, ... and {IGNORE} = ignore")
    return ids


def _save(file: Path | BytesIO, pixels: np.ndarray) -> None:
    # run-length coding at the fastest level: masks are flat, so this is both quicker and smaller than the default
    Image.fromarray(pixels).save(file, "PNG", compress_level=1, compress_type=zlib.Z_RLE)
