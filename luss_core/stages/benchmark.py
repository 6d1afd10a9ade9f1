"""The rows of a benchmark -> scores and costs beside the paper's: one page, two tables as CSV and a figure."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from luss_core.config import BenchmarkRows, MissingRuns, ReportConfig
from luss_core.data.images import read_images
from luss_core.io import atomic, read_json, write_text
from luss_core.metrics.absent import absence
from luss_core.report import benchmark_page as shown
from luss_core.report.benchmark_table import budget, run_table, summarize, unequal
from luss_core.report.beyond import by_preset, kind, weights_of
from luss_core.report.charts import standalone
from luss_core.report.comparison import ScoredRun, check_comparable, check_listing, score_table, warned
from luss_core.report.cost import run_cost
from luss_core.report.page import render, variables
from luss_core.report.table2 import title
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
    found = read(runs, rows, images)
    stage4 = rows.common.finetune.segmenter.features == "stage4"
    frame = run_table(runs, found.scores, found.costs, found.split)
    means = summarize(frame, [row.name for row in rows.rows], stage4)
    chart, why = shown.chart(means, found.split), shown.reasons(missing)
    page = render(
        "benchmark.html",
        title=f"Benchmark of {len(rows.rows)} methods on {found.data.name}",
        **_of_means(means, found, why, rows),
        **_of_runs(found, rows),
        why=why,
        chart=chart,
        budget=budget(frame),
        untrained=[str(row) for row in dict.fromkeys(frame.loc[frame["steps"] == 0, "row"])],
        unequal=unequal(frame),
    )
    _write(table, every_run(found, missing))
    _write(summary, means.assign(missing=[told(why, row) for row in means["row"]]))
    write_text(figure, standalone(chart, variables()) if chart else "")
    write_text(out, page)
    for text in unequal(frame):
        logger.warning("benchmark: the budgets of rows differ: %s", text)
    logger.info("benchmark: %d runs of %d rows, %s", len(runs), len(rows.rows), out)


@dataclass(frozen=True)
class Found:
    """What there is of the runs."""

    data: Path
    """Folder of the data set."""
    images: int
    """Of the training split."""
    runs: Sequence[ScoredRun]
    scores: Sequence[dict[str, Any]]
    costs: Sequence[dict[str, Any]]

    @property
    def truth(self) -> bool:
        """Whether there is ground truth; else there are no scores of masks."""
        return any(values["truth"] for values in self.scores)

    @property
    def split(self) -> str:
        """Whose scores come first."""
        return (main_split(self.scores[0]) if self.truth else None) or "test"


def read(runs: Sequence[ScoredRun], rows: BenchmarkRows, images: Path) -> Found:
    """Scores and costs of the runs.

    Raises:
        UserError: as ``benchmark``.
    """
    listing, data = read_images(images), images.absolute().parents[1]
    by_name, training = {row.name: row for row in rows.rows}, len(listing.rows("train"))
    scores, costs = [], []
    for run in runs:
        row, values = by_name[run.preset], read_json(run.scores)
        folders = {stage: folder_of(data, row, stage, run.seed) for stage in row.stages}
        cost = run_cost(folders, training, rows.common.infer.size)
        scores.append(values | {"supervised": values.get("supervised") or cost.pop("supervised")})
        costs.append(cost)
    found = Found(data, training, runs, scores, costs)
    if found.truth:
        check_comparable(runs, scores)
        check_listing(listing, runs[0], scores[0])
    return found


def _of_means(means: pd.DataFrame, found: Found, why: Sequence[shown.Reason], rows: BenchmarkRows) -> dict[str, Any]:
    """What the page shows of the rows."""
    kinds = by_preset(found.runs, found.scores, kind)
    return {
        "blocks": shown.blocks(means, kinds, found.split, why, rows),
        "beside": shown.beside(means, kinds, found.split),
        "times": shown.times(means),
        "most_seeds": int(means["seeds"].max()),
    }


def _of_runs(found: Found, rows: BenchmarkRows) -> dict[str, Any]:
    """What the page says of data, settings and single runs."""
    first = found.scores[0] if found.truth else None
    weights = by_preset(found.runs, found.scores, weights_of)
    return {
        "split": found.split,
        "truth": found.truth,
        "images": found.images,
        "classes": found.scores[0]["classes"] if found.scores else None,
        "seeds": rows.seeds,
        "size": rows.common.infer.size,
        "common": rows.common,
        "settings": yaml.safe_dump(rows.common.model_dump(mode="json"), sort_keys=False),
        "others": [(title(row.name), row.pipeline) for row in rows.rows if row.pipeline],
        "alike": shown.alike(rows),
        "warned": warned(found.runs, found.scores),
        "absent": absence(first["splits"][found.split]["automatic"], first["names"]) if first else None,
        "incomplete": incomplete(first) if first else {},
        "weights": {preset: text for preset, text in weights.items() if text},
        "runs": list(zip(found.runs, found.costs, strict=True)),
    }


def every_run(found: Found, missing: MissingRuns) -> pd.DataFrame:
    """As scores.csv of ``compare``, with costs, settings and commit beside; a run without scores has a line that says
    why.
    """
    own = [
        {"preset": run.preset, "seed": run.seed} | cost | {"beyond": kind(values), "weights": weights_of(values)}
        for run, values, cost in zip(found.runs, found.scores, found.costs, strict=True)
    ]
    lost = [
        {"preset": run.row, "seed": run.seed, "missing": f"{run.stage}: {run.said or 'not run'}"}
        for run in missing.runs
    ]
    about = pd.DataFrame(own)
    if found.truth:
        about = score_table(found.runs, found.scores).merge(about, on=["preset", "seed"])
    parts = [part for part in (about, pd.DataFrame(lost)) if len(part)]
    return pd.concat(parts).rename(columns={"preset": "row"}) if parts else about


def told(why: Sequence[shown.Reason], row: str) -> str:
    """Why runs of a row are missing, in one line; empty where none is."""
    return "; ".join(f"{reason.seeds}: {reason.text}" for reason in why if reason.row == row)


def _write(path: Path, frame: pd.DataFrame) -> None:
    with atomic(path) as partial:
        frame.to_csv(partial, index=False)
