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
    counts = Counts.none(classes)
    for selection, rows in enumerate(_selections(joint, classes)):
        if rows is not None:
            _add_areas(counts.areas[selection], joint, rows, classes)
    whole = counts.areas[0, REGION]
    return Counts(counts.areas, 1, int(_correct(whole)), _f(joint))


def size_range(area: np.ndarray, pixels: int) -> np.ndarray:
    """Place in RANGES of classes that cover ``area`` of ``pixels``; percent are rounded up, in float32."""
    percent = np.ceil(np.float32(100) * area.astype(np.float32) / np.float32(pixels))
    return np.searchsorted(LIMITS, percent)


def _selections(joint: Joint, classes: int) -> list[np.ndarray | None]:
    """Places in joint.truth that each of SELECTIONS looks at; None for a size range without a class in this image.

    Background counts in every range, so a prediction on another range's objects is no false positive in this one.
    """
    area = joint.pixels.sum(axis=(1, 2, 3))
    background = joint.truth == 0
    counted = (joint.truth > 0) & (joint.truth <= classes)
    sizes = np.full(len(area), -1)
    sizes[counted] = size_range(area[counted], int(area.sum()))
    found: list[np.ndarray | None] = [np.arange(len(area))]
    for size in range(len(RANGES)):
        members = sizes == size
        found.append(np.flatnonzero(members | background) if members.any() else None)
    return found


def _add_areas(areas: np.ndarray, joint: Joint, rows: np.ndarray, classes: int) -> None:
    """Add the selected truth ids to ``areas``, (2, 3, C + 1)."""
    truth, pixels = joint.truth[rows], joint.pixels[rows]
    place, column = np.nonzero(truth[:, None] == joint.predicted[None])
    for kind, predicted, true, hit in (
        (REGION, pixels.sum(axis=(0, 1, 3)), pixels.sum(axis=(1, 2, 3)), pixels.sum(axis=(1, 3))),
        (BOUNDARY, pixels[..., 1].sum(axis=(0, 1)), pixels[:, 1].sum(axis=(1, 2)), pixels[:, 1, :, 1]),
    ):
        for row, ids, values in (
            (PREDICTED, joint.predicted, predicted),
            (TRUTH, truth, true),
            (HIT, truth[place], hit[place, column]),
        ):
            known = ids <= classes
            np.add.at(areas[kind, row], ids[known], values[known])  # an id may stand twice after matching


def _correct(areas: np.ndarray) -> bool:
    """Whether the class with the largest predicted area, the lowest of equals, is predicted at all and in the truth."""
    if areas.shape[1] == 1:
        return False
    largest = int(areas[PREDICTED, 1:].argmax()) + 1
    return bool(areas[PREDICTED, largest] > 0 and areas[TRUTH, largest] > 0)


def _f(joint: Joint) -> float:
    """F of foreground against background, 0..1, and 0 if the truth has no foreground."""
    pixels = joint.pixels.sum(axis=(1, 3))
    true, predicted = joint.truth > 0, joint.predicted > 0
    hit = float(pixels[true][:, predicted].sum())
    if hit == 0:
        return 0.0
    precision, recall = hit / float(pixels[:, predicted].sum()), hit / float(pixels[true].sum())
    return (1 + BETA_SQUARED) * precision * recall / (BETA_SQUARED * precision + recall)
