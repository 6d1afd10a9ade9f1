"""Masks as pictures: PNG files whose palette holds the colours, and photographs with colours laid over."""

import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from luss_core.data.mask_pixels import any_size
from luss_core.data.masks import resize_nearest
from luss_core.io import atomic

ENTRIES = 256
"""Of a palette: masks of more ids have 16 bits and no colours."""
END = b"\0\0\0\0IEND\xaeB`\x82"
COVER = 0.5
"""Share of the colour of a category where it is laid over the photograph."""


def write_indexed(path: Path, ids: np.ndarray, colours: np.ndarray) -> None:
    """A PNG of (H, W) ids, whole or not at all: the value of a pixel is its id, whatever colour a viewer shows.

    Args:
        colours: (C + 1, 3) uint8.

    Raises:
        UserError: cannot be written.
    """
    if len(colours) <= ENTRIES:
        picture = Image.fromarray(ids.astype(np.uint8))
        picture.putpalette(colours.tobytes(), "RGB")
        _save(path, picture)
    else:
        write_grey(path, ids)


def write_grey(path: Path, ids: np.ndarray) -> None:
    """A PNG of (H, W) ids in one grey channel, of 8 bits where that is enough for them, and else of 16.

    Raises:
        UserError: cannot be written.
    """
    _save(path, Image.fromarray(ids.astype(np.uint8 if ids.max(initial=0) < ENTRIES else np.uint16)))


def _save(path: Path, picture: Image.Image) -> None:
    with atomic(path) as partial:
        picture.save(partial, "PNG", compress_level=1, compress_type=zlib.Z_RLE)


def read_indexed(path: Path) -> np.ndarray | None:
    """(H, W) ids of a mask that ``write_indexed`` wrote; None where there is none, or no whole one."""
    try:
        if not _ends(path):
            return None
        with any_size(), Image.open(path, formats=("PNG",)) as picture:
            return np.asarray(picture) if picture.mode in ("P", "L", "I;16") else None
    except Exception:  # of broken files Pillow raises anything
        return None


def _ends(path: Path) -> bool:
    """Whether a PNG file has its end: Pillow does not miss it where all pixels are there."""
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - len(END)))
        return file.read() == END


def areas(ids: np.ndarray, count: int) -> np.ndarray:
    """(count,) pixels of each of the ids 0..count - 1."""
    if count > ENTRIES:
        return np.bincount(ids.ravel(), minlength=count)
    return np.array(Image.fromarray(ids.astype(np.uint8)).histogram()[:count])  # twice as fast as bincount


def write_overlay(path: Path, pixels: np.ndarray, ids: np.ndarray, colours: np.ndarray) -> None:
    """A JPEG of the photograph with the categories in their colours; other stays as it is.

    Args:
        pixels: (h, w, 3) uint8.
        ids: (H, W), of the same picture at any size.
        colours: (C + 1, 3) uint8.

    Raises:
        UserError: cannot be written.
    """
    small = resize_nearest(ids, *pixels.shape[:2])
    mixed = pixels + COVER * (colours[small] - pixels.astype(np.float32))
    shown = np.where((small > 0)[..., None], np.rint(mixed), pixels).astype(np.uint8)
    with atomic(path) as partial:
        Image.fromarray(shown).save(partial, "JPEG", quality=90)
