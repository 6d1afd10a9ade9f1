"""The few colours of an image: a coarse grid of RGB, of which the frequent cells are kept, Sec. 4.1 of Cheng et al."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.spatial.distance import cdist
from skimage.color import rgb2lab

BINS = 12
"""Cells of a channel."""
DROPPED = 0.05
"""Largest share of the pixels whose rare colours are replaced by frequent ones."""
FEWEST, MOST = 10, 256
"""Colours that are kept, whatever share the others have."""


@dataclass(frozen=True)
class Palette:
    """The M colours of one image, the most frequent first."""

    index: np.ndarray
    """(H, W) int64, the colour of each pixel."""
    lab: np.ndarray
    """(M, 3) float64, CIE Lab of the mean of its pixels."""
    count: np.ndarray
    """(M,) int64 pixels of each colour."""


def palette(image: np.ndarray) -> Palette:
    """The colours of an (H, W, 3) uint8 image: at least 95 % of the pixels have theirs, the rest the nearest."""
    cell = _cells()[image[..., 0]] * BINS + _cells()[image[..., 1]]
    cell = cell * BINS + _cells()[image[..., 2]]
    count = np.bincount(cell.ravel(), minlength=BINS**3)
    kept, replaced = _frequent(count)
    colour = np.zeros(BINS**3, np.int64)
    colour[kept] = np.arange(len(kept))
    if len(replaced):
        colour[replaced] = cdist(_levels(replaced), _levels(kept), "sqeuclidean").argmin(axis=1)
    index = colour[cell]
    sums = [np.bincount(index.ravel(), image[..., channel].ravel(), len(kept)) for channel in range(3)]
    count = np.bincount(index.ravel(), minlength=len(kept))
    return Palette(index, rgb2lab(np.stack(sums, axis=1) / count[:, None] / 255), count)


def _frequent(count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cells that are kept, the most frequent first, and cells that are replaced."""
    order = np.argsort(-count, kind="stable")[: np.count_nonzero(count)]
    needed = int(np.searchsorted(np.cumsum(count[order]), (1 - DROPPED) * count.sum())) + 1
    m = min(max(needed, FEWEST), MOST)
    return order[:m], order[m:]


def _levels(cell: np.ndarray) -> np.ndarray:
    """(n, 3) place of each cell in the grid."""
    return np.stack(np.unravel_index(cell, (BINS,) * 3), axis=1)


@cache
def _cells() -> np.ndarray:
    """(256,) the cell of a channel's value; just below 12, so that white is in the last."""
    return (np.arange(256) / 255 * (BINS - 0.0001)).astype(np.int64)
