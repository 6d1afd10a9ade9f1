"""Image files as 8-bit RGB arrays, reduced while they are decoded."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image
from PIL.ImageFile import ImageFile

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

PLUGINS = ("Mpo", "WebP", "Tiff", "Jpeg2K", "Avif")
"""Modules of Pillow that read them; those of the others are always loaded."""

GAP = 2
"""Cheap reduction (JPEG scaling, box filter) stops at this multiple of the final size; bicubic does the rest."""


FULL = 65535
"""The largest value of 16 bits."""
DEEP_COLOURS = tuple(f"{mode};16{order}" for mode in ("RGB", "RGBA", "RGBX") for order in "BLN")
"""How Pillow names pixels of 16 bits a colour, of which it gives the upper 8."""
DEEP_GREY_ALPHA = "LA;16B"
"""The same of PNG in grey with transparency."""
DEEP = (*DEEP_COLOURS, DEEP_GREY_ALPHA)
OTHER_BYTE = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}


TAGS = {"exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif"}
"""What an open file has, of these, if it has an orientation; TIFF has it elsewhere."""


class Decoded(NamedTuple):
    """One image, upright."""

    pixels: np.ndarray
    """(H, W, 3) uint8, reduced."""
    height: int
    """Of the file, in pixels."""
    width: int
    orientation: int = 1
    """The EXIF tag that said how it is turned; 1 is upright."""


def decode(path: Path, short_side: int, white: int = FULL, data: bytes | None = None) -> Decoded:
    """The first frame as 8-bit RGB, upright, its shorter side at most ``short_side`` pixels.

    Reads the whole file, so that truncated ones are found. Transparent parts become white, as a page shows them: the
    colours stored below are often arbitrary.

    Args:
        white: value that becomes 255 in files of 16 bits, and so do larger ones; see luss_core/data/depth.py.
        data: all that the file holds, where it has been read.

    Raises:
        ValueError: floating-point pixels or integers above 16 bits, whose range no rule gives.
        Exception: broken file.
    """
    with opened(path, data) as image:
        width, height = image.size
        wanted = stored_size(height, width, short_side)
        told = orientation_of(image) if image.format == "TIFF" else None
        drafted = image.draft(None, (GAP * wanted[1], GAP * wanted[0]))  # JPEG: never smaller than asked for
        deep = white < FULL and _rawmode(image) in DEEP
        image.load()
        if drafted is None:
            width, height = image.size  # Pillow turns TIFF upright while it loads
        rgb = to_rgb(_scaled(samples(path), white) if deep else image, white)
        orientation = orientation_of(image)
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


def to_rgb(image: Image.Image, white: int = FULL) -> Image.Image:
    """Any mode of Pillow as 8-bit RGB; of 16 bits ``white`` becomes 255; transparent parts become white.

    Raises:
        ValueError: values without a known range.
    """
    if image.mode.startswith("I"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > FULL:
            raise ValueError("integers above 16 bits have no known range; convert it to 8 bits")
        # Pillow has brought PGM to the full range: its header says which value is white
        return _scaled(values, FULL if image.format == "PPM" else white).convert("RGB")
    if image.mode == "F":
        raise ValueError("floating-point pixels have no known range; convert it to 8 bits")
    if image.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")  # which would copy it


def is_deep(image: Image.Image) -> bool:
    """Whether a file that is not loaded yet has samples of 16 bits whose white is not known."""
    return (image.mode.startswith("I") and image.format != "PPM") or _rawmode(image) in DEEP


def samples(path: Path) -> np.ndarray:
    """(H, W) values of one channel, or (H, W, C) uint16 of a file for which ``is_deep``."""
    with opened(path) as image:
        rawmode = _rawmode(image)
        if rawmode == DEEP_GREY_ALPHA:
            return _grey_alpha(image)
        upper = np.asarray(image)
    if rawmode not in DEEP_COLOURS:
        return upper
    other = rawmode[:-1] + OTHER_BYTE[rawmode[-1]]
    with opened(path) as image:  # once more, taking the other byte of each value for the upper one
        assert isinstance(image, ImageFile)
        image.tile = [
            tile._replace(args=other if isinstance(tile.args, str) else (other, *(tile.args or ())[1:]))
            for tile in image.tile
        ]
        lower = np.asarray(image)
    return upper.astype(np.uint16) << 8 | lower


def _grey_alpha(image: Image.Image) -> np.ndarray:
    """(H, W, 2) uint16 of a PNG file: Pillow has no name for the lower bytes, so all four of a pixel are read."""
    assert isinstance(image, ImageFile)
    image._mode, image.tile = "RGBA", [tile._replace(args="RGBA") for tile in image.tile]
    return np.ascontiguousarray(np.asarray(image)).view(">u2").astype(np.uint16)


def _scaled(values: np.ndarray, white: int) -> Image.Image:
    """8 bits of 16; transparency has the full range."""
    pixels = np.minimum(values, white).astype(np.uint32)
    pixels = ((pixels * 255 + white // 2) // white).astype(np.uint8)
    if values.shape[2:] in ((2,), (4,)):
        pixels[..., -1] = values[..., -1] >> 8
    return Image.fromarray(pixels)


def _rawmode(image: Image.Image) -> str:
    """How a file that is not loaded yet stores its pixels, as Pillow calls it; '' if it is not told."""
    tiles = getattr(image, "tile", None)
    arguments = tiles[0].args if tiles else ""
    return str(arguments[0] if isinstance(arguments, tuple) and arguments else arguments)


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation; 1 where there is none."""
    if image.format in ("JPEG", "MPO") and not TAGS & image.info.keys():
        return 1  # for a million files, not looking costs less
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # broken EXIF raises anything, and says nothing about the pixels
        return 1


@cache
def _formats() -> tuple[str, ...]:
    """Those that this build of Pillow knows, and HEIF of phones where the package for it is installed."""
    Image.preinit()
    for plugin in PLUGINS:  # all that Pillow has take longer to load than a hundred photographs
        with suppress(ImportError):
            import_module(f"PIL.{plugin}ImagePlugin")
    if find_spec(PLUGIN):
        import_module(PLUGIN).register_heif_opener()
    return tuple(name for name in FORMATS if name in Image.OPEN)


@contextmanager
def opened(path: Path, data: bytes | None = None) -> Iterator[Image.Image]:
    """An open file, whatever its size: ``read_header`` has its own limit, and Pillow's would stop below ours.

    Args:
        data: all that the file holds, where it has been read.
    """
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd metadata; what matters is raised
            with Image.open(path if data is None else BytesIO(data), formats=_formats()) as image:
                yield image
    finally:
        Image.MAX_IMAGE_PIXELS = limit
