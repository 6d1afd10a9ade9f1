"""Scores of probes of the rows of the CACL paper -> its Tables 1 to 4 with these runs, as one page and two CSV."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from luss_core.config import CACLTablesConfig, PaperTableConfig, PaperTablesConfig
from luss_core.errors import UserError
from luss_core.io import atomic, write_text
from luss_core.metrics.probe import probe_scores
from luss_core.report import cacl_paper, papers
from luss_core.report.beyond import groups, kind, weights_of
from luss_core.report.charts import dot_chart
from luss_core.report.comparison import ScoredRun, cells
from luss_core.report.page import render
from luss_core.stages.probes import SCORES, check_alike

logger = logging.getLogger(__name__)

LINEAR = "linear"


@dataclass(frozen=True)
class Judged:
    """What one probe says of one run."""

    run: ScoredRun
    probe: str
    """linear, or a share of the labels in percent."""
    scores: Mapping[str, Any]


def cacl(
    cfg: CACLTablesConfig, *, rows: PaperTablesConfig, runs: Sequence[ScoredRun], out: Path, table: Path, scores: Path
) -> None:
    """Write the page, ``table`` (a line for each table, row and column: mean, deviation, paper) and ``scores`` (a line
    for each run and probe).

    A run without scores is left out, and named on the page where it belongs.

    Raises:
        UserError: no table is asked for, no run has scores, or they are of different images, classes or settings.
    """
    if not cfg.tables:
        raise UserError(
            "config: cacl.tables is [], so there is nothing to make: set cacl.tables: [1a, 1b, 1c, 2, 3, 4], with"
            " videos as data_root and annotated images as probes.data; recipes/cacl.yaml has all of it"
        )
    judged = read(rows, runs)
    frame = every_run(judged)
    kinds, weights = ({one.run.preset: what(one.scores) for one in reversed(judged)} for what in (kind, weights_of))
    shown = [shown_table(one, frame, kinds, rows.seeds, runs) for one in rows.tables]
    first = next((one.scores for one in judged if one.probe == LINEAR), judged[0].scores)
    page = render(
        "cacl.html",
        title=f"The tables of CACL on {Path(first['data']['root']).name}",
        tables=shown,
        first=first,
        learned={named(one.probe): one.scores["learned"] for one in judged},
        begin=cfg.begin,
        rows=rows,
        settings=yaml.safe_dump(rows.pretrain, sort_keys=False),
        train=rows.pretrain.get("train", {}),
        weights={preset: text for preset, text in weights.items() if text},
        seeds=frame["seed"].nunique(),
        others={one.name: cacl_paper.OTHERS.get(one.name, ()) for one in rows.tables},
        charts=charts(frame, kinds),
        runs=[(one.run, one.scores["provenance"]) for one in judged if one.probe == first_probe(judged)],
    )
    _write(table, pd.DataFrame([line for one in shown for line in one["lines"]]))
    _write(scores, frame)
    write_text(out, page)
    logger.info("cacl: %d tables, %d scores of %d encoders, %s", len(shown), len(frame), len(kinds), out)


def read(rows: PaperTablesConfig, runs: Sequence[ScoredRun]) -> list[Judged]:
    """What there is of the scores that the tables need.

    Raises:
        UserError: nothing, or some are of different images, classes or settings.
    """
    wanted = dict.fromkeys((row.preset, probe) for table in rows.tables for probe in table.probes for row in table.rows)
    found = []
    for preset, probe in wanted:
        for run in runs:
            if run.preset == preset and (path := place(run, probe)).is_file():
                found.append(Judged(run, probe, probe_scores(path)))
    if not found:
        raise UserError("no run has scores of the probes that the tables need; run the rules linear and limited first")
    for probe in dict.fromkeys(one.probe for one in found):
        part = [one for one in found if one.probe == probe]
        check_alike(named(probe), [one.run for one in part], [one.scores for one in part])
    return found


def place(run: ScoredRun, probe: str) -> Path:
    """The scores.json of a probe of a run."""
    folder = run.folder / "probes"
    return (folder / LINEAR if probe == LINEAR else folder / "limited" / probe) / "scores.json"


def named(probe: str) -> str:
    """As pages and tables call a probe."""
    return probe if probe == LINEAR else f"{probe} %"


def first_probe(judged: Sequence[Judged]) -> str:
    """The linear probe where there is one."""
    return next((one.probe for one in judged if one.probe == LINEAR), judged[0].probe)


def every_run(judged: Sequence[Judged]) -> pd.DataFrame:
    """One line for each run and probe: preset, seed, probe, images that were learned from, scores in percent."""
    return pd.DataFrame(
        {"preset": one.run.preset, "seed": one.run.seed, "probe": named(one.probe), "learned": one.scores["learned"]}
        | {key: one.scores[key] for key in SCORES}
        for one in judged
    )


def values_of(table: PaperTableConfig, frame: pd.DataFrame) -> pd.DataFrame:
    """What a table shows of ``every_run``, as ``papers.spread`` wants it: columns are scores of the linear probe, or
    mIoU of each share of the labels."""
    probes = [named(probe) for probe in table.probes]
    part = frame[frame["probe"].isin(probes) & frame["preset"].isin([row.preset for row in table.rows])]
    if table.probes == (LINEAR,):
        part = part.melt(["preset", "seed"], list(SCORES), "column", "value")
    else:
        part = part.rename(columns={"probe": "column", "mIoU": "value"})
    return part.rename(columns={"preset": "row"})[["row", "column", "seed", "value"]]


def shown_table(
    table: PaperTableConfig,
    frame: pd.DataFrame,
    kinds: Mapping[str, str],
    seeds: Sequence[int],
    runs: Sequence[ScoredRun],
) -> dict[str, Any]:
    """A table of the page, and its lines of the CSV."""
    about, values = cacl_paper.ABOUT[table.name], values_of(table, frame)
    titles = {row.preset: cacl_paper.title(table.name, row.row, row.preset) for row in table.rows}
    reported = cacl_paper.reported(table.name, {row.preset: row.row for row in table.rows})
    columns = cacl_paper.columns(table.name, table.probes)
    spread = papers.spread(values, list(titles), columns)
    compared = [column for column in columns if column != "mAcc"]
    steps = [
        [papers.step(values, before, after, column, reported) for column in compared]
        for before, after in cacl_paper.steps(table)
        if kinds.get(before) == kinds.get(after)
    ]
    steps = [step for step in steps if any(one.seeds for one in step)]
    return {
        "name": table.name,
        "about": about,
        "columns": columns,
        "sources": [source for source in (cacl_paper.R18, cacl_paper.R50) if reported.get(source)],
        "blocks": blocks(table, spread, kinds, reported),
        "titles": titles,
        "compared": compared,
        "steps": steps,
        "told": papers.told([one for step in steps for one in step]),
        "missing": missing(table, seeds, runs),
        "lines": lines(table, titles, spread, reported),
    }


def blocks(
    table: PaperTableConfig, spread: papers.Spread, kinds: Mapping[str, str], reported: papers.Reported
) -> list[dict[str, Any]]:
    """The rows of a table; those that learned from more than the images stand apart."""
    by_preset = {row.preset: row for row in table.rows}
    found = []
    for beyond, presets in groups(list(by_preset), {preset: kinds.get(preset, "") for preset in by_preset}):
        values = cells(spread.mean.loc[presets], spread.std.loc[presets])
        rows = []
        for preset, own in zip(presets, values, strict=True):
            beside = [papers.stated(reported, column, preset) for column in spread.mean.columns]
            seeds = int(spread.seeds.loc[preset].max())
            told = [cell | {"paper": paper} for cell, paper in zip(own, beside, strict=True)]
            rows.append({"row": by_preset[preset], "seeds": seeds, "cells": told})
        found.append({"beyond": beyond, "rows": rows})
    return found


def missing(table: PaperTableConfig, seeds: Sequence[int], runs: Sequence[ScoredRun]) -> list[str]:
    """What a table lacks, and why."""
    found = []
    for row in table.rows:
        there = {run.seed: run for run in runs if run.preset == row.preset}
        for probe in table.probes:
            for seed in seeds:
                if seed not in there:
                    found.append(f"{row.preset}, seed {seed}: no such run was given")
                elif not (path := place(there[seed], probe)).is_file():
                    found.append(f"{row.preset}, seed {seed}, {named(probe)}: there is no {path}")
    return list(dict.fromkeys(found))


def lines(
    table: PaperTableConfig, titles: Mapping[str, str], spread: papers.Spread, reported: papers.Reported
) -> list[dict[str, Any]]:
    """A table in the long form of the CSV."""
    found = []
    for row in table.rows:
        for column in spread.mean.columns:
            paper = papers.stated(reported, column, row.preset)
            cell = {name: part.loc[row.preset, column] for name, part in spread._asdict().items()}
            found.append(
                {"table": table.name, "row": row.row or row.preset, "title": titles[row.preset], "preset": row.preset}
                | {"column": column, **cell}
                | {f"paper_{source}": paper.get(source) for source in (cacl_paper.R18, cacl_paper.R50)}
            )
    return found


def charts(frame: pd.DataFrame, kinds: Mapping[str, str]) -> list[tuple[str, str]]:
    """mIoU of every run under the linear probe, or the first that there is: (SVG, caption)."""
    probe = LINEAR if LINEAR in set(frame["probe"]) else frame["probe"].iloc[0]
    shown, found = frame[frame["probe"] == probe], []
    for beyond, presets in groups(shown["preset"], kinds):
        begun = f", with {beyond}" if beyond else ""
        values = {name: {"mIoU": shown.loc[shown["preset"] == name, "mIoU"].tolist()} for name in presets}
        chart = dot_chart(values, label=f"mIoU of every run, {probe}{begun}", x="mIoU (%)")
        found.append((chart, f"mIoU, {'linear probe' if probe == LINEAR else probe + ' of the labels'}{begun}."))
    return found


def _write(path: Path, frame: pd.DataFrame) -> None:
    with atomic(path) as partial:
        frame.to_csv(partial, index=False)
