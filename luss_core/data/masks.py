"""Mask files: of a run, as PNG files of category ids in the coding of ImageNet-S, and of the user, in any coding."""

import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from luss_core.data.coding import ID_LIMIT, IGNORE, Coding, decode
from luss_core.data.mask_pixels import any_size, read_pixels
from luss_core.errors import UserError
from luss_core.io import atomic

__all__ = ["IGNORE", "ID_LIMIT", "decode"]

PLAIN = Coding()
"""Of masks that this program writes, and of others where nothing says more."""
TURNED: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda ids: ids[:, ::-1],
    3: lambda ids: ids[::-1, ::-1],
    4: lambda ids: ids[::-1],
    5: lambda ids: ids.T,
    6: lambda ids: ids.T[:, ::-1],
    7: lambda ids: ids[::-1, ::-1].T,
    8: lambda ids: ids.T[::-1],
}
"""What turns the mask of the stored pixels of a photograph upright, by its EXIF orientation."""


class MaskFile(NamedTuple):
    """A mask and how it is read."""

    path: Path
    coding: Coding = PLAIN
    orientation: int = 1
    """EXIF orientation by which the mask must be turned, since it was drawn over the pixels as they are stored."""

    def read(self) -> np.ndarray:
        """(H, W) int32 ids over the upright photograph; ignored pixels are IGNORE.

        Raises:
            UserError: as Coding.read.
        """
        ids = self.coding.read(self.path)
        return np.ascontiguousarray(TURNED[self.orientation](ids)) if self.orientation in TURNED else ids

    def size(self) -> tuple[int, int]:
        """Height and width once it is upright.

        Raises:
            UserError: as image_size.
        """
        height, width = image_size(self.path)
        return (width, height) if self.orientation > 4 else (height, width)


def read_mask(path: Path) -> np.ndarray:
    """(H, W) int32 ids of a mask in the coding that every program here writes; see Coding.read."""
    return PLAIN.read(path)


def read_prediction(path: Path) -> np.ndarray:
    """(H, W) int32 ids of a mask that a method wrote.

    A palette is refused: an optimiser may have made it of an RGB mask, and then the index is not the id.

    Raises:
        UserError: as read_mask, and for a palette.
    """
    pixels = read_pixels(path)
    if pixels.kind == "palette":
        raise UserError(
            f"{path}: image mode P cannot be a mask here, since an optimiser may have made the palette of colours that"
            " are ids; allowed: RGB (id = R + 256 G), or one channel (the value is the id); save it without palette"
        )
    try:
        return PLAIN.ids(pixels)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from error


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
        with any_size(), Image.open(path) as image:
            return image.height, image.width
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist") from error
    except Exception as error:  # of broken files Pillow raises anything
        raise UserError(f"{path} cannot be read as an image: {error or type(error).__name__}") from error


def _save(file: Path | BytesIO, pixels: np.ndarray) -> None:
    # run-length coding at the fastest level: masks are flat, so this is both quicker and smaller than the default
    Image.fromarray(pixels).save(file, "PNG", compress_level=1, compress_type=zlib.Z_RLE)
