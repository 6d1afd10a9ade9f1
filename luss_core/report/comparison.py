"""Scores of several presets and seeds as one table, and its mean and spread."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from luss_core.data.images import ImageList
from luss_core.errors import UserError
from luss_core.report.tables import RULES

SCORES = ("mIoU", "mBIoU", "F", "img_acc", "S", "MS", "ML", "L", "mBIoU_S", "mBIoU_MS", "mBIoU_ML", "mBIoU_L")
PRESENT = ("mIoU_present", "mBIoU_present")
"""Over the classes that occur in the truth."""
CLUSTERING = ("nmi", "accuracy")
"""One value a run: they depend on no threshold."""
KEYS = ("preset", "split", "rule")


@dataclass(frozen=True)
class ScoredRun:
    """One run that was scored, and what it is called."""

    preset: str
    seed: int
    folder: Path
    """<preset>/seed<k>."""

    @property
    def scores(self) -> Path:
        return self.folder / "evaluate" / "scores.json"

    @property
    def masks(self) -> Path:
        return self.folder / "infer" / "masks"

    @property
    def measures(self) -> Path:
        return self.folder / "examine" / "examine.json"

    @property
    def attention(self) -> Path:
        return self.folder / "examine" / "attention"

    @property
    def similarity(self) -> Path:
        return self.folder / "examine" / "similarity"


def parse_run(text: str) -> ScoredRun:
    """PRESET:SEED:DIR, where DIR is the folder of a run or its scores.json.

    Raises:
        UserError: not of this form.
    """
    preset, _, rest = text.partition(":")
    seed, _, place = rest.partition(":")
    if not (preset and seed.isdecimal() and place):
        raise UserError(f"run {text}: give PRESET:SEED:DIR, for example swav:0:results/embedded/swav/seed0")
    path = Path(place)
    return ScoredRun(preset, int(seed), path.parents[1] if path.name == "scores.json" else path)


def check_comparable(runs: Sequence[ScoredRun], scores: Sequence[dict[str, Any]]) -> None:
    """Stop unless all runs were scored on the same images and classes.

    Raises:
        UserError: one preset and seed twice, a run without ground truth, other classes, splits or numbers of images.
    """
    names = [(run.preset, run.seed) for run in runs]
    for run, name in zip(runs, names, strict=True):
        if names.count(name) > 1:
            raise UserError(f"run {run.preset}:{run.seed} is given more than once; give each preset and seed once")
    check_alike(runs, scores)


def check_alike(runs: Sequence[ScoredRun], scores: Sequence[dict[str, Any]]) -> None:
    """The same, for runs that may have a preset and seed in common.

    Raises:
        UserError: a run without ground truth, other classes, splits or numbers of images.
    """
    for run, values in zip(runs, scores, strict=True):
        if not values["truth"]:
            raise UserError(f"{run.scores} has no scores: no ground truth was found, so there is nothing to compare")
        if (found := _scored_on(values)) != (wanted := _scored_on(scores[0])):
            raise UserError(
                f"{run.scores} was scored on {found}, {runs[0].scores} on {wanted}; compare runs of one data set"
            )


def check_listing(images: ImageList, run: ScoredRun, scores: dict[str, Any]) -> None:
    """Stop unless the scores are of the images with ground truth of the list.

    Raises:
        UserError: another number of images in a split.
    """
    for split, entry in scores["splits"].items():
        listed = sum(bool(images.mask[row]) for row in images.rows(split))
        if listed != entry["images"]:
            raise UserError(
                f"{run.scores} was scored on {entry['images']} {split} images, but --images lists {listed} with ground"
                " truth; give the images.csv that the runs were made with"
            )


def warned(runs: Sequence[ScoredRun], scores: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    """What makes the results of runs say little: which runs, and why."""
    names: dict[tuple[str, str], list[int]] = {}
    for run, values in zip(runs, scores, strict=True):
        for text in values.get("warnings", ()):
            names.setdefault((run.preset, text), []).append(run.seed)
    return [(f"{preset}, seed {', '.join(map(str, seeds))}", text) for (preset, text), seeds in names.items()]


def first_runs(runs: Sequence[ScoredRun]) -> list[int]:
    """Position of the run with the smallest seed of each preset, in the order of the presets."""
    first: dict[str, int] = {}
    for k, run in enumerate(runs):
        if run.preset not in first or run.seed < runs[first[run.preset]].seed:
            first[run.preset] = k
    return list(first.values())


def score_table(runs: Sequence[ScoredRun], scores: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """One row for each run, split and threshold rule: preset, seed, split, rule and every score, in percent."""
    rows = [
        {"preset": run.preset, "seed": run.seed, "split": split, "rule": rule}
        | {key: entry[rule].get(key) for key in (*SCORES, *PRESENT)}
        | {"absent_classes": len(entry[rule].get("absent_classes", ()))}
        | {key: values.get(key) for key in CLUSTERING}
        for run, values in zip(runs, scores, strict=True)
        for split, entry in values["splits"].items()
        for rule in RULES
        if entry.get(rule)
    ]
    table = pd.DataFrame(rows)
    numbers = [*SCORES, *PRESENT, *CLUSTERING]
    return table.astype(dict.fromkeys(numbers, "float64"))


def aggregate(table: pd.DataFrame) -> pd.DataFrame:
    """Mean, sample standard deviation (n - 1) and count over the seeds, for each preset, split and rule.

    Rows keep the order of the runs; columns are (score, mean | std | count). Undefined scores are left out.
    """
    grouped = table.drop(columns="seed").groupby(list(KEYS), sort=False)
    return grouped.agg(["mean", "std", "count"])


def cells(means: pd.DataFrame, deviations: pd.DataFrame) -> list[list[dict[str, Any]]]:
    """For each row what its cells show: mean, std, and whether the mean is the greatest of its column.

    Where all of a column are the same, none is.
    """
    greatest = [column.max() if column.nunique() > 1 else None for _, column in means.items()]
    return [
        [
            {"mean": none(mean), "std": none(std), "best": mean == most}
            for mean, std, most in zip(*columns, greatest, strict=True)
        ]
        for columns in zip(means.to_numpy(), deviations.to_numpy(), strict=True)
    ]


def none(value: float) -> float | None:
    """None for NaN, as pages and JSON have it."""
    return None if pd.isna(value) else float(value)


def _scored_on(scores: dict[str, Any]) -> str:
    images = ", ".join(f"{entry['images']} {split}" for split, entry in scores["splits"].items())
    return f"{scores['classes']} classes and {images} images"
