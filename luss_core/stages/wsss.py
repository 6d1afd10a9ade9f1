"""The rows of Table 4 of the LUSS paper -> scores, gains and pictures beside the paper's: a page and two CSV."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from luss_core.colours import make_palette
from luss_core.config import MissingRuns, ReportConfig
from luss_core.config.wsss import WSSSRows
from luss_core.data.images import ImageList, read_images
from luss_core.data.store import Store
from luss_core.io import atomic, read_json, write_text
from luss_core.metrics.absent import absence
from luss_core.report import wsss_page as shown
from luss_core.report import wsss_table as tables
from luss_core.report.benchmark_page import reasons
from luss_core.report.beyond import by_preset, kind, weights_of
from luss_core.report.comparison import ScoredRun, check_comparable, check_listing, score_table, warned
from luss_core.report.page import render
from luss_core.report.tables import incomplete, main_split
from luss_core.report.wsss_cost import about_network
from luss_core.report.wsss_paper import COLUMNS, title
from luss_core.report.wsss_pictures import pictures
from luss_core.stages.benchmark import told
from luss_core.unfinished import folder_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """What there is of the runs."""

    listing: ImageList
    runs: Sequence[ScoredRun]
    scores: Sequence[dict[str, Any]]
    networks: dict[str, dict[str, Any]]
    """architecture, parameters and macc of each row that has a run."""

    @property
    def truth(self) -> bool:
        """Whether there is ground truth; else there are no scores of masks."""
        return any(values["truth"] for values in self.scores)

    @property
    def split(self) -> str:
        """Whose scores texts are of."""
        return (main_split(self.scores[0]) if self.truth else None) or "test"


def wsss(
    cfg: ReportConfig,  # noqa: ARG001 - as every page
    *,
    runs: Sequence[ScoredRun],
    rows: WSSSRows,
    missing: MissingRuns,
    images: Path,
    store: Path,
    out: Path,
    table: Path,
    summary: Path,
) -> None:
    """Write the page ``out``, ``table`` (every run) and ``summary`` (a line a row and threshold rule).

    Args:
        runs: those that were scored, called as the rows; what their networks are is read from the folders of ``rows``.
        missing: all others, and why.

    Raises:
        UserError: the runs were not scored on the same images and classes, or not on those of ``images``; a file of a
            run is missing.
    """
    found = read(runs, rows, images)
    frame, why = tables.run_table(runs, found.scores), reasons(missing)
    gained = tables.gains(frame, rows.rows, found.split)
    shrunk = tables.shrinking(frame, gained, rows.rows, found.split)
    kinds = by_preset(runs, found.scores, kind)
    palette = make_palette(names_of(found.scores)) if runs else None
    page = render(
        "wsss.html",
        title=f"Weak supervision on {images.absolute().parents[1].name}",
        blocks=shown.blocks(frame, rows, kinds, found.networks, why) if found.truth else [],
        gained=gained,
        said=tables.told(frame, gained, rows.rows, found.split),
        shrunk=[tables.told_of(one) for one in shrunk],
        paper=shown.PAPER,
        called=shown.called(rows),
        titles=title,
        columns=COLUMNS,
        pictures=pictures(runs, found.scores, rows.rows, found.listing, Store(store), found.split, palette)
        if palette
        else [],
        palette=palette,
        why=why,
        rows=rows,
        **about(found, rows),
    )
    lost = {row.name: told(why, row.name) for row in rows.rows}
    _write(table, every_run(found, rows, missing))
    ours = tables.summary(frame, rows.rows, found.networks, lost)
    _write(summary, pd.concat([ours, pd.DataFrame(shown.paper_lines())]))
    write_text(out, page)
    logger.info("wsss: %d runs of %d rows, %s", len(runs), len(rows.rows), out)


def read(runs: Sequence[ScoredRun], rows: WSSSRows, images: Path) -> Found:
    """Scores of the runs, and what their networks are.

    Raises:
        UserError: as ``wsss``.
    """
    listing, data = read_images(images), images.absolute().parents[1]
    by_name, scores, networks = {row.name: row for row in rows.rows}, [], {}
    for run in runs:
        row = by_name[run.preset]
        folder = folder_of(data, row, "finetune", run.seed)
        networks[row.name] = about_network(folder / "finetune" / "segmenter.safetensors", row.size)
        values = read_json(run.scores)
        scores.append(values | {"supervised": values.get("supervised") or row.labels == "folders"})
    found = Found(listing, runs, scores, networks)
    if found.truth:
        check_comparable(runs, scores)
        check_listing(listing, runs[0], scores[0])
    return found


def names_of(scores: Sequence[dict[str, Any]]) -> list[str]:
    """Of the classes, other first; numbers where no truth gives them names."""
    first = scores[0]
    return list(first["names"] or ["other", *(f"category {k}" for k in range(1, first["classes"] + 1))])


def about(found: Found, rows: WSSSRows) -> dict[str, Any]:
    """What the page says of data and single runs."""
    first = found.scores[0] if found.truth else None
    weights = by_preset(found.runs, found.scores, weights_of)
    by_encoder = {row.encoder: weights[row.name] for row in rows.rows if weights.get(row.name)}
    return {
        "split": found.split,
        "truth": found.truth,
        "images": len(found.listing.rows("train")),
        "seeds": rows.seeds,
        "warned": warned(found.runs, found.scores),
        "absent": absence(first["splits"][found.split]["automatic"], first["names"]) if first else None,
        "incomplete": incomplete(first) if first else {},
        "weights": by_encoder,
        "runs": [(run, values["provenance"]) for run, values in zip(found.runs, found.scores, strict=True)],
    }


def every_run(found: Found, rows: WSSSRows, missing: MissingRuns) -> pd.DataFrame:
    """As scores.csv of ``compare``, with what the rows are; a run without scores has a line that says why."""
    by_name = {row.name: row for row in rows.rows}
    names = [(run.preset, run.seed) for run in found.runs]
    lost = [
        {"preset": run.row, "seed": run.seed, "missing": f"{run.stage}: {run.said or 'not run'}"}
        for run in missing.runs
    ]
    about = pd.DataFrame(
        {"preset": name, "seed": seed, "method": by_name[name].segmented, "encoder": by_name[name].encoder}
        | {"labels": by_name[name].labels, **found.networks[name]}
        for name, seed in names
    )
    if found.truth:
        about = about.merge(score_table(found.runs, found.scores), on=["preset", "seed"])
    parts = [part for part in (about, pd.DataFrame(lost)) if len(part)]
    return pd.concat(parts).rename(columns={"preset": "row"}) if parts else about


def _write(path: Path, frame: pd.DataFrame) -> None:
    with atomic(path) as partial:
        frame.to_csv(partial, index=False)
