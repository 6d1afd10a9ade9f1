"""Scores in percent from counts, as the ImageNet-S tool gives them."""

from typing import Any, Literal

import numpy as np

from luss_core.metrics.counts import BOUNDARY, HIT, PREDICTED, RANGES, REGION, TRUTH, Counts

Absent = Literal["skip", "zero"]

EPSILON = 1e-10
"""Pixels added to each union; the official value."""


def scores(counts: Counts, absent: Absent = "skip") -> dict[str, Any]:
    """All scores of a set of images in percent, 100 is best; None where nothing defines one.

    mIoU and mBIoU are means over all C + 1 classes, other included; a class that does not occur in the truth counts 0,
    as in the tool. mIoU_present and mBIoU_present are means over the classes that occur. F is the mean over images,
    img_acc the share of images. S MS ML L are means over the classes of a size range.

    Args:
        absent: classes without a pixel in a size range are left out of its mean (the tool since March 2022) or count 0
            (the tables of the first paper). The other means are not affected.

    Returns:
        mIoU mBIoU mIoU_present mBIoU_present F img_acc S MS ML L mBIoU_S mBIoU_MS mBIoU_ML mBIoU_L, the lists IoU and
        BIoU from class 0 on, and the list of the ids that do not occur in the truth, absent_classes.
    """
    overlap = iou(counts.areas)
    region, edge = overlap[0, REGION], overlap[0, BOUNDARY]
    occurs = counts.areas[0, REGION, TRUTH] > 0
    result: dict[str, Any] = {
        "mIoU": float(region.mean()),
        "mBIoU": float(edge.mean()),
        "mIoU_present": float(region[occurs].mean()) if occurs.any() else None,
        "mBIoU_present": float(edge[occurs].mean()) if occurs.any() else None,
        "F": 100 * counts.f / counts.images if counts.images else None,
        "img_acc": 100 * counts.correct / counts.images if counts.images else None,
    }
    for kind, prefix in ((REGION, ""), (BOUNDARY, "mBIoU_")):
        for place, name in enumerate(RANGES, start=1):
            present = counts.areas[place, kind, TRUTH] > 0
            values = overlap[place, kind][present | (absent == "zero")]
            result[prefix + name] = float(values.mean()) if len(values) else None
    absent_classes = np.flatnonzero(~occurs).tolist()
    return {**result, "IoU": region.tolist(), "BIoU": edge.tolist(), "absent_classes": absent_classes}


def iou(areas: np.ndarray) -> np.ndarray:
    """Intersection over union in percent, (..., C + 1), from areas (..., 3, C + 1)."""
    predicted, truth, hit = areas[..., PREDICTED, :], areas[..., TRUTH, :], areas[..., HIT, :]
    return 100 * hit / (predicted + truth - hit + EPSILON)
