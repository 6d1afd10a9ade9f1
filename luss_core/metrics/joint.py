"""How often each pair of labels meets in an image: all that the scores need of its pixels.

Region areas, boundary areas, size ranges, F, image accuracy and matching all follow from these few numbers, so the
pixels are visited once and labels can be renamed (matched) afterwards.
"""

import math
from dataclasses import dataclass

import numpy as np

from luss_core.data.masks import IGNORE
from luss_core.metrics.boundary import boundaries


@dataclass(frozen=True)
class Joint:
    """Pixels of one image by truth and prediction, ignored pixels left out."""

    truth: np.ndarray
    """(I,) int64 ids in the truth, rising."""
    predicted: np.ndarray
    """(J,) int64 ids in the prediction, each once."""
    pixels: np.ndarray
    """(I, J, 2, 2) int64: truth id, predicted id, on the boundary of the predicted region or not, of the true one."""

    def renamed(self, names: np.ndarray) -> "Joint":
        """The same image with predicted id ``predicted[j]`` called ``names[j]``; ids of one name become one.

        Boundaries stay those of the regions as predicted, as in the official tool.
        """
        ids, place = np.unique(names, return_inverse=True)
        if len(ids) == len(names):
            return Joint(self.truth, names, self.pixels)
        merged = (place == np.arange(len(ids))[:, None]).astype(np.int64)  # (names, J)
        return Joint(self.truth, ids, np.einsum("nj,ijgt->ingt", merged, self.pixels))


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
    (true, guess, edge), lengths = _runs(truth, prediction, boundaries(truth, prediction))
    truth_ids, true = indexed(true)
    predicted_ids, guess = indexed(guess)
    shape = (len(truth_ids), len(predicted_ids), 2, 2)
    code = (true * shape[1] + guess) * 4 + edge
    pixels = np.bincount(code, lengths, minlength=math.prod(shape)).astype(np.int64).reshape(shape)
    judged = truth_ids != IGNORE
    pixels = pixels[judged]
    seen = pixels.any(axis=(0, 2, 3))
    return Joint(truth_ids[judged], predicted_ids[seen], pixels[:, seen])


def indexed(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rising (K,) ids of a map, and the map as int64 with each id replaced by its place among them."""
    found = np.bincount(labels.ravel()) > 0
    place = np.cumsum(found) - 1
    return np.flatnonzero(found), place.take(labels)


def _runs(*maps: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """The value of each map in every run of pixels in reading order along which none of them changes; and run lengths.

    Masks are flat: there are far fewer runs than pixels.
    """
    flat = [values.ravel() for values in maps]
    change = np.zeros(flat[0].size, bool)
    change[:1] = True
    for values in flat:
        change[1:] |= values[1:] != values[:-1]
    starts = np.flatnonzero(change)
    return [values[starts] for values in flat], np.diff(starts, append=change.size)
