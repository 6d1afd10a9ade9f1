"""Which cluster stands for which class, and which threshold is best, by the ground truth of one split."""

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from luss_core.metrics.evaluation import match_images
from luss_core.metrics.files import each
from luss_core.metrics.matching import Match, identity
from luss_core.metrics.segmented import SegmentedImage, count_mask, levels_of_image, with_truth
from luss_core.metrics.sweep import Sweep
from luss_core.metrics.threshold import THRESHOLDS

log = logging.getLogger(__name__)

Splits = Mapping[str, Sequence[SegmentedImage]]
"""The images by split, train before validation before test."""


class Search(NamedTuple):
    """What the ground truth says about matching and threshold."""

    reference: str
    """The split that they come from."""
    match: Match
    """At the automatic threshold."""
    curve: dict[str, list[float]]
    """mIoU at each of 81 thresholds by split; empty without scored maps."""
    oracle: int | None
    """The threshold of the greatest mIoU on the reference split, the lowest of equals; None without scored maps."""
    oracle_match: Match | None
    """At that threshold."""


def search_thresholds(splits: Splits, classes: int, match: str, automatic: int, threads: int) -> Search | None:
    """From scored maps: matchings and mIoU at all 81 thresholds in one pass; None without ground truth.

    Args:
        match: auto, or identity for ids that are those of classes.
        automatic: the threshold of the masks, in hundredths.
    """
    judged = _judged(splits)
    if not judged:
        return None
    reference = next(iter(judged))
    matches = [identity(classes)] * THRESHOLDS
    curve = {}
    for split, images in judged.items():
        sweep = Sweep(classes)
        log.info("%s: %d thresholds in one pass", split, THRESHOLDS)
        for histogram in each(partial(levels_of_image, classes=classes), images, threads):
            sweep.add(histogram)
        if match == "auto" and split == reference:
            matches = sweep.matches()
        curve[split] = sweep.curve(matches)
    oracle = int(np.argmax(curve[reference]))
    in_order = {split: curve[split] for split in reversed(curve)}
    return Search(reference, matches[automatic], in_order, oracle, matches[oracle])


def match_masks(splits: Splits, classes: int, match: str, threads: int) -> Search | None:
    """From the masks as they are: the matching alone; None without ground truth."""
    judged = _judged(splits)
    if not judged:
        return None
    reference, images = next(iter(judged.items()))
    known = identity(classes)
    if match == "auto":
        log.info("%s: matching", reference)
        counted = each(partial(count_mask, classes=classes), images, threads)
        known = match_images((one.joint for one in counted), classes)
    return Search(reference, known, {}, None, None)


def _judged(splits: Splits) -> dict[str, list[SegmentedImage]]:
    """Images with truth: validation first if it has any, else the last split, which the others take the matching of."""
    judged = {split: with_truth(images) for split, images in splits.items()}
    order = sorted((split for split in judged if judged[split]), key=lambda split: split == "validation")
    return {split: judged[split] for split in reversed(order)}
