"""per_class.csv: what each class scored in each split, under each threshold rule."""

from collections.abc import Iterator, Sequence

import numpy as np

from luss_core.metrics.counts import PREDICTED, REGION, TRUTH, Counts
from luss_core.metrics.matching import Match
from luss_core.metrics.scores import scores

CLASS_COLUMNS = ("split", "rule", "class", "name", "IoU", "BIoU", "cluster", "truth_pixels", "predicted_pixels")

CORRECTED = "corrected"
"""What scores of corrected masks are called beside those of the thresholds."""

Row = tuple[object, ...]


def class_rows(split: str, rule: str, counts: Counts, match: Match, names: Sequence[str]) -> Iterator[Row]:
    """A row a class.

    Args:
        match: the class of each cluster. Several, or none, may be of one class where people corrected them.
        names: of the classes 0..C.
    """
    values, region = scores(counts), counts.areas[0, REGION]
    clusters: dict[int, list[str]] = {}
    for cluster, name in match.items():
        clusters.setdefault(name, []).append(str(cluster))
    columns = values["IoU"], values["BIoU"], region[TRUTH].tolist(), region[PREDICTED].tolist()
    for i, (overlap, edge, truth, predicted) in enumerate(zip(*columns, strict=True)):
        yield split, rule, i, names[i], f"{overlap:.4f}", f"{edge:.4f}", " ".join(clusters.get(i, ())), truth, predicted


def cluster_rows(split: str, pixels: np.ndarray) -> Iterator[Row]:
    """A row a cluster with its pixels only, where there is no ground truth."""
    yield from ((split, "automatic", "", "", "", "", i, "", count) for i, count in enumerate(pixels))
