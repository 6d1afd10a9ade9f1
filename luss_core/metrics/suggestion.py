"""How many categories do feature vectors show? Three measures over a range of numbers, and what they say together.

Nothing is known of the images, so no number is right for sure. One is good where halves of the images are divided
alike, down to the weakest category (prediction strength, Tibshirani and Walther 2005), and where images lie nearer
their own category than the next (silhouette, Rousseeuw 1987).
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.cluster import contingency_matrix

EACH, STEP = 12, 1.15
"""Every number up to EACH is tried, then numbers that grow by this factor."""
FEWEST = 4
"""Images a category, at the least, in what is tried: two in each half."""
RESTARTS = 10
"""Of k-means, by k-means++. With 3 its own chance hid what the images show."""
STRONG = 0.8
"""Prediction strength from which all categories are found again, by its authors."""
NEAR = 1.25
"""The picks of the measures agree if the greatest is at most so many times the least."""


class Tried(NamedTuple):
    """One number of categories; means over pairs of halves of the images."""

    categories: int
    strength: float
    """Prediction strength, 0..1: of the pairs of images in a category of one half, the share that the division of the
    other half leaves together, in the weakest category."""
    error: float
    """Standard error of the strength."""
    stability: float
    """Adjusted Rand index of the two divisions: 1 alike, 0 as by chance."""
    silhouette: float
    """-1..1: how much nearer images are to their own category than to the next."""

    @property
    def both(self) -> float:
        """Stability times silhouette, each at least 0."""
        return max(self.stability, 0) * max(self.silhouette, 0)


class Suggestion(NamedTuple):
    """What the measures say together."""

    categories: int
    """The middle of what the measures pick; that of the greatest ``both`` where no categories are all found again."""
    low: int
    high: int
    """From the least to the greatest of what the measures pick."""
    picks: dict[str, int | None]
    """By each measure: the greatest number whose categories are all found again, and the number that is best by both
    stability and silhouette, and by the silhouette alone."""
    sure: str
    """clear: the picks are near each other; likely: they are not; open: no number has categories that are all found
    again."""
    tried: tuple[Tried, ...]


def numbers(largest: int, images: int) -> list[int]:
    """What is tried: 2, 3, ... 12, then numbers that grow by 15 %, up to ``largest`` or what the images suffice for."""
    found, value = list[int](), 2
    while value <= min(largest, images // FEWEST):
        found.append(value)
        value = value + 1 if value < EACH else round(value * STEP)
    return found


def suggest_number(vectors: np.ndarray, tried: Sequence[int], pairs: int, seed: int) -> Suggestion:
    """The number of categories that the measures suggest.

    Args:
        vectors: (n, D) float32, as they are clustered.
        tried: numbers of categories, rising, each at most n / FEWEST.
        pairs: how often the images are cut into two halves at random.
    """
    every = [list(of_halves(*halves, tried, seed + pair)) for pair, halves in enumerate(cut(vectors, pairs, seed))]
    return together([mean([one[k] for one in every]) for k in range(len(tried))])


def cut(vectors: np.ndarray, pairs: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Random halves of the vectors."""
    half = len(vectors) // 2
    for pair in range(pairs):
        order = np.random.default_rng([seed, pair]).permutation(len(vectors))
        yield vectors[order[:half]], vectors[order[half : 2 * half]]


def of_halves(first: np.ndarray, second: np.ndarray, tried: Sequence[int], seed: int) -> Iterator[Tried]:
    """What one pair of halves says of each number."""
    apart = distances(second)
    for categories in tried:
        theirs, own = (KMeans(categories, n_init=RESTARTS, random_state=2 * seed + k) for k in range(2))
        label, other = own.fit(second).labels_, theirs.fit(first).predict(second)
        stability = float(adjusted_rand_score(label, other))
        yield Tried(categories, prediction_strength(label, other), 0.0, stability, silhouette(apart, label))


def prediction_strength(own: np.ndarray, other: np.ndarray) -> float:
    """The least share, over the categories of (n,) ``own``, of its pairs of images that ``other`` leaves together.

    Categories of one image, which have no pairs, count 0: nothing shows that they would be found again.
    """
    table = contingency_matrix(own, other).astype(float)
    size = table.sum(axis=1)
    kept = (table * (table - 1)).sum(axis=1) / np.maximum(size * (size - 1), 1)
    return float(kept.min())


def distances(vectors: np.ndarray) -> np.ndarray:
    """(n, n) distances between (n, D) vectors."""
    squares = np.einsum("nd,nd->n", vectors, vectors)
    apart: np.ndarray = squares[:, None] + squares - 2 * (vectors @ vectors.T)
    np.fill_diagonal(apart, 0)
    return np.sqrt(np.maximum(apart, 0))


def silhouette(apart: np.ndarray, label: np.ndarray) -> float:
    """Mean silhouette of (n,) labels 0, 1, ... with (n, n) distances; 0 of images that are alone, and of one category.

    For all numbers that are tried the distances are the same, so that each costs one product of matrices.
    """
    member = np.eye(int(label.max()) + 1, dtype=apart.dtype)[label]  # (n, K)
    size, place = member.sum(axis=0), np.arange(len(label))
    sums = apart @ member
    own = sums[place, label] / np.maximum(size[label] - 1, 1)
    means = np.where(size > 0, sums / np.maximum(size, 1), np.inf)
    means[place, label] = np.inf
    nearest = means.min(axis=1)
    counts = (size[label] > 1) & np.isfinite(nearest)
    nearest = np.where(counts, nearest, own)
    return float(((nearest - own) / np.maximum(np.maximum(own, nearest), 1e-12)).mean())


def mean(values: Sequence[Tried]) -> Tried:
    """What all pairs of halves say of one number."""
    rows = np.array(values)
    _, strength, _, stability, apart = rows.mean(axis=0).tolist()
    return Tried(values[0].categories, strength, float(rows[:, 1].std() / len(rows) ** 0.5), stability, apart)


def together(tried: Sequence[Tried]) -> Suggestion:
    """What is suggested, of numbers that rise."""
    strong = [one.categories for one in tried if one.strength >= STRONG]
    both, apart = (max(tried, key=measure).categories for measure in (lambda one: one.both, lambda one: one.silhouette))
    picks = {"strength": strong[-1] if strong else None, "both": both, "silhouette": apart}
    found = sorted(pick for pick in picks.values() if pick is not None)
    low, high = found[0], found[-1]
    sure = "open" if not strong else "clear" if high <= NEAR * low else "likely"
    return Suggestion(found[1] if strong else both, low, high, picks, sure, tuple(tried))
