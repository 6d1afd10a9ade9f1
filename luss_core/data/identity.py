"""The id of every image: what its outputs are called."""

from collections.abc import Callable, Collection, Iterator, Mapping
from csv import Error, reader
from pathlib import Path

import numpy as np

from luss_core.data.arrange import Listing
from luss_core.data.images import COLUMNS, ListedFile
from luss_core.data.kinds import HEIF, READ, stem_of, suffix_of

RANK = (".jpg", ".jpeg", ".jpe", ".jfif", ".png")
IMAGES = READ | HEIF
Earlier = Callable[[Collection[str]], Mapping[str, str]]
"""Paths of images -> the ids of those that an earlier run knew."""


def give_ids(listing: Listing, earlier: Earlier, *, ignore_case: bool = False) -> list[ListedFile]:
    """Change the ids of images that have the same, so that no two outputs have one name.

    An image is called by its path without suffix. Of several that differ in the suffix alone one is called so: the one
    that was in an earlier run of this data set, else JPEG before PNG before others; the others keep their suffix
    (1.jpg is 1, and 1.png is 1.png). No rule that looks at names alone could do without the earlier run: either file
    may be added later, alone each is 1, and what a finished run wrote must keep its name.

    Args:
        ignore_case: A and a are one name where the outputs are written.

    Returns:
        The images that kept their suffix.
    """
    groups = _groups(listing.images, ignore_case)
    known = earlier({listing.images[row].path for rows in groups for row in rows}) if groups else {}
    apart: list[ListedFile] = []
    for rows in groups:
        for row, name in _assigned(listing.images, rows, known, ignore_case):
            if name != listing.images[row].id:
                listing.images[row] = listing.images[row]._replace(id=name)
                apart.append(listing.images[row])
    return apart


def read_earlier(path: Path) -> Earlier:
    """Ids in a list of an earlier run; none where it is not there, or not whole."""

    def earlier(wanted: Collection[str]) -> dict[str, str]:
        try:
            with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
                rows = reader(file)
                if tuple(next(rows, ())) != COLUMNS:
                    return {}
                return {row[1]: row[0] for row in rows if row[1] in wanted}
        except (OSError, ValueError, IndexError, Error):
            return {}

    return earlier


def _groups(images: list[ListedFile], ignore_case: bool) -> list[list[int]]:
    """Rows of images that might get the same id, in order. Takes 8 bytes an image."""
    hashes = np.fromiter((hash(_key(listed, ignore_case)) for listed in images), np.int64, len(images))
    values, counts = np.unique(hashes, return_counts=True)
    often = values[counts > 1]
    groups: dict[tuple[str, str], list[int]] = {}
    for row in np.flatnonzero(np.isin(hashes, often)).tolist():
        groups.setdefault(_key(images[row], ignore_case), []).append(row)
    return [rows for rows in groups.values() if len(rows) > 1]


def _key(listed: ListedFile, ignore_case: bool) -> tuple[str, str]:
    """The same for all images that might get one id: an image may be called 1.png.jpg, beside 1.png and 1.jpg."""
    name = listed.id
    while suffix_of(name) in IMAGES:
        name = stem_of(name)
    return listed.split, name.casefold() if ignore_case else name


def _assigned(
    images: list[ListedFile], rows: list[int], known: Mapping[str, str], ignore_case: bool
) -> Iterator[tuple[int, str]]:
    """An id for each row of a group; all candidates have the key of the group, so that no other image has them."""
    used: set[str] = set()
    for row in sorted(rows, key=lambda row: _before(images[row], known)):
        listed = images[row]
        name, suffix = listed.id, listed.path[len(stem_of(listed.path)) :]
        earlier = known.get(listed.path, "")
        if earlier.startswith(name) and _folded(earlier, ignore_case) not in used:
            name = earlier
        while _folded(name, ignore_case) in used:
            name += suffix
        used.add(_folded(name, ignore_case))
        yield row, name


def _before(listed: ListedFile, known: Mapping[str, str]) -> tuple[bool, int, int, str]:
    """Sorts by who may choose first."""
    suffix = suffix_of(listed.path)
    rank = RANK.index(suffix) if suffix in RANK else len(RANK)
    return listed.path not in known, len(listed.id), rank, listed.path


def _folded(name: str, ignore_case: bool) -> str:
    return name.casefold() if ignore_case else name
