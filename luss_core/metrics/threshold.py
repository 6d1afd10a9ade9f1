"""Thresholds between foreground and background that need no ground truth."""

from pathlib import Path
from typing import Any

import numpy as np

from luss_core.errors import UserError
from luss_core.io import read_fields

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


KINDS: dict[str, type | tuple[type, ...]] = {
    "automatic": int,
    "rule": str,
    "histogram": list,
    "score_max": (float, int),
    "size": int,
    "provenance": dict,
}
"""Entries of threshold.json."""


def read_threshold(path: Path, *wanted: str) -> dict[str, Any]:
    """What infer wrote in threshold.json; the entries ``wanted`` are there and can be what they should be.

    Raises:
        UserError: missing or damaged.
    """
    found = read_fields(path, **{name: KINDS[name] for name in wanted})
    wrong = {
        "automatic": lambda level: not 0 <= level <= 100,
        "size": lambda size: size < 1,
        "score_max": lambda score: not score > 0,
        "histogram": lambda counts: len(counts) != THRESHOLDS or any(type(n) is not int or n < 0 for n in counts),
    }
    for name in wanted:
        if name in wrong and wrong[name](found[name]):
            raise UserError(f"{path}: {name} is not what infer writes; delete the file and run infer again")
    return found
