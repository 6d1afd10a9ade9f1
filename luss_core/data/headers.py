"""What the headers of image files say: size, format, rotation, pages, depth."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from luss_core.data.decode import GAP, TAGS, is_deep, opened, orientation_of, stored_size

JPEG = ("JPEG", "MPO")
PROGRESSIVE = 4
"""Progressive JPEG is held whole while it is decoded, as other formats are, but in less than their memory."""
LARGEST = 1000
"""Megapixels of a JPEG file: its mask has as many, and is held whole by later stages."""
MANY_PICTURES = ("TIFF", "GIF", "WEBP", "PNG", "MPO", "AVIF", "HEIF")
"""Formats that may hold more than one."""


class Header(NamedTuple):
    """One file."""

    height: int
    """In pixels, before EXIF rotation."""
    width: int
    format: str
    """As Pillow calls it."""
    orientation: int
    """EXIF tag; 1 is upright."""
    pictures: int
    """Pages or frames."""
    deep: bool
    """Whether samples have 16 bits."""


def read_header(path: Path, max_megapixels: float, short_side: int) -> Header:
    """Read no more of a file than its header.

    Raises:
        ValueError: decoding would hold more than ``max_megapixels``. JPEG is reduced while it is decoded, so that a
            large photograph does not.
        Exception: not an image; what Pillow raises for broken files is not limited to a few types.
    """
    with opened(path) as image:
        width, height = image.size
        if width * height > max_megapixels * 1e6 and (reason := _too_large(image, max_megapixels, short_side)):
            raise ValueError(reason)
        told = image.format == "TIFF" or TAGS & image.info.keys()
        orientation = orientation_of(image) if told else 1  # of other PNG files Pillow would load the pixels for it
        return Header(height, width, image.format or "", orientation, _pictures(image), is_deep(image))


def _too_large(image: Image.Image, most: float, short_side: int) -> str:
    """Why decoding would take too much memory; '' where it would not."""
    width, height = image.size
    found = f"{width * height / 1e6:.0f} megapixels, more than"
    setting = f"prepare.max_megapixels = {most:g}"
    if image.format not in JPEG:
        return f"{found} {setting}"
    if width * height > max(LARGEST, most) * 1e6:
        return f"{found} the {LARGEST} of a JPEG file whose mask fits into memory; reduce it, or raise {setting}"
    if image.info.get("progressive") and width * height > PROGRESSIVE * most * 1e6:
        return f"{found} {PROGRESSIVE * most:g}, {PROGRESSIVE} times {setting}: the file is a progressive JPEG"
    tall, wide = stored_size(height, width, short_side)
    image.draft(None, (GAP * wide, GAP * tall))
    if image.width * image.height > most * 1e6:
        return f"{found} {setting}, and prepare.short_side = {short_side} leaves no room to reduce it while it is read"
    return ""


def _pictures(image: Image.Image) -> int:
    if image.format not in MANY_PICTURES:
        return 1
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception:  # broken pages raise anything, and only the first is used
        return 1


@dataclass
class HeaderFacts:
    """The headers of a data set, counted; of each fact the first file as an example."""

    formats: Counter[str] = field(default_factory=Counter)
    turned: Counter[int] = field(default_factory=Counter)
    """EXIF orientations other than upright."""
    turned_example: str = ""
    several: Counter[str] = field(default_factory=Counter)
    """Formats of files with several pictures."""
    several_examples: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Of each such format a file, and how many pictures it has."""
    deep: list[str] = field(default_factory=list)
    """Files of 16 bits."""

    def add(self, path: str, header: Header) -> None:
        """Count one more."""
        self.formats[header.format] += 1
        if header.orientation != 1:
            self.turned[header.orientation] += 1
            self.turned_example = self.turned_example or path
        if header.pictures > 1:
            self.several[header.format] += 1
            self.several_examples.setdefault(header.format, (path, header.pictures))
        if header.deep:
            self.deep.append(path)
