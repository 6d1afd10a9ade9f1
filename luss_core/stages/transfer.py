"""Scores of segmentation networks that began from several encoders -> Table 7 of the LUSS paper with these runs."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from luss_core.config import AnnotatedConfig, TransferConfig, TransferRows
from luss_core.data.annotated import read_annotated
from luss_core.errors import UserError
from luss_core.io import atomic, write_text
from luss_core.metrics.probe import probe_scores
from luss_core.report import papers
from luss_core.report.beyond import weights_of
from luss_core.report.charts import dot_chart
from luss_core.report.comparison import ScoredRun, cells, first_runs
from luss_core.report.page import render
from luss_core.report.probed import probe_palette, probe_panels
from luss_core.report.transfer_paper import CAVEAT, NAMES, QUESTION, REPORTED, SOURCES
from luss_core.report.transfer_words import Seen, control_of, pairs, told

logger = logging.getLogger(__name__)

SCORES = ("mIoU", "mAcc", "accuracy")
ALIKE = ("data", "classes", "images", "learned")
"""What runs with one share of the labels must have in common."""


class Transferred(NamedTuple):
    """What one run found with one share of the labels."""

    run: ScoredRun
    share: str
    scores: Mapping[str, Any]


def transfer(
    cfg: TransferConfig,
    *,
    rows: TransferRows,
    data: AnnotatedConfig,
    runs: Sequence[ScoredRun],
    root: Path,
    out: Path,
    table: Path,
    scores: Path,
) -> None:
    """Write the page, ``table`` (a line for each encoder, share and score: mean, deviation, paper) and ``scores`` (a
    line for each run and share).

    Args:
        root: folder of the annotated data set, some images of which the page shows.

    Raises:
        UserError: scores are missing, or are of different images, classes or numbers of labels.
    """
    found = read(cfg, runs)
    frame = every_run(found)
    spread = spreads(frame, [row.preset for row in rows.rows])
    whole = [one for one in found if one.share == found[-1].share]
    first = [runs[k] for k in first_runs(runs)]
    _, test = read_annotated(data, root)
    palette = probe_palette(test)
    masks = [(run.preset, place(run, found[-1].share) / "masks") for run in first]
    page = render(
        "transfer.html",
        title=f"What encoders are worth with labels: {Path(whole[0].scores['data']['root']).name}",
        note=cfg.note,
        learned={row.preset: row.learned for row in rows.rows},
        **numbers(frame, spread),
        **paper(),
        shares={one.share: one.scores["learned"] for one in found},
        weights={one.run.preset: text for one in reversed(whole) if (text := weights_of(one.scores))},
        first=whole[0].scores,
        untrained=untrained(found),
        classes=class_table(whole),
        palette=palette,
        presets=[run.preset for run in first],
        panels=probe_panels(test, palette, masks),
        charts=[(chart(frame, list(spread["mIoU"].mean.index)), "mIoU with each share of the labels.")],
        runs=[(one.run, one.scores["provenance"]) for one in whole],
    )
    _write(table, pd.DataFrame(lines(rows, spread)))
    _write(scores, frame)
    write_text(out, page)
    logger.info("transfer: %d scores of %d encoders, %s", len(frame), len(rows.rows), out)


def spreads(frame: pd.DataFrame, presets: Sequence[str]) -> dict[str, papers.Spread]:
    """Mean and deviation of each score: rows are encoders, columns shares of the labels."""
    shares = list(dict.fromkeys(frame["share"]))
    return {score: papers.spread(long(frame, score), presets, shares) for score in SCORES}


def numbers(frame: pd.DataFrame, spread: Mapping[str, papers.Spread]) -> dict[str, Any]:
    """Tables of the page, and what is said of them."""
    presets, shares = (list(axis) for axis in (spread["mIoU"].mean.index, spread["mIoU"].mean.columns))
    control = control_of(presets)
    steps = {pair: compared(frame, shares, *pair) for pair in pairs(presets)}
    seen = [Seen(after, steps[before, after]) for before, after in steps if before == control]
    return {
        "told": told(spread["mIoU"], seen, control),
        "seeds": frame["seed"].nunique(),
        "blocks": [{"score": score, "rows": shown(spread[score], score)} for score in SCORES],
        "steps": list(steps.values()),
    }


def paper() -> dict[str, Any]:
    """What the page has of the paper."""
    return {"question": QUESTION, "caveat": CAVEAT, "sources": SOURCES, "names": NAMES, "reported": REPORTED}


def place(run: ScoredRun, share: str) -> Path:
    """The folder of a share of the labels, such as `10 %`, of a run."""
    return run.folder / "segment" / share.removesuffix(" %")


def read(cfg: TransferConfig, runs: Sequence[ScoredRun]) -> list[Transferred]:
    """All scores, from the smallest share of the labels to the largest.

    Raises:
        UserError: one is missing, or two of a share are not of the same images, classes and number of labels.
    """
    shares = [f"{percent:g} %" for percent in sorted(cfg.percents)]
    found = [
        Transferred(run, share, probe_scores(place(run, share) / "scores.json")) for share in shares for run in runs
    ]
    for share in shares:
        first, *others = (one for one in found if one.share == share)
        for one in others:
            for key in ALIKE:
                if one.scores[key] != first.scores[key]:
                    raise UserError(
                        f"{place(one.run, share)}: {key} is {one.scores[key]}, of {place(first.run, share)}"
                        f" {first.scores[key]}; compare networks that learned from one data set"
                    )
    return found


def every_run(found: Sequence[Transferred]) -> pd.DataFrame:
    """One line for each run and share: preset, seed, share, images that were learned from, scores in percent."""
    return pd.DataFrame(
        {"preset": one.run.preset, "seed": one.run.seed, "share": one.share, "learned": one.scores["learned"]}
        | {key: one.scores[key] for key in SCORES}
        for one in found
    )


def long(frame: pd.DataFrame, score: str) -> pd.DataFrame:
    """One score as ``papers.spread`` wants it."""
    named = frame.rename(columns={"preset": "row", "share": "column", score: "value"})
    return named[["row", "column", "seed", "value"]]


def compared(frame: pd.DataFrame, shares: Sequence[str], before: str, after: str) -> list[papers.Step]:
    """What one encoder has more than another, with each share of the labels."""
    return [papers.step(long(frame, "mIoU"), before, after, share, REPORTED) for share in shares]


def shown(spread: papers.Spread, score: str) -> list[tuple[str, list[dict[str, Any]]]]:
    """The rows of a table: what each cell shows, and the paper's beside it."""
    found = []
    for preset, row in zip(spread.mean.index, cells(spread.mean, spread.std), strict=True):
        beside = [papers.stated(REPORTED, share, preset) if score == "mIoU" else {} for share in spread.mean.columns]
        found.append((preset, [cell | {"paper": paper} for cell, paper in zip(row, beside, strict=True)]))
    return found


def untrained(found: Sequence[Transferred]) -> dict[str, list[str]]:
    """For each share the classes that some run had no sample of; none where it had all of them."""
    order = found[0].scores["classes"]
    missing: dict[str, set[str]] = {}
    for one in found:
        missing.setdefault(one.share, set()).update(one.scores["untrained"])
    return {share: [name for name in order if name in names] for share, names in missing.items() if names}


def class_table(whole: Sequence[Transferred]) -> dict[str, Any]:
    """IoU of each class that occurs with the largest share of the labels, a mean over the seeds."""
    first = whole[0].scores
    names = [name for name in first["classes"] if name not in first["absent"]]
    frame = pd.DataFrame([[one.run.preset, *one.scores["IoU"]] for one in whole], columns=["preset", *first["classes"]])
    means = frame.groupby("preset", sort=False)[names].mean()
    return {"presets": list(means.index), "rows": [(name, means[name].tolist()) for name in names]}


def chart(frame: pd.DataFrame, presets: Sequence[str]) -> str:
    """mIoU of every run, a row an encoder and a colour a share."""
    values = {
        preset: {
            share: part["mIoU"].tolist()
            for share, part in frame[frame["preset"] == preset].groupby("share", sort=False)
        }
        for preset in presets
    }
    return dot_chart(values, label="mIoU of every run", x="mIoU (%)")


def lines(rows: TransferRows, spread: Mapping[str, papers.Spread]) -> list[dict[str, Any]]:
    """The table in the long form of the CSV."""
    found = []
    for row in rows.rows:
        for score, values in spread.items():
            for share in values.mean.columns:
                paper = papers.stated(REPORTED, share, row.preset) if score == "mIoU" else {}
                cell = {name: part.loc[row.preset, share] for name, part in values._asdict().items()}
                found.append(
                    {"encoder": row.preset, "learned": row.learned, "share": share, "score": score, **cell}
                    | {f"paper_{source}": paper.get(source) for source in SOURCES}
                )
    return found


def _write(path: Path, frame: pd.DataFrame) -> None:
    with atomic(path) as partial:
        frame.to_csv(partial, index=False)
