"""The ImageNet-S evaluation as its loops are described (spec of the tool: one erosion a class, one histogram a metric).

Slow on purpose and independent of luss_core: the oracle of the tests and the base line of benchmarks/evaluator.py.
Histograms are float64 instead of float32, so that integers stay exact.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import ndimage
from scipy.optimize import linear_sum_assignment

IGNORE = 1000
SIZES = ("S", "MS", "ML", "L")


def boundary_of_region(mask: np.ndarray) -> np.ndarray:
    """The pixels that d erosions by 3 x 3 take from one binary mask, with zeros around the image."""
    height, width = mask.shape
    d = max(1, int(round(0.03 * np.sqrt(height**2 + width**2))))
    padded = np.pad(mask, 1)
    eroded = ndimage.binary_erosion(padded, np.ones((3, 3)), iterations=d)
    return mask - eroded[1:-1, 1:-1]


def boundary_map(ids: np.ndarray) -> np.ndarray:
    """id + 1 where a pixel is on the boundary of its region, else 0."""
    result = np.zeros_like(ids)
    for value in np.unique(ids + 1):
        result += (boundary_of_region((ids + 1 == value).astype(np.uint8)) > 0) * value
    return result


def load(prediction: np.ndarray, truth: np.ndarray, match: Mapping[int, int] | None) -> tuple[np.ndarray, ...]:
    """Truth, prediction and their boundary maps as flat float arrays, ignored pixels dropped, prediction matched."""
    maps = [truth, prediction, boundary_map(truth), boundary_map(prediction)]
    true, predicted, true_edge, predicted_edge = (m.astype(float).ravel()[truth.ravel() != IGNORE] for m in maps)
    if match is not None:
        renamed, renamed_edge = predicted.copy(), predicted_edge.copy()
        for value in np.unique(predicted):
            renamed[predicted == value] = match[int(value)]
            renamed_edge[predicted_edge == value + 1] = match[int(value)] + 1
        predicted, predicted_edge = renamed, renamed_edge
    return true, predicted, true_edge, predicted_edge


def areas(predicted: np.ndarray, true: np.ndarray, bins: int) -> np.ndarray:
    """(3, bins): histograms of the prediction, the truth and where both are equal; other values are dropped."""
    values = (predicted, true, predicted[predicted == true])
    return np.stack([np.histogram(v, bins=bins, range=(0, bins - 1))[0] if bins > 1 else count0(v) for v in values])


def count0(values: np.ndarray) -> np.ndarray:
    return np.array([(values == 0).sum()])


def size_of(area: float, pixels: int) -> str:
    percent = math.ceil(np.float32(100) * np.float32(area) / np.float32(pixels))
    return "S" if percent <= 5 else "MS" if percent <= 25 else "ML" if percent <= 50 else "L"


def size_masks(true: np.ndarray, classes: int) -> dict[str, np.ndarray]:
    """For each size range with a class in it: background and the pixels of its classes."""
    members: dict[str, list[int]] = {}
    for c in range(1, classes + 1):
        area = int((true == c).sum())
        if area > 0:
            members.setdefault(size_of(area, true.size), []).append(c)
    masks = {}
    for size, ids in members.items():
        mask = true == 0
        for c in ids:
            mask = mask | (true == c)
        masks[size] = mask
    return masks


def f_score(predicted: np.ndarray, true: np.ndarray) -> float:
    positive, wanted = (predicted > 0).astype(float), (true > 0).astype(float)
    hit = (positive * wanted).sum()
    precision, recall = hit / (positive.sum() + 1e-20), hit / (wanted.sum() + 1e-20)
    return float(1.3 * precision * recall / (0.3 * precision + recall + 1e-20))


def image_accuracy(counted: np.ndarray) -> bool:
    label = int(np.argmax(counted[0, 1:])) + 1
    return bool(counted[1, label] > 0 and counted[0, label] > 0)


def count_image(
    prediction: np.ndarray, truth: np.ndarray, classes: int, match: Mapping[int, int] | None = None
) -> dict[str, Any]:
    """What one image adds to each sum."""
    true, predicted, true_edge, predicted_edge = load(prediction, truth, match)
    result: dict[str, Any] = {
        "all": areas(predicted, true, classes + 1),
        "all_edge": areas(predicted_edge, true_edge, classes + 2)[:, 1:],
        "f": f_score(predicted, true),
    }
    result["correct"] = image_accuracy(result["all"])
    for size, mask in size_masks(true, classes).items():
        result[size] = areas(predicted[mask], true[mask], classes + 1)
        result[f"{size}_edge"] = areas(predicted_edge[mask], true_edge[mask], classes + 2)[:, 1:]
    return result


def iou(counted: np.ndarray) -> np.ndarray:
    predicted, true, hit = counted
    return hit / (predicted + true - hit + 1e-10) * 100


def evaluate(
    pairs: list[tuple[np.ndarray, np.ndarray]],
    classes: int,
    match: Mapping[int, int] | None = None,
    absent: str = "skip",
) -> dict[str, Any]:
    """Scores of a list of (prediction, truth)."""
    sums = {name: np.zeros((3, classes + 1), int) for size in ("all", *SIZES) for name in (size, f"{size}_edge")}
    f, correct = [], []
    for prediction, truth in pairs:
        counted = count_image(prediction, truth, classes, match)
        f.append(counted.pop("f"))
        correct.append(counted.pop("correct"))
        for name, value in counted.items():
            sums[name] += value
    result: dict[str, Any] = {
        "IoU": iou(sums["all"]),
        "mIoU": iou(sums["all"]).mean(),
        "mBIoU": iou(sums["all_edge"]).mean(),
        "F": 100 * np.mean(f),
        "img_acc": 100 * np.mean(correct),
    }
    for size in SIZES:
        for name, prefix in ((size, ""), (f"{size}_edge", "mBIoU_")):
            kept = iou(sums[name])[(sums[name][1] > 0) | (absent == "zero")]
            result[prefix + size] = kept.mean() if len(kept) else None
    return result


def co_occurrence(pairs: list[tuple[np.ndarray, np.ndarray]], classes: int) -> np.ndarray:
    """(C, C): images in which cluster i + 1 and class j + 1 both occur outside the ignored pixels."""
    together = np.zeros((classes, classes), int)
    for prediction, truth in pairs:
        kept = truth != IGNORE
        clusters, present = set(prediction[kept].tolist()), set(truth[kept].tolist())
        for i in range(1, classes + 1):
            for j in range(1, classes + 1):
                if i in clusters and j in present:
                    together[i - 1, j - 1] += 1
    return together


def match_pairs(pairs: list[tuple[np.ndarray, np.ndarray]], classes: int) -> dict[int, int]:
    rows, columns = linear_sum_assignment(1 - co_occurrence(pairs, classes) / len(pairs))
    return {0: 0, **{int(i) + 1: int(j) + 1 for i, j in zip(rows, columns, strict=True)}}


def threshold_curve(
    scored: list[tuple[np.ndarray, np.ndarray]], truths: list[np.ndarray], classes: int
) -> list[tuple[dict[int, int], float]]:
    """Matching and mIoU at 81 thresholds, each evaluated from the start."""
    curve = []
    for level in range(81):
        pairs = [(np.where(bins >= level, ids, 0), truth) for (ids, bins), truth in zip(scored, truths, strict=True)]
        match = match_pairs(pairs, classes)
        curve.append((match, float(evaluate(pairs, classes, match)["mIoU"])))
    return curve
