"""One category for each object: the pixels of a connected piece of the foreground vote together."""

import numpy as np
import torch
from scipy.ndimage import label as connected
from scipy.sparse import coo_array
from torch import Tensor

VOTES = ("pixel", "object")
"""Who decides on a category: each pixel, or each piece."""
EIGHT = np.ones((3, 3), bool)
"""Pixels that touch at a corner are connected."""


def voted(label: np.ndarray, foreground: np.ndarray, maps: Tensor) -> np.ndarray:
    """(H, W) int32 labels, each piece of the foreground with the one that has most evidence in it; others as they are.

    Evidence is soft: the probability of each category, which is the softmax of its activation, summed over the pixels
    of the piece at the resolution of the maps. So a few sure pixels weigh as much as many that are undecided, and
    objects that do not touch keep categories of their own. Memory is that of the image, however many the pieces.

    Args:
        label: (H, W) int32 in 1..C.
        foreground: (H, W) bool.
        maps: (1, C, h, w) activations.
    """
    piece, count = connected(foreground, EIGHT)
    if not count:
        return label
    height, width = maps.shape[-2:]
    # a pixel belongs to the cell of the map in which it lies
    rows, columns = (np.arange(n) * cells // n for n, cells in zip(label.shape, (height, width), strict=True))
    start, length = _stretches(piece, columns)
    y, x = np.divmod(start, label.shape[1])
    whose = piece[y, x]  # 0 where it is no foreground
    inside = whose > 0
    places = whose[inside] - 1, (rows[y] * width + columns[x])[inside]
    pixels = coo_array((length[inside].astype(np.float32), places), (count, height * width)).tocsr()
    with torch.autocast(maps.device.type, enabled=False):
        chance = maps[0].float().softmax(dim=0).flatten(1).T.cpu().numpy()
    best = np.zeros(count + 1, np.int32)
    best[1:] = (pixels @ chance).argmax(axis=1) + 1
    return np.where(foreground, np.repeat(best[whose], length).reshape(label.shape), label)


def _stretches(piece: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) first pixels of stretches of a row that lie in one piece and one cell, and their lengths: few for many."""
    begins = np.ones(piece.shape, bool)
    begins[:, 1:] = (piece[:, 1:] != piece[:, :-1]) | (columns[1:] != columns[:-1])
    start = np.flatnonzero(begins)
    return start, np.diff(start, append=piece.size)
