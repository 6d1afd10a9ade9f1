"""What the processes of prepare do: decode files and masks, and say of each what is wrong with it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import UnidentifiedImageError

from luss_core.data.coding import Coding, distinct
from luss_core.data.contents import NOTHING, read_once
from luss_core.data.decode import Decoded, decode
from luss_core.data.headers import Header, read_header
from luss_core.data.images import ListedFile
from luss_core.data.mask_pixels import read_pixels
from luss_core.data.packing import Packed, packed
from luss_core.data.rotated_masks import Rotated, fits_rotated


def read_headers(root: Path, max_megapixels: float, short_side: int, paths: list[str]) -> list[Header | str]:
    """What the header of each file says, or why it cannot be used."""
    return [attempt(read_header, root / path, max_megapixels, short_side) for path in paths]


class Reading(NamedTuple):
    """How all files of a data set are read."""

    short_side: int
    white: int
    """Value that is white in images of 16 bits."""
    coding: Coding
    """Of all masks."""
    rotated: Rotated
    """What masks of rotated photographs may lie over."""


def check(root: Path, reading: Reading, images: list[ListedFile]) -> Packed:
    """Decode one batch with its masks.

    Returns:
        The images that can be used, and as notes
        reasons: for each file why it cannot be used, '' where it can;
        mask_reasons: why its mask cannot be used, '' where it can, or where there is none;
        mask_kinds: which kind of mask file it is;
        mask_ids: the ids in the mask;
        mask_turns: of the mask of a rotated photograph its EXIF orientation and whether the mask has the size of the
        upright photograph and that of the stored pixels; none otherwise;
        sizes: height and width of each file that can be used, upright;
        contents: digests of what each file and its mask hold, '' for what cannot be read or is not there.
    """
    pixels: list[bytes] = []
    shapes: list[tuple[int, ...]] = []
    notes: dict[str, list[Any]] = {name: [] for name in ("reasons", *MASK_NOTES, "sizes", "contents")}
    for listed in images:
        photograph, masked = read_once(root, listed.path), read_once(root, listed.mask) if listed.mask else NOTHING
        notes["contents"].append((photograph.digest, masked.digest))
        decoded = attempt(decode, root / listed.path, reading.short_side, reading.white, photograph.data)
        mask = NO_MASK
        if isinstance(decoded, Decoded):
            pixels.append(decoded.pixels.tobytes())
            shapes.append(decoded.pixels.shape[:2])
            notes["sizes"].append((decoded.height, decoded.width))
            if listed.mask:
                mask = _check_mask(root / listed.mask, reading, decoded, masked.data)
        notes["reasons"].append("" if isinstance(decoded, Decoded) else decoded)
        for name, note in zip(MASK_NOTES, mask, strict=True):
            notes[name].append(note)
    return packed(len(images), pixels, shapes, notes)


class MaskNotes(NamedTuple):
    """What is found of one mask; see ``check``."""

    reason: str = ""
    kind: str = ""
    ids: Sequence[int] = ()
    turn: Sequence[int] = ()


MASK_NOTES = ("mask_reasons", "mask_kinds", "mask_ids", "mask_turns")
NO_MASK = MaskNotes()
LARGE = 64
"""Megapixels up to which the mask of a smaller image is read, to say what size it has."""


def _check_mask(path: Path, reading: Reading, image: Decoded, data: bytes | None) -> MaskNotes:
    most, rotated = max(LARGE, image.height * image.width / 1e6), reading.rotated
    found = attempt(_kind_and_ids, path, reading.coding, most, data)
    if isinstance(found, str):
        return MaskNotes(found)
    kind, ids = found
    upright, raw = fits_rotated(ids.shape, image)
    if not (upright and rotated != "raw") and not (raw and (rotated != "upright" or image.orientation == 1)):
        turned = f", EXIF orientation {image.orientation}, rotated_masks {rotated}" if image.orientation > 1 else ""
        size = f"mask of {ids.shape[0]} x {ids.shape[1]} pixels for an image of {image.height} x {image.width} (h x w)"
        return MaskNotes(size + turned)
    turn = (image.orientation, int(upright), int(raw)) if image.orientation > 1 else ()
    return MaskNotes("", kind, distinct(ids).tolist(), turn)


def _kind_and_ids(path: Path, coding: Coding, most: float, data: bytes | None) -> tuple[str, np.ndarray]:
    pixels = read_pixels(path, most, data)
    return pixels.kind, coding.ids(pixels)


def attempt(function: Any, path: Path, *arguments: Any) -> Any:
    """The result, or the reason as text: a broken file may raise anything, and must not stop the others."""
    try:
        return function(path, *arguments)
    except MemoryError:
        return "does not fit into memory"
    except Exception as error:
        if path.is_file() and not path.stat().st_size:
            return "empty file"
        if isinstance(error, UnidentifiedImageError):
            return "not an image, or of a kind that Pillow does not read"
        return " ".join(str(error).replace(str(path), "file").split()) or type(error).__name__
