"""Rows of the tables of the page, from scores.json and per_class.csv."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from luss_core.errors import UserError
from luss_core.metrics.class_table import CORRECTED

RULES = ("automatic", "oracle")
SIZES = (
    ("S", "small", "at most 5 %"),
    ("MS", "medium small", "5 to 25 %"),
    ("ML", "medium large", "25 to 50 %"),
    ("L", "large", "more than 50 %"),
)
"""Key of scores.json, name, share of the picture that the class covers."""

SHOWN_CLASSES = 20
"""Best and worst classes drawn when there are more than twice as many."""


@dataclass(frozen=True)
class ClassRow:
    """One class on one split under both thresholds; percent, None where undefined."""

    id: int
    name: str
    cluster: str
    truth_pixels: int
    predicted_pixels: int
    iou: dict[str, float | None]
    biou: dict[str, float | None]


def main_split(scores: dict[str, Any]) -> str | None:
    """The split whose scores are shown largest: test, else the last; None without truth."""
    splits = list(scores.get("splits") or {}) if scores["truth"] else []
    return "test" if "test" in splits else splits[-1] if splits else None


def score_rows(scores: dict[str, Any]) -> list[dict[str, Any]]:
    """One row for each split and threshold rule, in the order of the splits: {split, rule, images, of, scores}.

    The last rule is ``corrected``, where people corrected what was found at the automatic threshold.
    """
    corrected = (scores.get("corrected") or {}).get("splits", {})
    return [
        {"split": split, "rule": rule, "images": entry["images"], "of": entry.get("of"), "scores": found}
        for split, entry in (scores.get("splits") or {}).items()
        for rule in (*RULES, CORRECTED)
        if (found := corrected.get(split) if rule == CORRECTED else entry.get(rule))
    ]


def incomplete(scores: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The splits that were scored on fewer images than they should have."""
    return {
        split: entry for split, entry in scores["splits"].items() if entry["images"] != entry.get("of", entry["images"])
    }


def size_rows(entry: dict[str, Any]) -> list[dict[str, Any]]:
    """One row for each size range of one split: {name, covers, automatic, oracle, boundary}."""
    return [
        {
            "key": key,
            "name": name,
            "covers": covers,
            **{rule: (entry.get(rule) or {}).get(key) for rule in RULES},
            "boundary": (entry.get("automatic") or {}).get(f"mBIoU_{key}"),
        }
        for key, name, covers in SIZES
    ]


def read_class_rows(path: Path, split: str) -> list[ClassRow]:
    """The classes of one split, by id.

    Raises:
        UserError: the table is missing, or lacks a column.
    """
    rows: dict[int, ClassRow] = {}
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as lines:
            for record in csv.DictReader(lines):
                if record["split"] == split and record["rule"] != CORRECTED:
                    _add_class(rows, record)
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist; run evaluate") from error
    except (KeyError, ValueError, TypeError) as error:
        raise UserError(f"{path} is not a table of evaluate ({error}); delete it and run evaluate again") from error
    return [rows[i] for i in sorted(rows)]


def ranked(rows: Sequence[ClassRow]) -> list[ClassRow]:
    """Best first by IoU under the automatic threshold; undefined last."""
    return sorted(rows, key=lambda row: (row.iou["automatic"] is None, -(row.iou["automatic"] or 0), row.id))


def best_and_worst(rows: Sequence[ClassRow]) -> tuple[list[ClassRow], list[ClassRow]]:
    """All rows and nothing, or, of many, the first and the last SHOWN_CLASSES."""
    if len(rows) <= 2 * SHOWN_CLASSES:
        return list(rows), []
    return list(rows[:SHOWN_CLASSES]), list(rows[-SHOWN_CLASSES:])


def row_shares(counts: Sequence[Sequence[int]]) -> np.ndarray:
    """(n, n) float64 fractions of each row; rows without pixels stay 0."""
    matrix = np.asarray(counts, dtype=np.float64)
    return matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)


def confused_pairs(counts: Sequence[Sequence[int]], limit: int) -> list[tuple[int, int, int, float]]:
    """(truth, prediction, pixels, their share of the pixels of truth) of the pairs of classes that swap most pixels.

    "Other" takes part in no pair: to miss an object is not to confuse it.
    """
    matrix = np.asarray(counts, dtype=np.int64)
    off = matrix.copy()
    np.fill_diagonal(off, 0)
    off[0, :] = off[:, 0] = 0
    flat = np.argsort(-off, axis=None, kind="stable")[:limit]
    shares = row_shares(counts)
    pairs = [(int(i), int(j)) for i, j in zip(*np.unravel_index(flat, off.shape), strict=True)]
    return [(i, j, int(off[i, j]), float(shares[i, j])) for i, j in pairs if off[i, j] > 0]


def _add_class(rows: dict[int, ClassRow], record: dict[str, str]) -> None:
    key = int(record["class"])
    if key not in rows:
        pixels = int(record["truth_pixels"]), int(record["predicted_pixels"])
        rows[key] = ClassRow(
            key, record["name"], record["cluster"], *pixels, dict.fromkeys(RULES), dict.fromkeys(RULES)
        )
    rows[key].iou[record["rule"]] = _percent(record["IoU"])
    rows[key].biou[record["rule"]] = _percent(record["BIoU"])
    if record["rule"] == "automatic":
        pixels = int(record["truth_pixels"]), int(record["predicted_pixels"])
        rows[key] = ClassRow(key, record["name"], record["cluster"], *pixels, rows[key].iou, rows[key].biou)


def _percent(text: str) -> float | None:
    return float(text) if text else None
