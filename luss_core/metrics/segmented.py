"""A segmented image of a run: its mask, its scored map and its truth, and what the scores need of them."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from luss_core.data.images import ImageList
from luss_core.data.masks import MaskFile, at_threshold, read_prediction
from luss_core.data.scored import ScoredImage, read_scored
from luss_core.errors import UserError
from luss_core.metrics.files import Counted, check_truth, raise_listed, shown
from luss_core.metrics.joint import Joint, joint_histogram
from luss_core.metrics.sweep import LevelHistogram, level_histogram
from luss_core.metrics.threshold import THRESHOLDS


class SegmentedImage(NamedTuple):
    """The files of one image."""

    name: str
    """split/id."""
    mask: Path
    scored: ScoredImage | None
    """None where a mask is all that there is."""
    truth: MaskFile | None
    size: tuple[int, int]
    """Height and width."""


class ImageScores(NamedTuple):
    """What one image adds."""

    clusters: np.ndarray
    """(C + 1,) pixels of the mask by id."""
    foreground: int
    pixels: int
    automatic: Counted | None
    """The mask against the truth."""
    oracle: Counted | None
    """The mask at the oracle threshold against the truth; None without scored maps."""


def segmented_images(
    listing: ImageList, split: str, masks: Path, scored: dict[int, ScoredImage] | None
) -> list[SegmentedImage]:
    """The images of a split.

    Raises:
        UserError: an image with truth has no scored map, though others have.
    """
    found, missing = [], []
    for row in map(int, listing.rows(split)):
        name, mask = f"{split}/{listing.id[row]}", masks / f"{split}/{listing.id[row]}.png"
        truth = listing.truth(row)
        size = int(listing.height[row]), int(listing.width[row])
        found.append(SegmentedImage(name, mask, (scored or {}).get(row), truth, size))
        if scored is not None and truth and row not in scored:
            missing.append(f"there is no scored map of {mask}")
    raise_listed(missing, len(found), "run the stage infer again")
    return found


def check_images(images: Sequence[SegmentedImage]) -> None:
    """Read the headers of all files before the work begins.

    Raises:
        UserError: a file is no image, or of another size than its image.
    """
    problems, total = [], 0
    for image in images:
        found: list[tuple[object, tuple[int, int]]] = []
        for mask in (MaskFile(image.mask), image.truth):
            if mask is None:
                continue
            total += 1
            try:
                found.append((mask.path, mask.size()))
            except UserError as error:
                problems.append(str(error))
        if image.scored:
            found.append((_scored_name(image), (image.scored.height, image.scored.width)))
        problems += [
            f"{what} is {size[0]} x {size[1]} (height x width), its image {image.size[0]} x {image.size[1]}"
            for what, size in found
            if size != image.size
        ]
    raise_listed(problems, total, "run the stage prepare again if the truth changed, infer if predictions did")


def with_truth(images: Iterable[SegmentedImage]) -> list[SegmentedImage]:
    """Those that can be scored."""
    return [image for image in images if image.truth]


def levels_of_image(image: SegmentedImage, classes: int) -> LevelHistogram:
    """The histogram of the scored map under the truth.

    Raises:
        UserError: unreadable, or ids or scores that cannot be.
    """
    assert image.truth is not None
    assert image.scored is not None
    clusters, levels = read_scored(image.scored)
    if levels.max(initial=0) >= THRESHOLDS:
        raise UserError(
            f"{_scored_name(image)} has scores above {THRESHOLDS - 1} hundredths; run the stage infer again"
        )
    histogram = level_histogram(clusters, levels, image.truth.read())
    check_truth(histogram.truth, image.truth.path, classes)
    wrong = histogram.clusters[(histogram.clusters < 1) | (histogram.clusters > classes)]
    if len(wrong):
        raise UserError(
            f"{_scored_name(image)} has clusters outside 1..{classes}: {shown(wrong)}; run the stage infer again"
        )
    return histogram


def count_mask(image: SegmentedImage, classes: int) -> Counted:
    """The joint histogram of mask and truth.

    Raises:
        UserError: unreadable, or the truth has ids above ``classes``.
    """
    return count_pixels(image, read_prediction(image.mask), classes)


def count_pixels(image: SegmentedImage, mask: np.ndarray, classes: int) -> Counted:
    """The joint histogram of (H, W) ids and the truth of an image.

    Raises:
        UserError: unreadable, or the truth has ids above ``classes``.
    """
    assert image.truth is not None
    return _counted(image.mask, mask, image.truth, classes)


def score_image(image: SegmentedImage, classes: int, oracle: int | None) -> ImageScores:
    """The counts of one image.

    Args:
        oracle: threshold in hundredths at which the scored map is counted as well; None not to.

    Raises:
        UserError: unreadable, or ids above ``classes``.
    """
    mask = read_prediction(image.mask)
    clusters = np.bincount(mask.ravel(), minlength=classes + 1)
    above = np.flatnonzero(clusters[classes + 1 :]) + classes + 1
    if len(above):
        raise UserError(f"{image.mask} has ids above {classes}, the number of clusters: {shown(above)}")
    foreground = int(mask.size - clusters[0])
    if image.truth is None:
        return ImageScores(clusters, foreground, mask.size, None, None)
    automatic, best = _counted(image.mask, mask, image.truth, classes), None
    if oracle is not None:
        assert image.scored is not None
        best = _counted(image.mask, at_threshold(*read_scored(image.scored), oracle), image.truth, classes)
    return ImageScores(clusters, foreground, mask.size, automatic, best)


def largest_class(joint: Joint) -> int:
    """The class with most pixels in the truth of an image; 0 where there is none but other."""
    pixels = joint.pixels.sum(axis=(1, 2, 3)) * (joint.truth > 0)
    return int(joint.truth[pixels.argmax()]) if pixels.any() else 0


def _counted(path: Path, prediction: np.ndarray, truth: MaskFile, classes: int) -> Counted:
    joint = joint_histogram(prediction, truth.read())
    check_truth(joint.truth, truth.path, classes)
    return Counted(path, joint)


def _scored_name(image: SegmentedImage) -> str:
    assert image.scored is not None
    return f"the map of {image.mask} in {image.scored.path}"
