"""Scores of a probe: means over the classes that occur in the truth."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from luss_core.errors import UserError
from luss_core.io import read_json

COLUMNS = ("class", "name", "IoU", "accuracy", "truth_pixels", "predicted_pixels", "learned_pixels")


def scores_of_confusion(confusion: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
    """Scores in percent from (C, C) pixels by truth and prediction, summed over the data set; 100 is best.

    mIoU and mAcc are means over the classes that occur in the truth, the background of VOC among them; those that do
    not are named in ``absent`` and have no IoU. Pixels that are wrongly given an absent class still count as missed.

    Returns:
        mIoU, mAcc (mean of the classes' accuracies), accuracy (share of the pixels), IoU and Acc (lists with None for
        absent classes) and absent.
    """
    truth, predicted, hit = confusion.sum(axis=1), confusion.sum(axis=0), confusion.diagonal()
    present = truth > 0
    union = truth + predicted - hit
    overlap, recall = (100 * hit / np.maximum(whole, 1) for whole in (union, truth))
    return {
        "mIoU": float(overlap[present].mean()),
        "mAcc": float(recall[present].mean()),
        "accuracy": float(100 * hit.sum() / truth.sum()),
        "IoU": [float(value) if there else None for value, there in zip(overlap, present, strict=True)],
        "Acc": [float(value) if there else None for value, there in zip(recall, present, strict=True)],
        "absent": [name for name, there in zip(names, present, strict=True) if not there],
    }


def class_rows(
    scores: dict[str, Any], confusion: np.ndarray, learned: np.ndarray, names: Sequence[str]
) -> Iterator[tuple[object, ...]]:
    """Rows of per_class.csv; ``learned`` is (C,) pixels of the classes in the images that were learned from."""
    columns = scores["IoU"], scores["Acc"], confusion.sum(axis=1), confusion.sum(axis=0), learned
    for i, (overlap, recall, truth, predicted, seen) in enumerate(zip(*columns, strict=True)):
        numbers = ("" if value is None else f"{value:.4f}" for value in (overlap, recall))
        yield i, names[i], *numbers, int(truth), int(predicted), int(seen)


def probe_scores(path: Path) -> dict[str, Any]:
    """The scores.json of a probe: what ``scores_of_confusion`` gives, and beside it

    protocol (linear or limited), percent and images of the labels that were learned from, classes (names), untrained
    (those without a sample), split and images that were scored, weights (of others, or None), settings, provenance.

    Raises:
        UserError: missing, cut short, or the scores of something else.
    """
    found = read_json(path)
    if not isinstance(found, dict) or not {"protocol", "mIoU", "mAcc", "classes"} <= found.keys():
        raise UserError(f"{path} holds no scores of a probe; give probes/linear/scores.json of a run, or run its rule")
    return found
