"""What is to be known of a mask before its coding is known: its values, and the colours that they stand for."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from luss_core.data.coding import colours_of, distinct, opaque_colours, packed_colours
from luss_core.data.mask_pixels import MaskPixels, read_pixels
from luss_core.errors import UserError

MANY = 512
"""Values beyond these are not kept: no coding has so many in one mask, a picture has."""


class Seen(NamedTuple):
    """One mask."""

    path: str
    kind: str
    """As in MaskPixels."""
    bits: int
    height: int
    width: int
    values: tuple[int, ...]
    """Rising, at most MANY: samples, indices of a palette, or colours 0xRRGGBB, black where a pixel is transparent."""
    colours: tuple[int, ...]
    """0xRRGGBB of each of ``values``; none where samples have more than 8 bits."""
    has_alpha: bool = False
    drawn_alpha: bool = False
    """Whether some pixels are transparent and some are not."""
    drawn: tuple[int, ...] = ()
    """Colours of the pixels that are not transparent, at most MANY; only with ``drawn_alpha``."""


def look(root: Path, path: str) -> Seen:
    """What a mask holds.

    Raises:
        UserError: it cannot be read, or is of a kind that holds no ids.
    """
    return seen_of(path, read_pixels(root / path))


def seen_of(path: str, pixels: MaskPixels) -> Seen:
    """What the pixels of a mask hold."""
    height, width = pixels.values.shape[:2]
    drawn = _few(opaque_colours(pixels)) if pixels.drawn_alpha else ()
    if pixels.kind == "colour" or (pixels.drawn_alpha and pixels.kind == "grey"):
        values = colours = _few(packed_colours(colours_of(pixels)))
        if pixels.kind == "grey":
            values = tuple(colour & 255 for colour in colours)
    else:
        values = _few(pixels.values)
        if pixels.kind == "palette":
            assert pixels.palette is not None
            colours = tuple(map(int, packed_colours(pixels.palette[None])[0, list(values)]))
        else:
            colours = tuple(0x10101 * value for value in values) if pixels.bits <= 8 else ()
    alpha = pixels.alpha is not None
    return Seen(path, pixels.kind, pixels.bits, height, width, values, colours, alpha, pixels.drawn_alpha, drawn)


def look_at(root: Path, paths: list[str]) -> list[Seen | str]:
    """The same of several, or the reason as text."""
    found: list[Seen | str] = []
    for path in paths:
        try:
            found.append(look(root, path))
        except UserError as error:
            found.append(" ".join(str(error).replace(f"{root / path}", "file").split()))
        except MemoryError:
            found.append("does not fit into memory")
    return found


def _few(values: np.ndarray) -> tuple[int, ...]:
    return tuple(map(int, distinct(values)[:MANY]))
