"""Sufficient statistics of all scores: integers that add over images, equal to the official tool's in every one."""

from dataclasses import dataclass

import numpy as np

from luss_core.metrics.joint import Joint, joint_histogram

RANGES = ("S", "MS", "ML", "L")
"""Share of the image that a class covers: up to 5, 25, 50 and 100 percent. Area of the class, not of one object."""
LIMITS = (5, 25, 50)

SELECTIONS = ("all", *RANGES)
"""First axis of Counts.areas: all pixels, or background and the classes of one size range."""
REGION, BOUNDARY = 0, 1
"""Second axis: all pixels of a region, or those on its boundary."""
PREDICTED, TRUTH, HIT = 0, 1, 2
"""Third axis: pixels predicted as the class, pixels of the class, and pixels that are both."""

BETA_SQUARED = 0.3
"""Weight of precision in F, as in saliency detection (Achanta et al. 2009)."""


@dataclass(frozen=True)
class Counts:
    """What the scores need of a set of images. Memory does not grow with the images."""

    areas: np.ndarray
    """(5, 2, 3, C + 1) int64 pixels: selection, region or boundary, predicted / truth / hit, class (0 is other)."""
    images: int = 0
    correct: int = 0
    """Images whose largest predicted class occurs in the truth."""
    f: float = 0.0
    """Sum of F over the images."""

    @staticmethod
    def none(classes: int) -> "Counts":
        """The counts of no image."""
        return Counts(np.zeros((len(SELECTIONS), 2, 3, classes + 1), np.int64))

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.areas + other.areas, self.images + other.images, self.correct + other.correct, self.f + other.f
        )


def image_counts(prediction: np.ndarray, truth: np.ndarray, classes: int) -> Counts:
    """The counts of one image whose prediction is already in class ids.

    Args:
        prediction, truth: (H, W) ids >= 0; truth 1000 is ignored. Ids above ``classes`` make no false positive, but
            are foreground in F, as in the official tool.
    """
    return counts_of(joint_histogram(prediction, truth), classes)


def counts_of(joint: Joint, classes: int) -> Counts:
    """The counts of one image from its joint histogram."""
    selected = _selected(joint, classes)
    region, edge = joint.pixels.sum(axis=(2, 3)), joint.pixels  # (I, J), and (I, J, predicted edge, true edge)
    areas = Counts.none(classes).areas
    predicted, truth = joint.predicted <= classes, joint.truth <= classes
    place, column = np.nonzero((joint.truth[:, None] == joint.predicted) & truth[:, None])
    for kind, guess, true, hit in (
        (REGION, region, region, region),
        (BOUNDARY, edge[:, :, 1].sum(axis=2), edge[..., 1].sum(axis=2), edge[:, :, 1, 1]),
    ):
        areas[:, kind, PREDICTED, joint.predicted[predicted]] = (selected @ guess)[:, predicted]
        areas[:, kind, TRUTH, joint.truth[truth]] = (selected * true.sum(axis=1))[:, truth]
        areas[:, kind, HIT, joint.truth[place]] = selected[:, place] * hit[place, column]
    return Counts(areas, 1, int(_correct(areas[0, REGION])), _f(joint, region))


def size_range(area: np.ndarray, pixels: int) -> np.ndarray:
    """Place in RANGES of classes that cover ``area`` of ``pixels``; percent are rounded up, in float32."""
    percent = np.ceil(np.float32(100) * area.astype(np.float32) / np.float32(pixels))
    return np.searchsorted(LIMITS, percent)


def _selected(joint: Joint, classes: int) -> np.ndarray:
    """(5, I) int64: 1 where a selection looks at an id of the truth; all 0 for a size range without a class here.

    Background counts in every range, so a prediction on another range's objects is no false positive in this one.
    """
    area = joint.pixels.sum(axis=(1, 2, 3))
    known = np.flatnonzero((joint.truth > 0) & (joint.truth <= classes))
    selected = np.zeros((len(SELECTIONS), len(area)), np.int64)
    selected[0] = 1
    if len(known):
        selected[size_range(area[known], int(area.sum())) + 1, known] = 1
        selected[1:, joint.truth == 0] = selected[1:].any(axis=1, keepdims=True)
    return selected


def _correct(areas: np.ndarray) -> bool:
    """Whether the class with the largest predicted area, the lowest of equals, is predicted at all and in the truth."""
    if areas.shape[1] == 1:
        return False
    largest = int(areas[PREDICTED, 1:].argmax()) + 1
    return bool(areas[PREDICTED, largest] > 0 and areas[TRUTH, largest] > 0)


def _f(joint: Joint, region: np.ndarray) -> float:
    """F of foreground against background; ids above 0 are foreground."""
    true, predicted = joint.truth > 0, joint.predicted > 0
    hit = int(region[true][:, predicted].sum())
    return f_measure(hit, int(region[:, predicted].sum()), int(region[true].sum()))


def f_measure(hit: int, predicted: int, true: int) -> float:
    """F of one image from pixels of foreground, 0..1; 0 if nothing is hit, so also if the truth has no foreground."""
    if hit == 0:
        return 0.0
    precision, recall = hit / predicted, hit / true
    return (1 + BETA_SQUARED) * precision * recall / (BETA_SQUARED * precision + recall)
