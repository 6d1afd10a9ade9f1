"""Masks that people corrected, found by the names of their images and checked before anything is learned from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from luss_core.corrected import KEY, inside
from luss_core.data.coding import IGNORE, Coding, distinct
from luss_core.data.files import list_files
from luss_core.data.find_coding import Ask, CodingError, find_coding
from luss_core.data.images import ImageList
from luss_core.data.kinds import is_image, stem_of
from luss_core.data.masks import MaskFile
from luss_core.data.pairing import plain
from luss_core.data.seen import Seen, look_at
from luss_core.errors import UserError
from luss_core.parallel import batches, ordered_map

BATCH = 64
SHOWN = 3
ASK = Ask(
    where=f"{KEY}: the masks",
    coding="save them with the ids of the legend, and not so that they look like coding {}",
    table="save them with the ids that categories.csv of the export says, for instance {}",
    without="take these masks away",
    truth=False,
)


@dataclass(frozen=True)
class CorrectedMasks:
    """Masks of some images."""

    rows: np.ndarray
    """(n,) int64 rows of the image list, rising."""
    files: Sequence[MaskFile]

    def read(self, row: int) -> np.ndarray:
        """(H, W, 1) int32 ids of an image, of the size of its file; ignored pixels are IGNORE."""
        return self.files[int(np.searchsorted(self.rows, row))].read()[..., None]


def find_corrected(folder: Path, listing: ImageList, largest: int, threads: int) -> CorrectedMasks:
    """The masks in a folder: <split>/<id>.png, as they were exported, or <id>.png where no two splits share the id.

    Args:
        largest: id that masks may hold, that of the last category.

    Raises:
        UserError: all that is wrong with them in one message: no masks, masks of no image or of two, of another size
            than their image, or with ids that are no categories.
    """
    folder = inside(folder)
    names = [name for name in list_files(folder).files if is_image(name)]
    if not names:
        raise UserError(f"{KEY} {folder}: no masks in it; they are PNG files under the names of their images")
    owners = _owners(names, listing)
    jobs = batches(names, BATCH)
    seen = [
        one
        for batch in ordered_map(partial(look_at, folder), jobs, min(threads, 1 + len(names) // 100))
        for one in batch
    ]
    readable = [one for one in seen if isinstance(one, Seen)]
    try:
        coding = find_coding(readable, largest, layout=False, ask=ASK)
    except CodingError as error:
        raise UserError(f"{KEY} {folder} cannot be used: {error}") from error
    unknown = [repr(name) for name in names if not owners[name]]
    first: dict[int, str] = {}
    twice = [
        f"{first[row]!r} and {name!r}"
        for name in names
        for row in owners[name][:1]
        if first.setdefault(row, name) != name
    ]
    wrong = [
        text
        for name, one in zip(names, seen, strict=True)
        if owners[name] and (text := _wrong(folder / name, name, one, coding, listing, owners[name], largest))
    ]
    _stop(
        folder,
        listing,
        {"of no image here": unknown, "two of one image": twice, "not as they should be": wrong},
        largest,
    )
    pairs = sorted((owners[name][0], name) for name in names)
    files = [MaskFile(folder / name, coding) for _, name in pairs]
    return CorrectedMasks(np.array([row for row, _ in pairs], np.int64), files)


def _owners(names: Sequence[str], listing: ImageList) -> dict[str, list[int]]:
    """Rows of the images that each mask may belong to, the surest first: by path with the split, without, or by what
    tools add to names.
    """
    exact = {stem_of(name): name for name in names}
    loose = {plain(stem): name for stem, name in exact.items()}
    found: dict[str, list[list[int]]] = {name: [[], [], []] for name in names}
    for row, (split, name) in enumerate(zip(listing.split, listing.id, strict=True)):
        whole = f"{split}/{name}"
        for place, mask in enumerate((exact.get(whole), exact.get(name), loose.get(whole) or loose.get(name))):
            if mask is not None:
                found[mask][place].append(row)
    return {name: next(filter(None, rows), []) for name, rows in found.items()}


def _wrong(
    path: Path, name: str, one: Seen | str, coding: Coding, listing: ImageList, rows: Sequence[int], largest: int
) -> str:
    """What is wrong with a mask, '' for nothing."""
    if isinstance(one, str):
        return f"{name!r}: {one}"
    if len(rows) > 1:
        splits = " and ".join(listing.split[row] for row in rows[:2])
        return f"{name!r}: an image of {splits}; put it into a folder of that name, such as {splits.split()[0]}/{name}"
    size = int(listing.height[rows[0]]), int(listing.width[rows[0]])
    if (one.height, one.width) != size:
        return (
            f"{name!r}: {one.width} x {one.height} pixels, the photograph {listing.path[rows[0]]!r} has"
            f" {size[1]} x {size[0]}"
        )
    try:
        ids = distinct(MaskFile(path, coding).read())
    except UserError as error:
        return f"{name!r}: {str(error).removeprefix(f'{path}: ')}"
    above = [int(number) for number in ids if largest < number != IGNORE]
    return f"{name!r}: id {above[0]}" if above else ""


def _stop(folder: Path, listing: ImageList, kinds: dict[str, list[str]], largest: int) -> None:
    """Raises:
    UserError: something is wrong.
    """
    lines = [
        f"\n  {what} ({len(found)}): {', '.join(found[:SHOWN])}{', ...' if len(found) > SHOWN else ''}"
        for what, found in kinds.items()
        if found
    ]
    if lines:
        example = f"{listing.split[0]}/{listing.id[0]}.png" if len(listing) else "train/cat/1.png"
        raise UserError(
            f"{KEY} {folder} cannot be used:{''.join(lines)}\n"
            f"A mask has the name of its photograph, such as {example}, its width and height, and for each pixel 0"
            f" (no object), a category from 1 to {largest}, or 255 (do not look here). Mend these, or take them away."
        )
