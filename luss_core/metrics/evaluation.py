"""Matching and scores of many images from their joint histograms."""

import logging
from collections.abc import Iterable
from typing import Literal

import numpy as np

from luss_core.errors import UserError
from luss_core.metrics.counts import Counts, counts_of
from luss_core.metrics.files import Counted, raise_listed, shown
from luss_core.metrics.joint import Joint
from luss_core.metrics.matching import UNKNOWN, Match, assign, matched_ids, presence

Unknown = Literal["error", "drop"]

log = logging.getLogger(__name__)

MAX_CLASSES = 999
"""1000 means ignore in the files."""


def check_classes(classes: int) -> None:
    """Refuse class ids that would collide with the ignored one.

    Raises:
        UserError: says how many are allowed.
    """
    if not 1 <= classes <= MAX_CLASSES:
        raise UserError(f"{classes} classes cannot be scored; allowed: 1..{MAX_CLASSES}, because id 1000 means ignore")


def match_images(joints: Iterable[Joint], classes: int) -> Match:
    """The Hungarian matching of clusters and classes over a set of images."""
    together = np.zeros((classes, classes), np.int64)
    for joint in joints:
        clusters, present = presence(joint, classes)
        together[np.ix_(clusters - 1, present - 1)] += 1
    return assign(together)


class MatchedCounts:
    """Counts of images whose predictions are matched as they come in."""

    def __init__(self, classes: int, match: Match, unknown: Unknown) -> None:
        self.classes, self.match, self.unknown = classes, match, unknown
        self.counts = Counts.none(classes)
        self.confusion = np.zeros((classes + 1, classes + 1), np.int64)
        """Pixels by truth and matched prediction; ids that the matching does not know are in no column."""
        self.images = 0
        self.strangers: list[str] = []
        """A line for each image with ids that the matching does not know."""

    def add(self, counted: Counted) -> None:
        names = matched_ids(counted.joint.predicted, self.match)
        if (names == UNKNOWN).any():
            ids = shown(counted.joint.predicted[names == UNKNOWN])
            self.strangers.append(f"{counted.prediction}: the matching has no class for id {ids}")
        joint = counted.joint.renamed(names)
        self.images += 1
        self.counts = self.counts + counts_of(joint, self.classes)
        known = joint.predicted <= self.classes
        self.confusion[np.ix_(joint.truth, joint.predicted[known])] += joint.pixels.sum(axis=(2, 3))[:, known]

    def finish(self) -> Counts:
        """The counts.

        Raises:
            UserError: predicted ids without a class, if those are errors.
        """
        if self.strangers and self.unknown == "error":
            raise_listed(self.strangers, self.images, "give a matching that names every id, or --unknown drop")
        if self.strangers:
            log.warning(
                "%d of %d predictions have ids without a class: they are false negatives only. %s",
                len(self.strangers),
                self.images,
                self.strangers[0],
            )
        return self.counts
