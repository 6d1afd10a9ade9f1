"""How well a saliency map tells objects from background."""

import numpy as np

from luss_core.data.masks import IGNORE
from luss_core.metrics.counts import f_measure

RULE = "adaptive: saliency >= min(1, 2 * mean of the map)"
"""Threshold of a map, Achanta et al. 2009; F is averaged over the images."""


def salient(saliency: np.ndarray) -> np.ndarray:
    """(H, W) bool: at least twice the mean of the map, which needs no truth; nothing in a map of zeros.

    Args:
        saliency: (H, W) in [0, 1].
    """
    threshold = min(1.0, 2 * float(saliency.mean(dtype=np.float64)))
    return (saliency >= threshold) & (saliency > 0)


def foreground_f(mask: np.ndarray, truth: np.ndarray) -> float:
    """F, beta^2 = 0.3, of an (H, W) bool mask against the ids of one image, 0..1; ignored pixels do not count."""
    known = truth != IGNORE
    true = truth[known] > 0
    return f_measure(int(np.count_nonzero(mask[known] & true)), int(mask[known].sum()), int(true.sum()))
