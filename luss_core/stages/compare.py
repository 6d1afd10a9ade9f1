"""Several runs of one data set -> one HTML page and scores.csv."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from luss_core.colours import make_palette
from luss_core.config import ReportConfig
from luss_core.data.images import read_images
from luss_core.data.spread import panel_rows
from luss_core.data.store import Store
from luss_core.io import atomic, read_json, write_text
from luss_core.metrics.absent import absence
from luss_core.report.beyond import by_preset, groups, kind, weights_of
from luss_core.report.charts import dot_chart
from luss_core.report.comparison import (
    ScoredRun,
    aggregate,
    cells,
    check_comparable,
    check_listing,
    first_runs,
    score_table,
    warned,
)
from luss_core.report.page import render
from luss_core.report.panels import Prediction, cluster_classes, make_panels
from luss_core.report.similar import similar_frames
from luss_core.report.tables import RULES, incomplete, main_split

logger = logging.getLogger(__name__)

FIRST = 4
"""Images above the scores."""
COLUMNS = (
    ("mIoU", "mIoU"),
    ("mBIoU", "Boundary mIoU"),
    ("F", "F"),
    ("img_acc", "Image acc."),
    ("nmi", "NMI"),
    ("S", "S"),
    ("MS", "MS"),
    ("ML", "ML"),
    ("L", "L"),
)
"""Score and heading."""


def compare(cfg: ReportConfig, *, runs: Sequence[ScoredRun], images: Path, store: Path, out: Path, table: Path) -> None:
    """Write scores.csv (a row for each run, split and rule) and a page that sets the presets side by side.

    Those that learned from more than the images stand apart; the columns ``beyond`` and ``weights`` say from what.

    Raises:
        UserError: the runs were not scored on the same images and classes, or not on those of ``images``.
    """
    listing, scores = read_images(images), [read_json(run.scores) for run in runs]
    check_comparable(runs, scores)
    check_listing(listing, runs[0], scores[0])
    frame, split = score_table(runs, scores), main_split(scores[0])
    assert split is not None
    first, kinds, weights = first_runs(runs), by_preset(runs, scores, kind), by_preset(runs, scores, weights_of)
    palette = make_palette(scores[0]["names"])
    predictions = [
        Prediction(runs[k].preset, runs[k].masks, cluster_classes(scores[k]["match"], scores[k]["classes"]))
        for k in first
    ]
    rows, pixels = panel_rows(listing, split, truth=True, count=cfg.panels), Store(store)
    page = render(
        "compare.html",
        title=f"{len(first)} presets on {images.absolute().parent.parent.name}",
        palette=palette,
        titles=["image", "truth", *(prediction.title for prediction in predictions)],
        panels=make_panels(listing, pixels, rows, predictions, palette, truth=True),
        first=min(FIRST, len(rows)),
        similar=similar_frames([(runs[k].preset, runs[k].similarity) for k in first], listing, pixels),
        split=split,
        columns=shown_columns(frame),
        warned=warned(runs, scores),
        absent=absence(scores[0]["splits"][split]["automatic"], scores[0]["names"]),
        no_folder_score=next((v.get("no_folder_score") for v in scores if v["nmi"] is None), None),
        blocks=score_blocks(aggregate(frame), kinds, shown_columns(frame)),
        weights={preset: text for preset, text in weights.items() if text},
        apart=len(set(kinds.values())) > 1,
        supervised=any(values.get("supervised") for values in scores),
        incomplete=incomplete(scores[0]),
        most_seeds=int(frame.groupby("preset")["seed"].nunique().max()),
        charts=seed_charts(frame, split, kinds),
        runs=[(run, values["provenance"]) for run, values in zip(runs, scores, strict=True)],
    )
    beyond = {name: frame["preset"].map(found) for name, found in (("beyond", kinds), ("weights", weights))}
    with atomic(table) as partial:
        frame.assign(**beyond).to_csv(partial, index=False)
    write_text(out, page)
    logger.info("compare: %d runs, %s", len(runs), out)


def shown_columns(frame: pd.DataFrame) -> tuple[tuple[str, str], ...]:
    """Those of the page: without NMI where no run has it, with the mean over what occurs where classes do not."""
    columns = [column for column in COLUMNS if column[0] != "nmi" or frame["nmi"].notna().any()]
    if frame["absent_classes"].any():
        columns.insert(1, ("mIoU_present", "mIoU of what occurs"))
    return tuple(columns)


def score_blocks(
    aggregated: pd.DataFrame, kinds: Mapping[str, str], columns: Sequence[tuple[str, str]] = COLUMNS
) -> list[dict[str, Any]]:
    """For each split and rule a table; a cell holds mean, std, and whether it leads its column.

    Presets that learned from more than the images have tables of their own.
    """
    blocks = []
    for split in dict.fromkeys(aggregated.index.get_level_values("split")):
        for rule in RULES:
            if (split, rule) not in aggregated.index.droplevel("preset"):
                continue  # masks without scores have no oracle threshold
            part = aggregated.xs((split, rule), level=("split", "rule"))
            for beyond, presets in groups(part.index, kinds):
                blocks.append(
                    {"split": split, "rule": rule, "beyond": beyond, "rows": _rows(part.loc[presets], columns)}
                )
    return blocks


def _rows(part: pd.DataFrame, columns: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    means, deviations = (part[[(key, name) for key, _ in columns]] for name in ("mean", "std"))
    return [
        {"preset": preset, "seeds": int(seeds), "cells": row}
        for preset, seeds, row in zip(part.index, part["mIoU", "count"], cells(means, deviations), strict=True)
    ]


def seed_charts(frame: pd.DataFrame, split: str, kinds: Mapping[str, str]) -> list[tuple[str, str]]:
    """mIoU under both thresholds and NMI of every run: (SVG, caption)."""
    shown = frame[frame["split"] == split]
    charts = []
    for beyond, presets in groups(shown["preset"], kinds):
        begun = f", with {beyond}" if beyond else ""
        miou = {m: {rule: _values(shown, m, rule, "mIoU") for rule in RULES} for m in presets}
        chart = dot_chart(miou, label=f"mIoU of every run{begun}, {split} images", x="mIoU (%)")
        charts.append((chart, f"mIoU, {split} images{begun}."))
        nmi = {m: {"NMI": _values(shown, m, "automatic", "nmi")} for m in presets}
        if any(values["NMI"] for values in nmi.values()):
            chart = dot_chart(nmi, label=f"NMI of every run{begun}", x="NMI (%)")
            charts.append((chart, f"NMI of the clusters{begun}."))
    return charts


def _values(frame: pd.DataFrame, preset: str, rule: str, key: str) -> list[float]:
    return frame[(frame["preset"] == preset) & (frame["rule"] == rule)][key].dropna().tolist()
