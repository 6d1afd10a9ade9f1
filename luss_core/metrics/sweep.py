"""Matching and mIoU at all 81 thresholds from one look at each image (the official oracle search makes 81)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from luss_core.data.masks import IGNORE
from luss_core.metrics.joint import indexed
from luss_core.metrics.matching import Match, assign
from luss_core.metrics.scores import iou
from luss_core.metrics.threshold import THRESHOLDS


@dataclass(frozen=True)
class LevelHistogram:
    """Pixels of one image by truth, best cluster and score, ignored pixels left out."""

    truth: np.ndarray
    """(I,) ids, rising."""
    clusters: np.ndarray
    """(J,) ids, rising."""
    pixels: np.ndarray
    """(I, J, 81) int64."""


def level_histogram(clusters: np.ndarray, levels: np.ndarray, truth: np.ndarray) -> LevelHistogram:
    """The histogram of one image.

    Args:
        clusters: (H, W) best cluster 1..C of every pixel.
        levels: (H, W) uint8 scores in hundredths 0..80; a pixel is foreground at thresholds up to its score.
        truth: (H, W) ids; IGNORE is left out.
    """
    truth_ids, truth_index = indexed(truth)
    cluster_ids, cluster_index = indexed(clusters)
    shape = (len(truth_ids), len(cluster_ids), THRESHOLDS)
    code = (truth_index.astype(np.int64) * shape[1] + cluster_index) * THRESHOLDS + levels
    pixels = np.bincount(code.ravel(), minlength=shape[0] * shape[1] * THRESHOLDS).reshape(shape)[truth_ids != IGNORE]
    seen = pixels.any(axis=(0, 2))
    return LevelHistogram(truth_ids[truth_ids != IGNORE], cluster_ids[seen], pixels[:, seen])


class Sweep:
    """Sums over images. Memory depends on C only: 12 x 81 x C^2 bytes, 0.8 GB at C = 919."""

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self.pixels = np.zeros((THRESHOLDS, classes, classes + 1), np.int64)
        """By score, cluster and truth."""
        self.together = np.zeros((THRESHOLDS, classes, classes), np.int32)
        """Images with a cluster and a class, by the highest score of the cluster in the image."""

    def add(self, image: LevelHistogram) -> None:
        clusters = image.clusters - 1
        self.pixels[:, clusters[:, None], image.truth] += image.pixels.transpose(2, 1, 0)
        scored = np.asarray(image.pixels.any(axis=0))  # (J, 81)
        highest = THRESHOLDS - 1 - scored[:, ::-1].argmax(axis=1)
        classes = image.truth[image.truth > 0] - 1
        self.together[highest[:, None], clusters[:, None], classes] += 1

    def matches(self) -> list[Match]:
        """The Hungarian matching at each threshold."""
        found, together = [], np.zeros(self.together.shape[1:], np.int64)
        for level in reversed(range(THRESHOLDS)):
            together += self.together[level]
            found.append(assign(together))
        return found[::-1]

    def curve(self, matches: Sequence[Match]) -> list[float]:
        """mIoU in percent at each threshold under the matching given for it.

        Args:
            matches: 81 one-to-one matchings of clusters and classes 1..C.
        """
        truth = self.pixels.sum(axis=(0, 1))
        values, above = [], np.zeros(self.pixels.shape[1:], np.int64)
        for level in reversed(range(THRESHOLDS)):
            above += self.pixels[level]
            values.append(float(iou(self._areas(above, truth, matches[level])).mean()))
        return values[::-1]

    def _areas(self, above: np.ndarray, truth: np.ndarray, match: Match) -> np.ndarray:
        """(3, C + 1) predicted, truth, hit where ``above`` (C, C + 1) are the foreground pixels."""
        clusters = np.arange(self.classes)
        classes = np.array([match[int(i) + 1] for i in clusters])
        predicted, hit = np.zeros_like(truth), np.zeros_like(truth)
        predicted[classes] = above.sum(axis=1)
        hit[classes] = above[clusters, classes]
        predicted[0] = truth.sum() - above.sum()
        hit[0] = truth[0] - above[:, 0].sum()
        return np.stack([predicted, truth, hit])
