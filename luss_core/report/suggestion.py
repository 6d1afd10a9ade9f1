"""A suggested number of categories in words and as charts."""

from collections.abc import Sequence

import numpy as np

from luss_core.metrics.suggestion import STRONG, Suggestion
from luss_core.report.charts import Curve, line_chart

HEADS = {
    "clear": "The features show {n} categories.",
    "likely": "The features show between {low} and {high} categories; {n} is in the middle of what three measures"
    " pick.",
    "open": "The features show no number of categories clearly; {n} is as good as others.",
}
READ = {
    "clear": "The measures agree. Still it is what the images look like to the encoder: whether you want coarser or"
    " finer categories, only you know. Look at the page of the run.",
    "likely": "The measures do not agree, so try both ends and look at the pages: more categories if one holds"
    " different things, fewer if one thing is in several.",
    "open": "Kinds of things flow into each other here, or there are few images. Choose by what you need, look at the"
    " page, then go up if one category holds different things and down if one thing is in several.",
}


def heading(found: Suggestion) -> str:
    """The recommendation in one sentence."""
    return HEADS[found.sure].format(n=found.categories, low=found.low, high=found.high)


def reasons(found: Suggestion) -> list[str]:
    """How sure it is, in sentences."""
    strong, tried = found.picks["strength"], {one.categories: one for one in found.tried}
    if strong is None:
        again = "No number has categories that are all found again in another half of the images: of"
        again += f" {found.categories} the weakest keeps {tried[found.categories].strength:.0%} of its pairs, where"
        again += f" {STRONG:.0%} would do."
    else:
        again = f"{strong} is the greatest number whose categories are all found again in another half of the images:"
        again += f" the weakest keeps {tried[strong].strength:.0%} of its pairs."
    return [
        again,
        f"{found.picks['both']} is the best by how alike halves are divided and how far categories lie apart together,"
        f" {found.picks['silhouette']} by how far they lie apart alone.",
        READ[found.sure],
    ]


def key(found: Suggestion) -> str:
    """What to set."""
    return f"--config classes={found.categories}"


def chart(found: Suggestion, title: str) -> str:
    """The measures over the numbers that were tried; the suggestion upright."""
    x = np.array([one.categories for one in found.tried], float)
    rows = np.array(found.tried).T
    measures = (("weakest category", rows[1]), ("stability", rows[3]), ("silhouette, of its greatest", scaled(rows[4])))
    curves = [Curve(name, x, values, dots=True) for name, values in measures]
    mark = Curve(f"suggested: {found.categories}", np.full(2, float(found.categories)), np.array([0.0, 1.0]))
    return line_chart(
        [*curves, mark],
        label=f"Measures of the number of categories{title}",
        x="number of categories",
        y="measure",
        unit_range=True,
    )


def scaled(values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Parts of the greatest, at least 0."""
    positive = np.maximum(np.asarray(values, float), 0)
    return positive / max(positive.max(), 1e-12)
