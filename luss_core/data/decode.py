"""Image files as 8-bit RGB arrays, reduced while they are decoded."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image

from luss_core.data.kinds import PLUGIN

Transpose = Image.Transpose
UPRIGHT = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
"""What turns an image of each EXIF orientation upright."""
SIDEWAYS = frozenset(UPRIGHT[orientation] for orientation in (5, 6, 7, 8))

FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000", "AVIF", "HEIF")
"""Of Pillow. Whatever its name, a file of another kind is no photograph (EPS would even start a program)."""

GAP = 2
"""Cheap reduction (JPEG scaling, box filter) stops at this multiple of the final size; bicubic does the rest."""


class Decoded(NamedTuple):
    """One image, upright."""

    pixels: np.ndarray
    """(H, W, 3) uint8, reduced."""
    height: int
    """Of the file, in pixels."""
    width: int
    orientation: int = 1
    """The EXIF tag that said how it is turned; 1 is upright."""


def read_size(path: Path, max_megapixels: float) -> tuple[int, int]:
    """Height and width from the header, before EXIF rotation.

    Raises:
        ValueError: more than ``max_megapixels``.
        Exception: not an image; what Pillow raises for broken files is not limited to a few types.
    """
    with opened(path) as image:
        width, height = image.size
    if width * height > max_megapixels * 1e6:
        raise ValueError(
            f"{width * height / 1e6:.0f} megapixels, more than prepare.max_megapixels = {max_megapixels:g}"
        )
    return height, width


def decode(path: Path, short_side: int) -> Decoded:
    """The first frame as 8-bit RGB, upright, its shorter side at most ``short_side`` pixels.

    Reads the whole file, so that truncated ones are found. Transparent parts become white, as a page shows them: the
    colours stored below are often arbitrary.

    Raises:
        ValueError: floating-point pixels or integers above 16 bits, whose range no rule gives.
        Exception: broken file.
    """
    with opened(path) as image:
        width, height = image.size
        wanted = stored_size(height, width, short_side)
        told = _orientation(image) if image.format == "TIFF" else None
        drafted = image.draft(None, (GAP * wanted[1], GAP * wanted[0]))  # JPEG: never smaller than asked for
        image.load()
        if drafted is None:
            width, height = image.size  # Pillow turns TIFF upright while it loads
        rgb = to_rgb(image)
        orientation = _orientation(image)
        turn = UPRIGHT.get(orientation)
    rgb = reduced(rgb, stored_size(height, width, short_side))
    if turn is not None:
        rgb = rgb.transpose(turn)
        if turn in SIDEWAYS:
            height, width = width, height
    return Decoded(np.asarray(rgb), height, width, told or orientation)


def reduced(rgb: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The image at ``size`` (height, width)."""
    if rgb.size == size[::-1]:
        return rgb
    return rgb.resize(size[::-1], Image.Resampling.BICUBIC, reducing_gap=GAP)


def stored_size(height: int, width: int, short_side: int) -> tuple[int, int]:
    """Height and width after reducing the shorter side to ``short_side``; smaller images stay as they are."""
    shorter = min(height, width)
    if shorter <= short_side:
        return height, width
    return round(height * short_side / shorter), round(width * short_side / shorter)


def to_rgb(image: Image.Image) -> Image.Image:
    """Any mode of Pillow as 8-bit RGB; 16 bits are scaled, not clipped; transparent parts become white.

    Raises:
        ValueError: values without a known range.
    """
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise ValueError("integers above 16 bits have no known range; convert it to 8 bits")
        return Image.fromarray(((values + 128) // 257).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise ValueError("floating-point pixels have no known range; convert it to 8 bits")
    if image.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return image.convert("RGB")


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # broken EXIF raises anything, and says nothing about the pixels
        return 1


@cache
def _formats() -> tuple[str, ...]:
    """Those that this build of Pillow knows, and HEIF of phones where the package for it is installed."""
    Image.init()
    if find_spec(PLUGIN):
        import_module(PLUGIN).register_heif_opener()
    return tuple(name for name in FORMATS if name in Image.OPEN)


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """An open file, whatever its size: ``read_size`` has its own limit, and Pillow's would stop below ours."""
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd metadata; what matters is raised
            with Image.open(path, formats=_formats()) as image:
                yield image
    finally:
        Image.MAX_IMAGE_PIXELS = limit
