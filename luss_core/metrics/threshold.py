"""Thresholds between foreground and background that need no ground truth."""

import numpy as np

THRESHOLDS = 81
"""Thresholds 0.00, 0.01 ... 0.80 of the greatest score, as the official sweep."""


def otsu(histogram: np.ndarray) -> int:
    """The level that splits a histogram with the greatest variance between its two parts, Otsu 1979.

    Args:
        histogram: counts of levels 0, 1, ...

    Returns:
        k such that levels >= k are foreground; at least 1 unless all counts lie at one level.
    """
    counts = histogram.astype(float)
    levels = np.arange(len(counts))
    below, sum_below = np.cumsum(counts)[:-1], np.cumsum(counts * levels)[:-1]
    above, sum_above = counts.sum() - below, (counts * levels).sum() - sum_below
    both = (below > 0) & (above > 0)
    if not both.any():
        return 0
    difference = sum_below[both] / below[both] - sum_above[both] / above[both]
    variance = np.zeros(len(below))
    variance[both] = below[both] * above[both] * difference**2
    return int(variance.argmax()) + 1
