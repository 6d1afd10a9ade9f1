"""The table of `snakemake wsss`: scores of each run, means and deviations, what a method adds, and what is seen."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from luss_core.config.wsss import WSSSRow, before
from luss_core.report import papers
from luss_core.report.comparison import ScoredRun, none
from luss_core.report.tables import RULES
from luss_core.report.wsss_paper import COLUMNS, paper_gain, title

LABELS = {"folders": "true labels", "clusters": "clusters"}
"""In words."""
OWN = "automatic"
"""The threshold rule that texts are of."""


class Gain(NamedTuple):
    """What a method adds to another with the same encoder and labels, in points of mIoU."""

    row: WSSSRow
    first: str
    """The method that it is compared with."""
    steps: Mapping[str, papers.Step]
    """By threshold rule."""
    paper: tuple[float, float] | None


class Shrinks(NamedTuple):
    """How much more a method adds with true labels than with clusters, by the automatic threshold."""

    encoder: str
    method: str
    first: str
    folders: papers.Step
    clusters: papers.Step
    verdict: str
    """higher: more with true labels | lower | open: may be chance."""


def run_table(runs: Sequence[ScoredRun], scores: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """One line for each run, rule and column: row, seed, rule, column, value; undefined values are NaN."""
    lines = [
        {
            "row": run.preset,
            "seed": run.seed,
            "rule": rule,
            "column": column.label,
            "value": ((values.get("splits") or {}).get(column.split, {}).get(rule) or {}).get(column.key),
        }
        for run, values in zip(runs, scores, strict=True)
        for rule in RULES
        for column in COLUMNS
    ]
    return pd.DataFrame(lines, columns=["row", "seed", "rule", "column", "value"]).astype({"value": "float64"})


def spread(table: pd.DataFrame, rows: Sequence[WSSSRow], rule: str) -> papers.Spread:
    """Mean, deviation and seeds of every row under a threshold rule."""
    part = table[table["rule"] == rule]
    return papers.spread(part, [row.name for row in rows], [column.label for column in COLUMNS])


def gains(table: pd.DataFrame, rows: Sequence[WSSSRow], split: str) -> list[Gain]:
    """Of each row that is compared with another, where some seed has both."""
    by_place = {(row.encoder, row.labels, row.segmented): row for row in rows}
    methods, found = tuple(dict.fromkeys(row.segmented for row in rows)), []
    for row in rows:
        first = before(row.segmented, methods)
        if first is None or (row.encoder, row.labels, first) not in by_place:
            continue
        names = by_place[row.encoder, row.labels, first].name, row.name
        steps = {rule: papers.step(table[table["rule"] == rule], *names, f"mIoU_{split}", {}) for rule in RULES}
        if steps[OWN].seeds:
            found.append(Gain(row, first, steps, paper_gain(row.segmented, first, row.labels)))
    return found


def shrinking(table: pd.DataFrame, gained: Sequence[Gain], rows: Sequence[WSSSRow], split: str) -> list[Shrinks]:
    """Of each method and encoder that has gains from both kinds of labels."""
    by_place = {(gain.row.encoder, gain.row.segmented, gain.row.labels): gain for gain in gained}
    found = []
    for (encoder, method, labels), gain in by_place.items():
        other = by_place.get((encoder, method, "clusters"))
        if labels != "folders" or other is None:
            continue
        part = table[(table["rule"] == OWN) & (table["column"] == f"mIoU_{split}")]
        more = _by_seed(part, rows, gain) - _by_seed(part, rows, other)
        more = more.dropna()
        verdict = papers.judge(more.mean(), more.std(), len(more), ())
        found.append(Shrinks(encoder, method, gain.first, gain.steps[OWN], other.steps[OWN], verdict))
    return found


def _by_seed(part: pd.DataFrame, rows: Sequence[WSSSRow], gain: Gain) -> pd.Series:
    """What a method adds, by seed."""
    own = gain.row
    first = next(
        row.name for row in rows if (row.encoder, row.labels, row.segmented) == (own.encoder, own.labels, gain.first)
    )
    values = [part[part["row"] == name].set_index("seed")["value"] for name in (own.name, first)]
    return values[0] - values[1]


def told(table: pd.DataFrame, gained: Sequence[Gain], rows: Sequence[WSSSRow], split: str) -> list[str]:
    """How many methods gain with each kind of labels, and the best of each encoder, in sentences."""
    found = [_told_with(gained, labels) for labels in LABELS]
    means = spread(table, rows, OWN).mean[f"mIoU_{split}"]
    for encoder in dict.fromkeys(row.encoder for row in rows):
        best = []
        for labels, name in LABELS.items():
            own = {row.name: row for row in rows if (row.encoder, row.labels) == (encoder, labels)}
            values = means.reindex(list(own)).dropna()
            if len(values):
                best.append(f"{values.max():.1f} with {name} ({title(own[str(values.idxmax())].segmented)})")
        if best:
            found.append(f"Best mIoU of {encoder}: {', '.join(best)}.")
    return [text for text in found if text]


def told_of(one: Shrinks) -> str:
    """Whether a gain shrinks, in one line."""
    more, less = one.folders.mean or 0.0, one.clusters.mean or 0.0
    if more <= 0:
        verdict = "no gain with true labels that could shrink"
    else:
        verdict = "the gain shrinks, as in the paper" if less < more else "the gain does not shrink, unlike the paper's"
        if one.folders.seeds > 1 and one.verdict == "open":
            verdict += ", which may be chance"
    return (
        f"{one.encoder}, {title(one.method)} over {title(one.first)}: {signed(more)} with true labels,"
        f" {signed(less)} from clusters; {verdict}."
    )


def _told_with(gained: Sequence[Gain], labels: str) -> str:
    part = [gain for gain in gained if gain.row.labels == labels]
    if not part:
        return ""
    up = sum((gain.steps[OWN].mean or 0.0) > 0 for gain in part)
    sure = sum(gain.steps[OWN].verdict != "open" for gain in part)
    counted = f"; {sure} of the {len(part)} can be told from chance" if part[0].steps[OWN].seeds > 1 else ""
    return f"With {LABELS[labels]} {up} of {len(part)} methods raise mIoU over what they are compared with{counted}."


def signed(value: float) -> str:
    """Points with their sign, never -0.0."""
    return f"{round(value, 1) + 0.0:+.1f}"


def summary(
    table: pd.DataFrame, rows: Sequence[WSSSRow], about: Mapping[str, Mapping[str, Any]], missing: Mapping[str, str]
) -> pd.DataFrame:
    """One line for each row and rule: mean, sample deviation (n - 1) and number of seeds, and what ``about`` has."""
    lines = []
    for rule in RULES:
        found = spread(table, rows, rule)
        for row in rows:
            line: dict[str, Any] = {"source": "here", "row": row.name, "method": row.segmented, "encoder": row.encoder}
            line |= {"pretrained": row.learned, "labels": row.labels, "rule": rule}
            line |= {"seeds": int(np.max(found.seeds.loc[row.name])), **about.get(row.name, {})}
            for column in COLUMNS:
                line[column.label] = none(found.mean.loc[row.name, column.label])
                line[f"{column.label}_std"] = none(found.std.loc[row.name, column.label])
            lines.append(line | {"missing": missing.get(row.name, "")})
    return pd.DataFrame(lines)
