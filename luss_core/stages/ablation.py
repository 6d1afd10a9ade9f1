"""The runs of an ablation -> Table 5 of the LUSS paper as CSV, a page with its pictures, and a figure."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from luss_core.config import ReportConfig
from luss_core.data.images import ImageList, read_images
from luss_core.data.store import Store
from luss_core.io import atomic, read_json, write_text
from luss_core.report import table5 as tables
from luss_core.report.charts import Steps, standalone, steps_chart
from luss_core.report.colours import make_palette
from luss_core.report.comparison import Run, check_comparable, check_listing, first_runs, score_table
from luss_core.report.intensity import attention_maps, saliency_maps, with_intensities
from luss_core.report.page import render, variables
from luss_core.report.panels import Panel, Prediction, cluster_classes, make_panels, panel_rows
from luss_core.report.tables import RULES, incomplete, main_split

logger = logging.getLogger(__name__)

SHOWN = 8
"""Images on the page, at the most."""
DRAWN = (("mIoU", "mIoU (%)"), ("F", "F (%)"), ("view_cos", "view-cos"), ("cat_cos", "cat-cos"))
"""Scores drawn row by row, and the text at the axis."""
MEASURES = ("view_cos", "cat_cos", "attention_F", "prior_F")
"""Of examine.json; one value a run."""


def ablation(
    cfg: ReportConfig,
    *,
    runs: Sequence[Run],
    images: Path,
    store: Path,
    prior: Path | None,
    out: Path,
    table: Path,
    table5: Path,
    figure: Path,
) -> None:
    """Write the page ``out``, scores.csv (every run), table5.csv (mean, deviation, paper) and the figure as SVG.

    The presets are shown in the order of ``runs``, each as what it adds to the one before.

    Raises:
        UserError: the runs were not scored on the same images and classes, or not on those of ``images``.
    """
    listing, scores = read_images(images), [read_json(run.scores) for run in runs]
    check_comparable(runs, scores)
    check_listing(listing, runs[0], scores[0])
    measures = [read_json(run.measures) for run in runs]
    frame = tables.run_table(runs, scores, measures)
    summary = tables.summarize(frame)
    first, split = first_runs(runs), main_split(scores[0])
    assert split is not None
    presets = [runs[k].preset for k in first]
    charts = steps(frame, split)
    rows = panel_rows(listing, split, truth=True, count=min(cfg.panels, SHOWN))
    attended, segmented = pictures(
        listing, Store(store), prior, [runs[k] for k in first], [scores[k] for k in first], rows
    )
    page = render(
        "ablation.html",
        title=f"Ablation on {images.absolute().parent.parent.name}",
        columns=tables.COLUMNS,
        blocks=[{"rule": rule, "rows": table_rows(summary[summary["rule"] == rule])} for rule in RULES],
        incomplete=incomplete(scores[0]),
        most_seeds=int(summary["seeds"].max()),
        titles={preset: tables.title(preset) for preset in presets},
        gain_columns=tables.GAINS,
        gains=tables.gains(frame, "automatic"),
        charts=[steps_chart(*_drawn(presets, [one]), label=f"{one.name}, row by row") for one in charts],
        palette=make_palette(listing.class_names(scores[0]["classes"])),
        split=split,
        measured=measures[first[0]],
        attention_f=[(presets[i], measures[k]["attention_F"], measures[k]["prior_F"]) for i, k in enumerate(first)],
        attended=attended,
        segmented=segmented,
        runs=[(run, values["provenance"]) for run, values in zip(runs, scores, strict=True)],
    )
    _write_csv(table, every_run(runs, scores, measures))
    _write_csv(table5, summary)
    whole = steps_chart(*_drawn(presets, charts), label="Ablation")
    write_text(figure, standalone(whole, variables()))
    write_text(out, page)
    logger.info("ablation: %d runs of %d presets, %s", len(runs), len(presets), out)


def every_run(
    runs: Sequence[Run], scores: Sequence[dict[str, Any]], measures: Sequence[dict[str, Any]]
) -> pd.DataFrame:
    """As scores.csv of ``compare``, with what ``examine`` measured beside."""
    found = [
        {"preset": run.preset, "seed": run.seed} | {key: values[key] for key in MEASURES}
        for run, values in zip(runs, measures, strict=True)
    ]
    return score_table(runs, scores).merge(pd.DataFrame(found), on=["preset", "seed"])


def steps(frame: pd.DataFrame, split: str) -> list[Steps]:
    """What the figure shows under the automatic threshold; measures that no run has are left out."""
    shown = frame[frame["rule"] == "automatic"]
    presets, found = list(dict.fromkeys(shown["preset"])), []
    for key, name in DRAWN:
        label = f"{key}_{split}" if f"{key}_{split}" in tables.LABELS else f"{key}_validation"
        values = [shown[shown["preset"] == preset][label].dropna().tolist() for preset in presets]
        if any(values):
            found.append(Steps(name, values, [tables.paper(preset).get(label) for preset in presets]))
    return found


def table_rows(summary: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of the table of one threshold rule; a cell holds mean, std, paper, and whether it leads its column."""
    best = {label: summary[label].max() if summary[label].nunique() > 1 else None for label in tables.LABELS}
    rows = []
    for _, row in summary.iterrows():
        cells = [
            {
                "mean": tables.none(row[label]),
                "std": tables.none(row[f"{label}_std"]),
                "paper": tables.none(row[f"{label}_paper"]),
                "best": row[label] == best[label],
            }
            for label in tables.LABELS
        ]
        rows.append({"preset": row["preset"], "title": row["row"], "seeds": int(row["seeds"]), "cells": cells})
    return rows


def pictures(
    listing: ImageList,
    pixels: Store,
    prior: Path | None,
    runs: Sequence[Run],
    scores: Sequence[dict[str, Any]],
    rows: Sequence[int],
) -> tuple[list[Panel], list[Panel]]:
    """The same images twice: saliency, attention of the rows that have one, truth; and truth, segmentation of each row.

    The first is empty where no row has attention.
    """
    palette = make_palette(listing.class_names(scores[0]["classes"]))
    predictions = [
        Prediction(tables.title(run.preset), run.masks, cluster_classes(values["match"], values["classes"]))
        for run, values in zip(runs, scores, strict=True)
    ]
    segmented = make_panels(listing, pixels, rows, predictions, palette, truth=True)
    maps = [one for run in runs for one in attention_maps(tables.title(run.preset), run.attention, listing, rows)]
    truth = [replace(panel, layers=panel.layers[:1]) for panel in segmented]
    return with_intensities(truth, rows, [*saliency_maps(prior), *maps]) if maps else [], segmented


def _drawn(presets: Sequence[str], measures: Sequence[Steps]) -> tuple[list[str], Sequence[Steps]]:
    return [tables.title(preset) for preset in presets], measures


def _write_csv(path: Path, frame: pd.DataFrame) -> None:
    with atomic(path) as partial:
        frame.to_csv(partial, index=False)
