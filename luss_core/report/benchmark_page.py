"""What the page of `snakemake benchmark` shows: its tables as rows of cells, its figure, and what is missing."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from luss_core.config import BenchmarkRows, MissingRuns
from luss_core.report.benchmark_table import COSTS, TIMES, CostColumn, score_columns, spread
from luss_core.report.beyond import groups
from luss_core.report.charts import Point, scatter_chart
from luss_core.report.comparison import cells, none
from luss_core.report.table2 import SETS, SIZES, TITLES, title
from luss_core.report.table5 import Column
from luss_core.report.tables import RULES

UNITS = (("s", 1.0, 600.0), ("min", 60.0, 36000.0), ("h", 3600.0, float("inf")))
"""Of times: name, seconds, and up to how many seconds it is used."""


class Reason(NamedTuple):
    """Why runs of a row have no scores."""

    row: str
    seeds: str
    text: str
    log: str


def reasons(missing: MissingRuns) -> list[Reason]:
    """In words, seeds that end alike together."""
    found: dict[tuple[str, str, str], list[int]] = {}
    for run in missing.runs:
        text = f"{run.stage} failed: {run.said}" if run.failed else f"not run: {run.stage} was not reached"
        log = run.log if len({other.log for other in missing.runs if other.row == run.row}) == 1 else ""
        found.setdefault((run.row, text, log), []).append(run.seed)
    return [
        Reason(row, f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}", text, log)
        for (row, text, log), seeds in found.items()
    ]


def unit(means: pd.DataFrame) -> tuple[str, float]:
    """In which times are shown, and its seconds."""
    longest = means["seconds"].max()
    return next((name, seconds) for name, seconds, most in UNITS if not longest > most)


def cost_columns(means: pd.DataFrame) -> list[CostColumn]:
    """Those of which some row has a value; memory of the GPU takes the place of that of the processor."""
    name, seconds = unit(means)
    found = []
    for column in COSTS:
        if column.label == "seconds":
            found.append(CostColumn("seconds", f"time, {name}", seconds, 0 if name == "s" else 1))
        elif means[column.label].notna().any():
            found.append(column)
    return found


def blocks(
    means: pd.DataFrame, kinds: Mapping[str, str], split: str, why: Sequence[Reason], rows: BenchmarkRows
) -> list[dict[str, Any]]:
    """The table of each threshold rule, and of each kind of rows its own: what a row learned from beyond the images.

    Rows without any run stand in the first table of a rule.
    """
    columns = [column for column in score_columns(split) if means[column.label].notna().any()]
    found = []
    for rule in RULES:
        part = means[means["rule"] == rule].set_index("row", drop=False)
        with_runs = list(part.index[part["seeds"] > 0])
        parts = groups(with_runs, kinds) or [("", [])]
        for number, (beyond, members) in enumerate(parts):
            names = [row for row in part.index if row in members or (not number and row not in with_runs)]
            costs = cost_columns(means) if rule == RULES[0] else []
            lines = _rows(part.loc[names], columns, costs, why, rows)
            found.append({"rule": rule, "beyond": beyond, "columns": columns, "costs": costs, "rows": lines})
    return found


def _rows(
    part: pd.DataFrame,
    columns: Sequence[Column],
    costs: Sequence[CostColumn],
    why: Sequence[Reason],
    rows: BenchmarkRows,
) -> list[dict[str, Any]]:
    labels, own_pipeline = [column.label for column in columns], {row.name for row in rows.rows if row.pipeline}
    scores = (
        cells(part[labels], part[[f"{label}_std" for label in labels]]) if labels else [[] for _ in range(len(part))]
    )
    return [
        {
            "row": record["row"],
            "title": record["title"],
            "type": TITLES.get(record["row"], ("", ""))[1],
            "seeds": int(record["seeds"]),
            "of": len(rows.seeds),
            "own_pipeline": record["row"] in own_pipeline,
            "cells": own,
            "costs": [spread(record, column.label, column.scale) for column in costs],
            "why": [reason for reason in why if reason.row == record["row"]],
        }
        for own, record in zip(scores, part.to_dict("records"), strict=True)
    ]


def beside(means: pd.DataFrame, kinds: Mapping[str, str], split: str) -> list[dict[str, Any]]:
    """Tables of measures, in each the oracle's mean of these runs and the paper's numbers of each of SETS.

    Those of ``split`` first, then the other split, then the sizes of objects.
    """
    part = means[means["rule"] == "oracle"].set_index("row", drop=False)
    by_split = {
        name: [c for c in score_columns(split)[: -len(SIZES)] if c.split == name] for name in ("validation", "test")
    }
    others = [name for name in by_split if name != split]
    nmi = [c for c in score_columns(split) if c.key == "nmi"]
    tables = [(f"{split} images", [*by_split[split][:1], *nmi, *by_split[split][1:]])]
    tables += [(f"{name} images", by_split[name]) for name in others]
    tables += [("by the size of objects, test images", list(SIZES))] if split == "test" else []
    found = []
    for name, columns in tables:
        for beyond, rows in groups(list(part.index), {row: kinds.get(row, "") for row in part.index}):
            lines = [(title(row), [_beside(part.loc[row], column) for column in columns]) for row in rows]
            found.append(
                {"name": name, "beyond": beyond, "columns": columns, "rows": lines, "first": name == tables[0][0]}
            )
    return found


def _beside(record: pd.Series, column: Column) -> dict[str, Any]:
    return {"own": spread(record, column.label), "paper": [none(record[f"{column.label}_{name}"]) for name in SETS]}


def times(means: pd.DataFrame) -> dict[str, Any]:
    """Steps, and the time of each stage, of the rows that have runs."""
    name, seconds = unit(means)
    part = means[(means["rule"] == RULES[0]) & (means["seeds"] > 0)]
    rows = [
        (record["title"], none(record["steps"]), [spread(record, column.label, seconds) for column in TIMES])
        for record in part.to_dict("records")
    ]
    return {"unit": name, "digits": 1, "columns": TIMES, "rows": rows}


def chart(means: pd.DataFrame, split: str) -> str:
    """mIoU under the automatic threshold against the time of a run; empty where no row has both."""
    name, seconds = unit(means)
    points = []
    for record in means[means["rule"] == RULES[0]].to_dict("records"):
        time, miou = spread(record, "seconds", seconds), spread(record, f"mIoU_{split}")
        if time["mean"] is not None and miou["mean"] is not None:
            spreads = time["std"] or 0.0, miou["std"] or 0.0
            points.append(Point(record["title"], time["mean"], miou["mean"], spreads))
    if not points:
        return ""
    words = {"s": "seconds", "min": "minutes", "h": "hours"}
    return scatter_chart(
        points,
        label="mIoU of the methods against what they cost",
        x=f"time of all stages of a run ({words[name]})",
        y=f"mIoU, {split} images (%)",
    )


def alike(rows: BenchmarkRows) -> list[str]:
    """Rows that pretrain with the same settings, so that one training is all of them."""
    same: dict[str, list[str]] = {}
    for row in rows.rows:
        same.setdefault(row.stages["evaluate"], []).append(row.name)
    return [" and ".join(names) for names in same.values() if len(names) > 1]
