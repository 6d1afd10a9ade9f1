"""The table of `snakemake benchmark`: scores and costs of each run, means, deviations, paper's numbers."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from luss_core.report.comparison import ScoredRun, none
from luss_core.report.cost import FIXED, MEASURED, SECONDS
from luss_core.report.table2 import SCORES, SETS, SIZES, paper, title
from luss_core.report.table5 import Column
from luss_core.report.tables import RULES


class CostColumn(NamedTuple):
    """One cost, and how the page shows it."""

    label: str
    name: str
    scale: float = 1
    """What is shown is divided by it."""
    digits: int = 0


COSTS = (
    CostColumn("images_per_second", "images/s"),
    CostColumn("parameters", "parameters, M", 1e6, 2),
    CostColumn("macc", "MACC, G", 1e9, 3),
    CostColumn("memory_mb", "memory, MB"),
    CostColumn("gpu_memory_mb", "GPU memory, MB"),
    CostColumn("seconds", "time, s"),
)
TIMES = tuple(CostColumn(label, label.removeprefix("seconds_")) for label in SECONDS)
NUMBERS = tuple(column.label for column in (*SCORES, *SIZES))
TEXTS = ("settings", "commit")


def score_columns(split: str) -> tuple[Column, ...]:
    """Those of the paper, and the sizes of objects in one split."""
    return (*SCORES, *(Column(column.key, split, column.name) for column in SIZES))


def run_table(
    runs: Sequence[ScoredRun], scores: Sequence[Mapping[str, Any]], costs: Sequence[Mapping[str, Any]], split: str
) -> pd.DataFrame:
    """One row for each run and threshold rule: row, seed, rule, the scores, and what ``run_cost`` tells.

    Args:
        split: of the sizes of objects. Undefined values are NaN.
    """
    columns, rows = score_columns(split), []
    for run, values, cost in zip(runs, scores, costs, strict=True):
        for rule in RULES:
            found = {("train", "nmi"): values.get("nmi")}
            for name, entry in values.get("splits", {}).items():
                found |= {(name, key): value for key, value in (entry.get(rule) or {}).items()}
            cells = {column.label: found.get((column.split, column.key)) for column in columns}
            own = {key: cost[key] for key in (*FIXED, *MEASURED, *TEXTS)}
            rows.append({"row": run.preset, "seed": run.seed, "rule": rule} | cells | own)
    numbers = [*(column.label for column in columns), *FIXED, *MEASURED]
    return pd.DataFrame(rows, columns=["row", "seed", "rule", *numbers, *TEXTS]).astype(
        dict.fromkeys(numbers, "float64")
    )


def summarize(table: pd.DataFrame, order: Sequence[str], stage4: bool) -> pd.DataFrame:
    """One row for each row of the benchmark and rule: mean, sample deviation (n - 1) over the seeds, paper's numbers.

    Args:
        table: of ``run_table``. Undefined values are left out; the deviation of one seed is NaN.
        order: all rows; one without any run has `seeds` 0 and no scores.
        stage4: masks are made from stage 4 of the backbone.
    """
    labels = [name for name in table.columns if name not in ("row", "seed", "rule", *FIXED, *TEXTS)]
    found = []
    for row in order:
        for rule in RULES:
            part = table[(table["row"] == row) & (table["rule"] == rule)]
            cells: dict[str, Any] = {"row": row, "title": title(row), "rule": rule, "seeds": len(part)}
            for label in labels:
                cells |= {label: part[label].mean(), f"{label}_std": part[label].std()}
            cells |= {label: part[label].max() for label in FIXED}
            cells |= {label: ", ".join(dict.fromkeys(part[label])) for label in TEXTS}
            found.append(cells | _of_paper(row, stage4))
    theirs = [f"{label}_{name}" for name in SETS for label in NUMBERS]
    columns = ["row", "title", "rule", "seeds", *(f"{x}{end}" for x in labels for end in ("", "_std")), *FIXED, *TEXTS]
    return pd.DataFrame(found, columns=[*columns, *theirs]).astype(dict.fromkeys(theirs, "float64"))


def _of_paper(row: str, stage4: bool) -> dict[str, float]:
    return {f"{label}_{name}": value for name in SETS for label, value in paper(row, name, stage4).items()}


def unequal(table: pd.DataFrame) -> list[str]:
    """What makes the budgets of rows unequal, in words: other numbers of steps, or of images in a step, than most rows.

    Rows without a step keep the weights that training begins with; they are no departure.
    """
    trained = table[table["steps"] > 0]
    pairs = {
        row: sorted({(int(s), int(b)) for s, b in part[["steps", "batch"]].to_numpy()})
        for row, part in trained.groupby("row", sort=False)
    }
    if not pairs:
        return []
    every = [pair for own in pairs.values() for pair in own]
    usual = max(dict.fromkeys(every), key=every.count)
    return [
        f"{title(str(row))} had {_steps(own)}, most rows {_steps([usual])}"
        for row, own in pairs.items()
        if own != [usual]
    ]


def budget(table: pd.DataFrame) -> tuple[int, int] | None:
    """Steps, and images in a step, of most rows; None where no row was trained."""
    trained = table[table["steps"] > 0].drop_duplicates("row")
    pairs = [(int(steps), int(batch)) for steps, batch in trained[["steps", "batch"]].to_numpy()]
    return max(dict.fromkeys(pairs), key=pairs.count) if pairs else None


def _steps(pairs: Sequence[tuple[int, int]]) -> str:
    return " or ".join(f"{steps:,} steps of {batch:,} images" for steps, batch in pairs)


def shown(summary: pd.DataFrame, labels: Sequence[str]) -> list[str]:
    """Those of the labels of which some row has a value."""
    return [label for label in labels if summary[label].notna().any()]


def spread(record: Mapping[str, Any], label: str, scale: float = 1) -> dict[str, float | None]:
    """Mean and deviation of a cell."""
    mean, std = none(record[label]), none(record.get(f"{label}_std", float("nan")))
    return {"mean": mean if mean is None else mean / scale, "std": std if std is None else std / scale}
