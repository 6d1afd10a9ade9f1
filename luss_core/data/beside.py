"""What some methods read beside the images: true masks and category folders."""

import numpy as np

from luss_core.data.images import ImageList
from luss_core.errors import UserError

SHOWN = 3


class TrueMasks:
    """The masks of the image list, read from their files, as planes that lie over the images."""

    def __init__(self, listing: ImageList, rows: np.ndarray):
        """Raises:
        UserError: an image among ``rows`` has none.
        """
        missing = [listing.path[row] for row in rows if not listing.mask[row]]
        if missing:
            shown = "".join(f"\n  {path!r}" for path in missing[:SHOWN])
            raise UserError(
                f"{len(missing)} of {len(rows)} training images have no mask, which the method needs:{shown}"
            )
        self._listing = listing

    def read(self, row: int) -> np.ndarray:
        """(H, W, 1) int32 ids of an image, of the size of its file."""
        mask = self._listing.truth(row)
        assert mask is not None
        return mask.read()[..., None]


def folder_labels(listing: ImageList, rows: np.ndarray) -> np.ndarray:
    """(n,) int64 number of the category folder of each image, in the order of their names, from 0.

    Raises:
        UserError: the images lie in fewer than two folders.
    """
    names, labels = np.unique([listing.folder[row] for row in rows], return_inverse=True)
    if len(names) < 2:
        raise UserError(
            f"the method needs labels, but all training images lie in one folder {str(names[0])!r}; put the images of"
            " each category into a folder of its own"
        )
    return labels.astype(np.int64)
