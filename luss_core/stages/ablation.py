"""The runs of an ablation -> Table 5 of the LUSS paper as CSV, a page with its pictures, and a figure."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from luss_core.colours import make_palette
from luss_core.config import ReportConfig, RowsConfig
from luss_core.data.images import ImageList, read_images
from luss_core.data.spread import compared_rows
from luss_core.data.store import Store
from luss_core.errors import UserError
from luss_core.io import atomic, read_json, write_text
from luss_core.metrics.absent import absence
from luss_core.report.beyond import only_kind
from luss_core.report.charts import Steps, standalone, steps_chart
from luss_core.report.comparison import (
    ScoredRun,
    cells,
    check_alike,
    check_comparable,
    check_listing,
    first_runs,
    none,
    score_table,
    warned,
)
from luss_core.report.intensity import attention_maps, saliency_maps, with_intensities
from luss_core.report.page import render, variables
from luss_core.report.panels import Panel, Prediction, cluster_classes, make_panels
from luss_core.report.table5 import COLUMNS, GAINS, LABELS, gains, paper, run_table, summarize, title
from luss_core.report.tables import RULES, incomplete, main_split

logger = logging.getLogger(__name__)

DRAWN = (("mIoU", "mIoU (%)"), ("F", "F (%)"), ("view_cos", "view-cos"), ("cat_cos", "cat-cos"))
"""Scores drawn row by row, and the text at the axis."""
MEASURES = ("view_cos", "cat_cos", "attention_F", "prior_F")
"""Of examine.json; one value a run."""


@dataclass(frozen=True)
class Part:
    """The runs of all rows in one way to segment, and what was measured of each."""

    pipeline: str
    """common or best, as the tables say."""
    runs: Sequence[ScoredRun]
    scores: Sequence[dict[str, Any]]
    measures: Sequence[dict[str, Any]]
    """Of the encoder, which both parts have in common."""


def ablation(
    cfg: ReportConfig,
    *,
    common: Sequence[ScoredRun],
    best: Sequence[ScoredRun],
    rows: RowsConfig,
    images: Path,
    store: Path,
    prior: Path | None,
    out: Path,
    table: Path,
    table5: Path,
    figure: Path,
) -> None:
    """Write the page ``out``, scores.csv (every run), table5.csv (mean, deviation, paper) and the figure as SVG.

    Args:
        common: each row in the pipeline that all share: the table beside the paper's, its steps and its figure.
        best: each row as its preset segments. Its encoders are those of ``common``, so they were examined here alone.
        rows: what sets each row apart, in the order in which they are shown.

    Raises:
        UserError: the runs were not scored on the same images and classes, or not on those of ``images``; a row or a
            seed is missing; encoders were examined in different ways.
    """
    listing, parts = read_images(images), read_parts(common, best, rows)
    for part in parts:
        check_listing(listing, part.runs[0], part.scores[0])
    frames = [run_table(part.runs, part.scores, part.measures) for part in parts]
    summaries = [summarize(frame) for frame in frames]
    split = main_split(parts[0].scores[0])
    assert split is not None
    titles, charts = [title(row.name) for row in rows.rows], steps(frames[0], split)
    page = render(
        "ablation.html",
        title=f"Ablation on {images.absolute().parent.parent.name}",
        beyond=only_kind(parts[0].runs, parts[0].scores),
        rows=rows.rows,
        common=rows.common,
        settings=yaml.safe_dump(rows.common.model_dump(mode="json"), sort_keys=False),
        columns=COLUMNS,
        blocks=[blocks(summary) for summary in summaries],
        incomplete=incomplete(parts[0].scores[0]),
        warned=list(dict.fromkeys(line for part in parts for line in warned(part.runs, part.scores))),
        absent=absence(parts[0].scores[0]["splits"][split]["automatic"], parts[0].scores[0]["names"]),
        most_seeds=int(summaries[0]["seeds"].max()),
        titles={row.name: title(row.name) for row in rows.rows},
        by_name={row.name: row for row in rows.rows},
        gain_columns=GAINS,
        gains=gains(frames[0], "automatic"),
        charts=[steps_chart(titles, [one], label=f"{one.name}, row by row") for one in charts],
        split=split,
        **pictures(cfg, listing, Store(store), prior, parts, split),
        runs=made_with(parts),
    )
    _write_csv(table, [(part.pipeline, every_run(part)) for part in parts])
    _write_csv(table5, list(zip((part.pipeline for part in parts), summaries, strict=True)))
    write_text(figure, standalone(steps_chart(titles, charts, label="Ablation"), variables()))
    write_text(out, page)
    logger.info("ablation: %d runs of %d rows, %s", sum(len(part.runs) for part in parts), len(titles), out)


def read_parts(common: Sequence[ScoredRun], best: Sequence[ScoredRun], rows: RowsConfig) -> list[Part]:
    """Both parts with their scores and measures, in the order of the rows.

    Raises:
        UserError: as ``ablation``.
    """
    order = [row.name for row in rows.rows]
    check_rows(common, best, order)
    measures = {(run.preset, run.seed): read_json(run.measures) for run in best}
    check_examined(best, list(measures.values()))
    parts = []
    for pipeline, given in (("common", common), ("best", best)):
        runs = sorted(given, key=lambda run: order.index(run.preset))
        scores = [read_json(run.scores) for run in runs]
        check_comparable(runs, scores)
        parts.append(Part(pipeline, runs, scores, [measures[run.preset, run.seed] for run in runs]))
    check_alike([part.runs[0] for part in parts], [part.scores[0] for part in parts])
    return parts


def check_rows(common: Sequence[ScoredRun], best: Sequence[ScoredRun], rows: Sequence[str]) -> None:
    """Stop unless there is each row, and each run in both pipelines.

    Raises:
        UserError: one is missing, or belongs to no row.
    """
    names = [{(run.preset, run.seed) for run in runs} for runs in (common, best)]
    for preset, seed in sorted(names[0] ^ names[1]):
        option = "--run" if (preset, seed) in names[0] else "--common"
        raise UserError(f"{option} {preset}:{seed} is missing: give every run in both pipelines, --common and --run")
    found = list(dict.fromkeys(run.preset for run in best))
    if set(found) != set(rows):
        raise UserError(f"--run has the rows {', '.join(found)}, --rows has {', '.join(rows)}; give the same in both")


def check_examined(runs: Sequence[ScoredRun], measures: Sequence[dict[str, Any]]) -> None:
    """Stop unless all encoders were examined alike.

    Raises:
        UserError: with other settings than the first.
    """
    how = [values["provenance"]["settings"].get("examine") for values in measures]
    for run, own in zip(runs, how, strict=False):
        if own != how[0]:
            raise UserError(
                f"{run.measures} was made with other settings than {runs[0].measures}; change no examine in"
                f" presets.{run.preset}"
            )


def made_with(parts: Sequence[Part]) -> list[tuple[ScoredRun, dict[str, Any]]]:
    """Each run once, and its provenance; where a row's own pipeline is the common one, both parts have it."""
    found = {run.folder: (run, about["provenance"]) for p in parts for run, about in zip(p.runs, p.scores, strict=True)}
    return list(found.values())


def every_run(part: Part) -> pd.DataFrame:
    """As scores.csv of ``compare``, with what ``examine`` measured beside."""
    found = [
        {"preset": run.preset, "seed": run.seed} | {key: values[key] for key in MEASURES}
        for run, values in zip(part.runs, part.measures, strict=True)
    ]
    return score_table(part.runs, part.scores).merge(pd.DataFrame(found), on=["preset", "seed"])


def steps(frame: pd.DataFrame, split: str) -> list[Steps]:
    """What the figure shows under the automatic threshold; measures that no run has are left out."""
    shown = frame[frame["rule"] == "automatic"]
    presets, found = list(dict.fromkeys(shown["preset"])), []
    for key, name in DRAWN:
        label = f"{key}_{split}" if f"{key}_{split}" in LABELS else f"{key}_validation"
        values = [shown[shown["preset"] == preset][label].dropna().tolist() for preset in presets]
        if any(values):
            found.append(Steps(name, values, [paper(preset).get(label) for preset in presets]))
    return found


def blocks(summary: pd.DataFrame) -> list[dict[str, Any]]:
    """For each threshold rule the rows of its table; a cell holds mean, std, paper, and whether it leads its column."""
    return [{"rule": rule, "rows": table_rows(summary[summary["rule"] == rule])} for rule in RULES]


def table_rows(summary: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of one table of the page."""
    found = cells(summary[list(LABELS)], summary[[f"{label}_std" for label in LABELS]])
    return [
        {
            "preset": row["preset"],
            "seeds": int(row["seeds"]),
            "cells": [cell | {"paper": none(row[f"{label}_paper"])} for cell, label in zip(own, LABELS, strict=True)],
        }
        for own, (_, row) in zip(found, summary.iterrows(), strict=True)
    ]


def pictures(
    cfg: ReportConfig, listing: ImageList, pixels: Store, prior: Path | None, parts: Sequence[Part], split: str
) -> dict[str, Any]:
    """What the page shows of the first seed of each row, on the same images.

    ``attended`` is saliency, attention of the rows that have one, and truth, or empty where no row has attention;
    ``segmented`` is truth and the masks of each row, in the common pipeline and in the row's own.
    """
    palette = make_palette(parts[0].scores[0]["names"])
    rows = compared_rows(listing, split)[: cfg.panels]
    segmented = [make_panels(listing, pixels, rows, predictions(part), palette, truth=True) for part in parts]
    first = [(parts[1].runs[k], parts[1].measures[k]) for k in first_runs(parts[1].runs)]
    maps = [one for run, _ in first for one in attention_maps(title(run.preset), run.attention, listing, rows)]
    truth: list[Panel] = [replace(panel, layers=panel.layers[:1]) for panel in segmented[0]]
    return {
        "palette": palette,
        "attended": with_intensities(truth, rows, [*saliency_maps(prior), *maps]) if maps else [],
        "segmented": segmented,
        "measured": first[0][1],
        "attention_f": [(run.preset, measured["attention_F"], measured["prior_F"]) for run, measured in first],
    }


def predictions(part: Part) -> list[Prediction]:
    """The masks of the first seed of each row."""
    found = []
    for k in first_runs(part.runs):
        run, values = part.runs[k], part.scores[k]
        found.append(Prediction(title(run.preset), run.masks, cluster_classes(values["match"], values["classes"])))
    return found


def _write_csv(path: Path, frames: Sequence[tuple[str, pd.DataFrame]]) -> None:
    """One table of both parts, with a column that says which."""
    whole = pd.concat([frame.assign(pipeline=pipeline) for pipeline, frame in frames])
    with atomic(path) as partial:
        whole[["pipeline", *whole.columns.drop("pipeline")]].to_csv(partial, index=False)
