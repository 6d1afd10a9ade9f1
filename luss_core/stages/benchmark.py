"""The rows of a benchmark -> scores and costs beside the paper's: one page, two tables as CSV and a figure."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from luss_core.config import BenchmarkRows, MissingRuns, ReportConfig
from luss_core.data.images import ImageList, read_images
from luss_core.io import atomic, read_json, write_text
from luss_core.metrics.absent import absence
from luss_core.report import benchmark_page as shown
from luss_core.report.benchmark_table import budget, run_table, summarize, unequal
from luss_core.report.beyond import by_preset, kind, weights_of
from luss_core.report.charts import standalone
from luss_core.report.comparison import ScoredRun, check_comparable, check_listing, score_table, warned
from luss_core.report.cost import run_cost
from luss_core.report.page import render, variables
from luss_core.report.tables import incomplete, main_split
from luss_core.unfinished import folder_of

logger = logging.getLogger(__name__)


def benchmark(
    cfg: ReportConfig,  # noqa: ARG001 - as every page
    *,
    runs: Sequence[ScoredRun],
    rows: BenchmarkRows,
    missing: MissingRuns,
    images: Path,
    out: Path,
    table: Path,
    summary: Path,
    figure: Path,
) -> None:
    """Write the page ``out``, ``table`` (every run), ``summary`` (a line a row and threshold rule) and ``figure``.

    Args:
        runs: those that were scored, called as the rows; their costs are read from the folders that ``rows`` names.
        missing: all others, and why.

    Raises:
        UserError: the runs were not scored on the same images and classes, or not on those of ``images``; a file of a
            run is missing.
    """
    listing = read_images(images)
    scores = [read_json(run.scores) for run in runs]
    costs = read_costs(runs, rows, listing, images.absolute().parents[1])
    scores = [
        values | {"supervised": values.get("supervised") or c["supervised"]}
        for values, c in zip(scores, costs, strict=True)
    ]
    truth = any(values["truth"] for values in scores)
    if truth:
        check_comparable(runs, scores)
        check_listing(listing, runs[0], scores[0])
    split = (main_split(scores[0]) if truth else None) or "test"
    stage4 = rows.common.finetune.segmenter.features == "stage4"
    frame = run_table(runs, scores, costs, split)
    means = summarize(frame, [row.name for row in rows.rows], stage4)
    kinds = by_preset(runs, scores, kind)
    why = shown.reasons(missing)
    chart = shown.chart(means, split)
    page = render(
        "benchmark.html",
        title=f"Benchmark of {len(rows.rows)} methods on {images.absolute().parent.parent.name}",
        split=split,
        truth=truth,
        blocks=shown.blocks(means, kinds, split, why, len(rows.seeds)),
        beside=shown.beside(means, kinds, split),
        times=shown.times(means),
        why=why,
        chart=chart,
        budget=budget(frame),
        untrained=[str(row) for row in dict.fromkeys(frame.loc[frame["steps"] == 0, "row"])],
        unequal=unequal(frame),
        alike=shown.alike(rows),
        warned=warned(runs, scores),
        absent=absence(scores[0]["splits"][split]["automatic"], scores[0]["names"]) if truth else None,
        incomplete=incomplete(scores[0]) if truth else {},
        facts=shown.facts(listing, scores, rows),
        common=rows.common,
        settings=yaml.safe_dump(rows.common.model_dump(mode="json"), sort_keys=False),
        most_seeds=int(means["seeds"].max()),
        weights={preset: text for preset, text in by_preset(runs, scores, weights_of).items() if text},
        runs=list(zip(runs, costs, strict=True)),
    )
    _write(table, every_run(runs, scores, costs, missing))
    _write(summary, means.assign(missing=[told(why, row) for row in means["row"]]))
    write_text(figure, standalone(chart, variables()) if chart else "")
    write_text(out, page)
    for text in unequal(frame):
        logger.warning("benchmark: the budgets of rows differ: %s", text)
    logger.info("benchmark: %d runs of %d rows, %s", len(runs), len(rows.rows), out)


def read_costs(runs: Sequence[ScoredRun], rows: BenchmarkRows, listing: ImageList, data: Path) -> list[dict[str, Any]]:
    """``run_cost`` of each run.

    Raises:
        UserError: a file of a run is missing.
    """
    by_name, images = {row.name: row for row in rows.rows}, len(listing.rows("train"))
    found = []
    for run in runs:
        row = by_name[run.preset]
        folders = {stage: folder_of(data, row, stage, run.seed) for stage in row.stages}
        found.append(run_cost(folders, images, rows.common.infer.size))
    return found


def every_run(
    runs: Sequence[ScoredRun],
    scores: Sequence[dict[str, Any]],
    costs: Sequence[dict[str, Any]],
    missing: MissingRuns,
) -> pd.DataFrame:
    """As scores.csv of ``compare``, with costs, settings and commit beside; a run without scores has a line that says
    why.
    """
    about = pd.DataFrame(
        [
            {"preset": run.preset, "seed": run.seed} | cost | {"beyond": kind(values), "weights": weights_of(values)}
            for run, values, cost in zip(runs, scores, costs, strict=True)
        ]
    )
    lost = pd.DataFrame(
        [
            {"preset": run.row, "seed": run.seed, "missing": f"{run.stage}: {run.said or 'not run'}"}
            for run in missing.runs
        ]
    )
    if any(values["truth"] for values in scores):
        about = score_table(runs, scores).merge(about.drop(columns="supervised"), on=["preset", "seed"])
    return pd.concat([part for part in (about, lost) if len(part)]).rename(columns={"preset": "row"})


def told(why: Sequence[shown.Reason], row: str) -> str:
    """Why runs of a row are missing, in one line; empty where none is."""
    return "; ".join(f"{reason.seeds}: {reason.text}" for reason in why if reason.row == row)


def _write(path: Path, frame: pd.DataFrame) -> None:
    with atomic(path) as partial:
        frame.to_csv(partial, index=False)
