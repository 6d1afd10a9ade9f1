"""Categories of the training images, to judge by: no training reads them."""

from collections import Counter

import numpy as np

from luss_core.data.categories import why_not
from luss_core.data.images import ImageList
from luss_core.data.masks import IGNORE
from luss_core.errors import UserError

READ = 512
"""Masks, about, that tell whether folders are categories."""


def categories_of(listing: ImageList, rows: np.ndarray, asked: bool | None) -> np.ndarray | None:
    """(n,) int64 number of the folder of each image among ``rows``, in the order of their names, from 0; None where
    folders are no categories, by the rules of ``evaluate``.

    Where only the truth can tell, some masks of each folder do, of a folder of which none can be read none.

    Args:
        asked: what the user says of the folders, evaluate.folders; None to judge.
    """
    if why_not(listing, None, asked) is not None and (asked is False or why_not(listing, _largest(listing), asked)):
        return None
    names = {name: number for number, name in enumerate(sorted({listing.folder[row] for row in rows}))}
    return np.fromiter((names[listing.folder[row]] for row in rows), np.int64, len(rows))


def _largest(listing: ImageList) -> np.ndarray:
    """(n,) class with most pixels in the truth of each training image; 0 where it has none or was not read."""
    rows = listing.rows("train")
    found = np.zeros(len(rows), np.int64)
    each, read = max(1, READ // len({listing.folder[row] for row in rows})), Counter[str]()
    for place, row in enumerate(rows.tolist()):
        folder = listing.folder[row]
        if read[folder] < each and (mask := listing.truth(row)):
            read[folder] += 1
            try:
                ids, pixels = np.unique(mask.read(), return_counts=True)
            except (UserError, OSError):
                continue
            objects = (ids > 0) & (ids != IGNORE)
            found[place] = ids[objects][pixels[objects].argmax()] if objects.any() else 0
    return found
