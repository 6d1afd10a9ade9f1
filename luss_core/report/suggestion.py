"""A suggested number of categories in words and as charts."""

from collections.abc import Sequence

import numpy as np

from luss_core.metrics.suggestion import Suggestion
from luss_core.report.charts import Curve, line_chart

HEADS = {
    "clear": "The features show {n} categories.",
    "likely": "The features show {range} categories, perhaps {n}.",
    "open": "The features show no number of categories clearly; {n} is as good as others.",
}
READ = {
    "clear": "That is clear, but it is what the images look like to the encoder. Whether you want coarser or finer"
    " categories, only you know: look at the page of the run.",
    "likely": "Try both ends and look at the pages: more categories if one holds different things, fewer if one thing is"
    " in several.",
    "open": "Kinds of things flow into each other here. Choose by what you need, look at the page, then go up if one"
    " category holds different things and down if one thing is in several.",
}


def heading(found: Suggestion) -> str:
    """The recommendation in one sentence."""
    span = f"between {found.low} and {found.high}" if found.low < found.high else f"about {found.categories}"
    return HEADS[found.sure].format(n=found.categories, range=span)


def reasons(found: Suggestion) -> list[str]:
    """How sure it is, in sentences."""
    best = next(one for one in found.tried if one.categories == found.categories)
    stable = max(found.tried, key=lambda one: one.stability)
    other = "" if stable.categories == best.categories else f"; {stable.categories} are the most stable: {stable.stability:.2f}"
    span = f"{found.low}" if found.low == found.high else f"{found.low} to {found.high}"
    return [
        f"Two halves of the images are divided into {best.categories} in the same way by {best.stability:.2f} of 1"
        f" (0: as by chance){other}.",
        f"Nine in ten of {found.pairs} pairs of halves have their best number in {span}; in {found.agreeing} it is"
        f" {best.categories} or a neighbour of it.",
        READ[found.sure],
    ]


def key(found: Suggestion) -> str:
    """What to set."""
    return f"--config classes={found.categories}"


def chart(found: Suggestion, title: str) -> str:
    """The measures over the numbers that were tried, each in parts of its greatest; the suggestion upright."""
    x = np.array([one.categories for one in found.tried], float)
    rows = np.array(found.tried).T
    curves = [
        Curve(name, x, scaled(values), dots=True)
        for name, values in (("stability", rows[1]), ("silhouette", rows[3]), ("Calinski-Harabasz", rows[4]))
    ]
    mark = Curve(f"suggested: {found.categories}", np.full(2, float(found.categories)), np.array([0.0, 1.0]))
    return line_chart(
        [*curves, mark],
        label=f"Measures of the number of categories{title}",
        x="number of categories",
        y="part of the greatest",
        unit_range=True,
    )


def scaled(values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Parts of the greatest, at least 0."""
    positive = np.maximum(np.asarray(values, float), 0)
    return positive / max(positive.max(), 1e-12)
