"""Which categories of two runs mean the same, and in which images the runs disagree; no ground truth is needed."""

from collections.abc import Iterable, Sequence

import numpy as np

from luss_core.data.masks import IGNORE
from luss_core.metrics.joint import indexed
from luss_core.metrics.matching import assign

UNIT = 10_000
"""Weight of an image, whatever its size."""


def shared(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(n, 3) int64: id in the first mask, id in the second, and how many pixels have both; ignored ones left out.

    Args:
        first, second: (H, W) ids >= 0.
    """
    (rows, a), (columns, b) = indexed(first), indexed(second)
    counts = np.bincount((a * len(columns) + b).ravel(), minlength=len(rows) * len(columns))
    at = np.flatnonzero(counts)
    pairs = np.stack([rows[at // len(columns)], columns[at % len(columns)], counts[at]], axis=1)
    return pairs[(pairs[:, :2] != IGNORE).all(axis=1)]


def weighed(pairs: np.ndarray) -> np.ndarray:
    """The same, where what either of them calls an object weighs ``UNIT`` together; (0, 3) where neither does."""
    objects = pairs[(pairs[:, :2] > 0).any(axis=1)]
    total = max(1, int(objects[:, 2].sum()))
    return np.column_stack([objects[:, :2], np.rint(UNIT * objects[:, 2] / total).astype(np.int64)])


def summed(images: Sequence[np.ndarray]) -> np.ndarray:
    """The same of several images together."""
    every = np.concatenate(images)
    ids, place = np.unique(every[:, :2], axis=0, return_inverse=True)
    weights = np.zeros(len(ids), np.int64)
    np.add.at(weights, place.ravel(), every[:, 2])
    return np.column_stack([ids, weights])


def partners(images: Iterable[np.ndarray], first: int, second: int) -> np.ndarray:
    """(first + 1,) int64 category of the second run that each of the first means, one to one; 0 where there is none.

    Hungarian: the most weight in common. Two categories that never meet are not paired.

    Args:
        images: ``weighed`` of each.
        first, second: number of categories of each run.
    """
    size = max(first, second)
    together = np.zeros((size + 1, size + 1), np.int64)
    for pairs in images:
        np.add.at(together, (pairs[:, 0], pairs[:, 1]), pairs[:, 2])
    found = assign(together[1:, 1:])
    return np.array([0, *(found[k] if together[k, found[k]] else 0 for k in range(1, first + 1))], np.int64)


def by_class(first: dict[str, int], second: dict[str, int], categories: tuple[int, int]) -> np.ndarray:
    """The same as ``partners`` where both runs were matched with true classes: those of one class are partners.

    Args:
        first, second: class of each category, as in scores.json.
        categories: of each run.
    """
    of_class = {second.get(str(k), 0): k for k in range(1, categories[1] + 1)}
    of_class = {of: k for of, k in of_class.items() if 0 < of < IGNORE}
    return np.array([0, *(of_class.get(first.get(str(k), 0), 0) for k in range(1, categories[0] + 1))], np.int64)


def disagreement(pairs: np.ndarray, partner: np.ndarray) -> float:
    """Share, 0..1, of what either run calls an object on which they mean something else; 0 where neither finds one.

    Args:
        pairs: ``weighed`` of one image.
        partner: as ``partners``.
    """
    total = int(pairs[:, 2].sum())
    same = (pairs[:, 0] > 0) & (pairs[:, 1] > 0) & (partner[pairs[:, 0]] == pairs[:, 1])
    return 1 - int(pairs[same, 2].sum()) / total if total else 0.0


def mean_disagreement(found: Sequence[Sequence[float]]) -> list[float]:
    """Of each image the mean over the pairs of runs."""
    return [round(float(sum(each) / len(each)), 3) for each in zip(*found, strict=True)]
