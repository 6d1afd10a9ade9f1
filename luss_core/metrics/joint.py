"""How often each pair of labels meets in an image: all that the scores need of its pixels.

Region areas, boundary areas, size ranges, F, image accuracy and matching all follow from these few numbers, so the
pixels are visited once and labels can be renamed (matched) afterwards.
"""

import math
from dataclasses import dataclass

import numpy as np

from luss_core.data.masks import IGNORE
from luss_core.metrics.boundary import boundary


@dataclass(frozen=True)
class Joint:
    """Pixels of one image by truth and prediction, ignored pixels left out."""

    truth: np.ndarray
    """(I,) int64 ids in the truth, rising, each once."""
    predicted: np.ndarray
    """(J,) int64 ids in the prediction; after renaming an id may stand twice."""
    pixels: np.ndarray
    """(I, 2, J, 2) int64: truth id, inside its region or on the boundary of it, predicted id, likewise."""

    def renamed(self, names: np.ndarray) -> "Joint":
        """The same image with predicted id ``predicted[j]`` called ``names[j]``.

        Boundaries stay those of the regions as predicted, as in the official tool.
        """
        return Joint(self.truth, names, self.pixels)


def joint_histogram(prediction: np.ndarray, truth: np.ndarray) -> Joint:
    """The joint histogram of one image.

    Boundaries are found before ignored pixels are dropped: a region that touches an ignored one has a boundary there.

    Args:
        prediction: (H, W) ids >= 0.
        truth: (H, W) ids >= 0; IGNORE is left out.

    Raises:
        ValueError: the shapes differ.
    """
    if prediction.shape != truth.shape:
        raise ValueError(f"prediction {prediction.shape} and truth {truth.shape} differ in shape")
    truth_ids, truth_index = indexed(truth)
    predicted_ids, predicted_index = indexed(prediction)
    shape = (len(truth_ids), 2, len(predicted_ids), 2)
    cells = math.prod(shape)
    kind = np.uint16 if cells <= 1 << 16 else np.int64  # small integers: this is bound by memory
    code = truth_index.astype(kind, copy=False) * 2 + boundary(truth_index)
    code = (code * shape[2] + predicted_index) * 2 + boundary(predicted_index)
    pixels = np.bincount(code.ravel(), minlength=cells).reshape(shape)[truth_ids != IGNORE]
    seen = pixels.any(axis=(0, 1, 3))
    return Joint(truth_ids[truth_ids != IGNORE], predicted_ids[seen], pixels[:, :, seen])


def indexed(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rising (K,) ids of a map, and the (H, W) uint16 map with each id replaced by its place among them."""
    found = np.bincount(labels.ravel()) > 0
    ids = np.flatnonzero(found)
    place = (np.cumsum(found) - 1).astype(np.uint16)
    return ids, place.take(labels)
