"""Table 5 of the LUSS paper, arXiv:2106.03149v1: what each part of the method adds, in these runs and in the paper."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd

from luss_core.report.comparison import ScoredRun, none
from luss_core.report.tables import RULES


class Column(NamedTuple):
    """One measure on one split."""

    key: str
    split: str
    name: str
    digits: int = 1

    @property
    def label(self) -> str:
        """As in table5.csv."""
        return f"{self.key}_{self.split}"


COLUMNS = (
    Column("mIoU", "validation", "mIoU"),
    Column("mIoU", "test", "mIoU"),
    Column("nmi", "train", "NMI"),
    Column("img_acc", "validation", "img-acc"),
    Column("img_acc", "test", "img-acc"),
    Column("F", "validation", "F"),
    Column("F", "test", "F"),
    Column("view_cos", "validation", "view-cos", 3),
    Column("cat_cos", "validation", "cat-cos", 3),
)
LABELS = tuple(column.label for column in COLUMNS)
GAINS = tuple(column for column in COLUMNS if column.split in ("test", "train") and column.key != "img_acc")
"""What the table of steps shows."""

PAPER = {
    "swav": (21.7, 20.8, 63.3, 57.4, 57.7, 51.0, 50.1, 0.8355, 0.7455),
    "deeplab": (28.1, 27.4, 72.0, 67.4, 69.1, 49.5, 48.4, 0.8585, 0.7535),
    "attention": (31.0, 30.4, 72.6, 68.9, 70.5, 54.5, 53.1, 0.8597, 0.7623),
    "shape-prior": (35.2, 35.3, 73.6, 67.4, 68.4, 60.8, 59.4, 0.9064, 0.8300),
    "i2p": (38.0, 38.0, 74.9, 69.2, 69.3, 60.3, 59.1, 0.9862, 0.9708),
    "shape": (38.7, 39.4, 75.1, 72.4, 72.5, 60.2, 59.0, 0.9886, 0.9758),
}
"""Table 5: ImageNet-S50, one run each, in the order of COLUMNS; by the names that config.yaml gives the rows."""

TITLES = {
    "swav": "SwAV",
    "deeplab": "+ DeepLabV3+*",
    "attention": "+ pixel attention",
    "shape-prior": "+ shape prior",
    "i2p": "+ image-to-pixel",
    "shape": "+ pixel-to-pixel",
}
"""What the paper calls them."""


def title(preset: str) -> str:
    return TITLES.get(preset, preset)


def paper(preset: str) -> dict[str, float]:
    """The numbers of the paper by label; none for a row that it does not have."""
    return dict(zip(LABELS, PAPER.get(preset, ()), strict=False))


def run_table(
    runs: Sequence[ScoredRun], scores: Sequence[dict[str, Any]], measures: Sequence[dict[str, Any]]
) -> pd.DataFrame:
    """One row for each run and threshold rule: preset, seed, rule and LABELS; NaN where something is undefined.

    The cosines are of the split that ``examine`` measured, which is train where there is no validation.
    """
    rows = []
    for run, values, measured in zip(runs, scores, measures, strict=True):
        for rule in RULES:
            found = {
                (split, key): x for split, entry in values["splits"].items() for key, x in _of(entry, rule).items()
            }
            found |= {("train", "nmi"): values.get("nmi")}
            found |= {("validation", key): measured[key] for key in ("view_cos", "cat_cos")}
            cells = {column.label: found.get((column.split, column.key)) for column in COLUMNS}
            rows.append({"preset": run.preset, "seed": run.seed, "rule": rule} | cells)
    return pd.DataFrame(rows).astype(dict.fromkeys(LABELS, "float64"))


def summarize(table: pd.DataFrame) -> pd.DataFrame:
    """One row for each preset and rule: preset, row, rule, seeds; each label, its sample deviation, the paper's number.

    Args:
        table: of ``run_table``. Undefined values are left out; the deviation of one seed is NaN.
    """
    rows = []
    for (preset, rule), part in table.groupby(["preset", "rule"], sort=False):
        cells: dict[str, Any] = {"preset": preset, "row": title(preset), "rule": rule, "seeds": len(part)}
        theirs = paper(preset)
        for label in LABELS:
            cells |= {label: part[label].mean(), f"{label}_std": part[label].std(), f"{label}_paper": theirs.get(label)}
        rows.append(cells)
    numbers = [f"{label}{end}" for label in LABELS for end in ("", "_std", "_paper")]
    return pd.DataFrame(rows).astype(dict.fromkeys(numbers, "float64"))


class Gain(NamedTuple):
    """What a row adds to the row before."""

    mean: float | None
    """Over the seeds that both have; seed by seed, so that what the seeds share cancels."""
    std: float | None
    paper: float | None


def gains(table: pd.DataFrame, rule: str) -> list[tuple[str, list[Gain]]]:
    """For each preset but the first, its gain in each of GAINS over the preset before it."""
    part = table[table["rule"] == rule]
    by_preset = {preset: rows.set_index("seed") for preset, rows in part.groupby("preset", sort=False)}
    presets, found = list(by_preset), []
    for before, after in zip(presets, presets[1:], strict=False):
        cells = []
        for column in GAINS:
            difference = (by_preset[after][column.label] - by_preset[before][column.label]).dropna()
            ours, theirs = paper(after).get(column.label), paper(before).get(column.label)
            stated = None if ours is None or theirs is None else ours - theirs
            cells.append(Gain(none(difference.mean()), none(difference.std()), stated))
        found.append((after, cells))
    return found


def _of(entry: dict[str, Any], rule: str) -> dict[str, Any]:
    return entry.get(rule) or {}
