"""How many categories do feature vectors show? Three measures over a range of numbers, and what they say together.

Nothing is known of the images, so no number is right for sure. One is good where two halves of the images are divided
alike (prediction strength, Tibshirani and Walther 2005; here by the adjusted Rand index, which has no favourite number),
and where images lie nearer their own category than the next (silhouette, Rousseeuw 1987).
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, calinski_harabasz_score

EACH, STEP = 12, 1.15
"""Every number up to EACH is tried, then numbers that grow by this factor."""
FEWEST = 4
"""Images a category, at the least, in what is tried: two in each half."""
RESTARTS = 10
"""Of k-means, by k-means++."""
ALIKE, APART = 0.8, 0.6
"""Stability from which halves are divided alike, and below which they are not."""
CLEAR = 0.8
"""Share of the pairs of halves that must agree on a number, or a neighbour of it, for it to be clear."""


class Tried(NamedTuple):
    """One number of categories."""

    categories: int
    stability: float
    """Adjusted Rand index of how two halves of the images divide the second of them, mean over the pairs: 1 alike, 0 as
    by chance."""
    deviation: float
    """Of the stability, over the pairs of halves."""
    silhouette: float
    """-1..1: how much nearer images are to their own category than to the next, mean over the halves."""
    calinski_harabasz: float
    """Variance between categories over variance within, mean over the halves."""

    @property
    def score(self) -> float:
        """What the numbers are compared by: stability times silhouette, each at least 0."""
        return max(self.stability, 0) * max(self.silhouette, 0)


class Suggestion(NamedTuple):
    """What the measures say together."""

    categories: int
    low: int
    high: int
    """Nine in ten pairs of halves have their best number in low..high."""
    agreeing: int
    """Pairs whose best number is that of all, or its neighbour among the numbers that were tried."""
    pairs: int
    sure: str
    """clear, likely or open."""
    tried: tuple[Tried, ...]


def numbers(largest: int, images: int) -> list[int]:
    """What is tried: 2, 3, ... 12, then numbers that grow by 15 %, up to ``largest`` or what the images suffice for."""
    found, value = list[int](), 2
    while value <= min(largest, images // FEWEST):
        found.append(value)
        value = value + 1 if value < EACH else round(value * STEP)
    return found


def suggest_number(vectors: np.ndarray, tried: Sequence[int], pairs: int, seed: int) -> Suggestion:
    """The number of categories with the best score, and how far the pairs of halves agree on it.

    Args:
        vectors: (n, D) float32, as they are clustered.
        tried: numbers of categories, rising, each at most n / FEWEST.
        pairs: how often the images are cut into two halves at random.
    """
    every = [list(of_halves(halves, tried, seed + k)) for k, halves in enumerate(cut(vectors, pairs, seed))]
    return together([[one[k] for one in every] for k in range(len(tried))])


def cut(vectors: np.ndarray, pairs: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Random halves of the vectors."""
    for order in (np.random.default_rng([seed, pair]).permutation(len(vectors)) for pair in range(pairs)):
        half = len(vectors) // 2
        yield vectors[order[:half]], vectors[order[half : 2 * half]]


def of_halves(halves: tuple[np.ndarray, np.ndarray], tried: Sequence[int], seed: int) -> Iterator[Tried]:
    """What one pair of halves says of each number."""
    first, second = halves
    apart = distances(second)
    for categories in tried:
        theirs, own = (KMeans(categories, n_init=RESTARTS, random_state=seed + k).fit(half) for k, half in enumerate(halves))
        label = own.labels_
        stability = float(adjusted_rand_score(label, theirs.predict(second)))
        within = float(calinski_harabasz_score(second, label)) if len(set(label)) > 1 else 0.0
        yield Tried(categories, stability, 0.0, silhouette(apart, label), within)


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
    mean = np.where(size > 0, sums / np.maximum(size, 1), np.inf)
    mean[place, label] = np.inf
    nearest = mean.min(axis=1)
    counts = (size[label] > 1) & np.isfinite(nearest)
    greater = np.maximum(np.maximum(own, nearest), 1e-12)
    return float(np.where(counts, (nearest - own) / greater, 0).mean())


def together(found: Sequence[Sequence[Tried]]) -> Suggestion:
    """What all pairs of halves say.

    Args:
        found: for each number, rising, what each pair said of it.
    """
    tried = tuple(_mean(values) for values in found)
    best = max(range(len(tried)), key=lambda k: tried[k].score)
    pairs = len(found[0])
    chosen = [max(range(len(tried)), key=lambda k: found[k][pair].score) for pair in range(pairs)]
    low, high = (tried[k].categories for k in within(chosen, best))
    agreeing = sum(abs(k - best) <= 1 for k in chosen)
    return Suggestion(tried[best].categories, low, high, agreeing, pairs, surety(tried[best], agreeing / pairs), tried)


def within(chosen: Sequence[int], best: int) -> tuple[int, int]:
    """Where nine in ten of the choices lie, and the best of all."""
    low, high = np.quantile(chosen, (0.05, 0.95), method="nearest").astype(int)
    return min(int(low), best), max(int(high), best)


def surety(best: Tried, agreeing: float) -> str:
    """clear: halves are divided alike, and most of their pairs agree on the number; open: they are not divided alike."""
    if best.stability < APART or best.silhouette <= 0:
        return "open"
    return "clear" if best.stability >= ALIKE and agreeing >= CLEAR else "likely"


def _mean(values: Sequence[Tried]) -> Tried:
    rows = np.array(values)
    _, stability, _, apart, within = rows.mean(axis=0).tolist()
    return Tried(values[0].categories, stability, float(rows[:, 1].std()), apart, within)
