"""What papers report beside what runs found: means over seeds, differences of rows, and what may be said of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import t as student

from luss_core.report.comparison import none

CONFIDENCE = 0.95

Reported = Mapping[str, Mapping[str, Mapping[str, float]]]
"""Numbers of a paper: source (such as R18, its ResNet-18), column, row."""


class Spread(NamedTuple):
    """Tables of rows and columns, NaN where there is nothing."""

    mean: pd.DataFrame
    std: pd.DataFrame
    """Sample standard deviation over the seeds (n - 1); NaN for one seed."""
    seeds: pd.DataFrame
    """How many; 0 where there is nothing."""


class Step(NamedTuple):
    """What one row has more than another, in one column."""

    before: str
    after: str
    column: str
    mean: float | None
    """Of the differences seed by seed, so that what the seeds share cancels; None where no seed has both."""
    std: float | None
    seeds: int
    """That both have."""
    paper: dict[str, float]
    """The difference in the paper, by source."""
    verdict: str
    """as the paper | against the paper | higher | lower | open: whether chance explains the difference."""


def spread(frame: pd.DataFrame, rows: Sequence[str], columns: Sequence[str]) -> Spread:
    """Mean, deviation and count over seeds.

    Args:
        frame: row, column, seed, value; one line a run and column. What has no value is left out.
        rows, columns: in their order; also those that the frame does not have.
    """
    grouped = frame.dropna(subset="value").groupby(["row", "column"])["value"]
    shaped = [
        grouped.agg(how).unstack().reindex(index=list(rows), columns=list(columns)) for how in ("mean", "std", "count")
    ]
    return Spread(shaped[0].astype("float64"), shaped[1].astype("float64"), shaped[2].fillna(0).astype("int64"))


def stated(reported: Reported, column: str, row: str) -> dict[str, float]:
    """What a paper has for a cell, by source."""
    found = {source: columns.get(column, {}).get(row) for source, columns in reported.items()}
    return {source: value for source, value in found.items() if value is not None}


def step(frame: pd.DataFrame, before: str, after: str, column: str, reported: Reported) -> Step:
    """The difference of two rows of ``spread``'s frame, beside the paper's.

    Its verdict needs a paired t-test at 95 %: with three seeds the mean has to be 2.5 times the deviation.
    """
    part = frame[frame["column"] == column].dropna(subset="value")
    values = {row: part[part["row"] == row].set_index("seed")["value"] for row in (before, after)}
    differences = (values[after] - values[before]).dropna()
    first, second = stated(reported, column, before), stated(reported, column, after)
    paper = {source: second[source] - first[source] for source in second if source in first}
    mean, std = differences.mean(), differences.std()
    verdict = judge(mean, std, len(differences), list(paper.values()))
    return Step(before, after, column, none(mean), none(std), len(differences), paper, verdict)


def judge(mean: float, std: float, seeds: int, paper: Sequence[float]) -> str:
    """The verdict of a step, see there.

    Args:
        paper: the same difference in the paper; where these differ in sign, nothing is said of the paper.
    """
    if seeds < 2 or not abs(mean) > student.ppf((1 + CONFIDENCE) / 2, seeds - 1) * std / np.sqrt(seeds):
        return "open"
    signs = {np.sign(value) for value in paper}
    if len(signs) != 1 or signs == {0.0}:
        return "higher" if mean > 0 else "lower"
    return "as the paper" if np.sign(mean) in signs else "against the paper"


def told(steps: Sequence[Step]) -> str:
    """How many differences go which way, in words."""
    seeds = max((s.seeds for s in steps), default=0)
    if seeds < 2:
        return "One seed: chance cannot be told from what the rows do." if seeds else "Nothing to compare yet."
    count, rest = (Counter(s.verdict for s in steps if bool(s.paper) == there) for there in (True, False))
    parts = []
    if count:
        parts.append(
            f"Differences in the paper: {count.total()}. Here as there {count['as the paper']}, the other way"
            f" {count['against the paper']}, may be chance {count['open']} ({seeds} seeds)."
        )
    if rest:
        sure = rest.total() - rest["open"]
        parts.append(
            f"Differences that the paper does not have: {rest.total()}, of which {sure} can be told from chance."
        )
    return " ".join(parts)
