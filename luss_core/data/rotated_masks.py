"""Masks of photographs with an EXIF orientation: drawn over the photograph as it is shown, or over the stored pixels.

Both are found: most annotation tools show photographs upright, others (and most scripts) read the pixels as they are
stored. The sizes tell where a photograph lies on its side and is not square.
"""

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from luss_core.data.decode import Decoded

Rotated = Literal["auto", "upright", "raw"]
FIRST_SIDEWAYS = 5
"""From this EXIF orientation on height and width are exchanged."""


class RotatedMask(NamedTuple):
    """The mask of a photograph whose orientation is not 1."""

    mask: str
    orientation: int
    upright: int
    """Whether the mask has the size of the upright photograph."""
    raw: int
    """The same of the stored pixels."""


class Turns(NamedTuple):
    """What is decided."""

    orientation: dict[str, int]
    """EXIF orientation of each mask that must be turned as its photograph is."""
    text: str
    """What was found and decided; '' where no photograph is rotated."""
    guessed: bool
    """Whether neither sizes nor settings told it for some, so that a person should look."""


def fits_rotated(shape: tuple[int, ...], image: Decoded) -> tuple[bool, bool]:
    """Whether a mask has the size of the upright photograph, and that of its pixels as they are stored."""
    upright = (image.height, image.width)
    raw = upright[::-1] if image.orientation >= FIRST_SIDEWAYS else upright
    return shape == upright, shape == raw


def decide(found: Iterable[RotatedMask], rotated: Rotated) -> Turns:
    """Which masks must be turned.

    auto: by the size of a mask where that tells; where it does not, as all others of the data set whose sizes do tell,
    if they agree; else upright.
    """
    masks = list(found)
    told = [mask for mask in masks if mask.upright != mask.raw]
    untold = [mask for mask in masks if mask.upright == mask.raw]
    raw = [mask for mask in told if mask.raw]
    rest = rotated if rotated != "auto" else "raw" if raw and len(raw) == len(told) else "upright"
    turned = raw + (untold if rest == "raw" else [])
    agreed = bool(told) and len(raw) in (0, len(told))
    guessed = bool(untold) and rotated == "auto" and not agreed
    text = _text(len(masks), len(told) - len(raw), len(raw), untold, rest, rotated, guessed) if masks else ""
    return Turns({mask.mask: mask.orientation for mask in turned}, text, guessed)


def _text(
    total: int, upright: int, raw: int, untold: Sequence[RotatedMask], rest: str, rotated: Rotated, guessed: bool
) -> str:
    text = f"{total} photographs with masks are turned by their EXIF tag;"
    if upright or raw:
        text += (
            f" by their sizes {upright} masks lie over the photograph as it is shown (upright), {raw} over the pixels"
        )
        text += " as they are stored (raw);"
    if untold:
        why = "as prepare.rotated_masks says" if rotated != "auto" else "as the others" if not guessed else "a guess"
        text += f" sizes do not tell of {len(untold)}, such as {untold[0].mask!r}: taken as {rest}, {why};"
    if guessed:
        text += (
            " look at one of them on the page: if truth and photograph do not fit, set prepare.rotated_masks: raw, else"
            f" {rest}"
        )
    return text.rstrip(";")
