"""How near images are to the centroids of all categories, and where they lie on a map: from features and clusters."""

import numpy as np

from luss_core.data.features import Change, Features

ROWS = 1 << 12
"""Vectors that are compared at once."""


def changed(vectors: np.ndarray, change: Change) -> np.ndarray:
    """(n, D) feature vectors -> (n, d) float32 as they were clustered."""
    found = vectors.astype(np.float32)
    if change.normalize:
        found = _unit(found)
    if len(change.matrix):
        found = found @ change.matrix.T + change.offset
    return _unit(found) if change.normalize_after else found


def members(features: Features, positions: np.ndarray, change: Change) -> np.ndarray:
    """(m, d) float32 vectors as they were clustered of the images at ``positions``, (m,) ascending."""
    return changed(features.take(positions), change)


def nearest(vectors: np.ndarray, centroids: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, count) int64 nearest centroids, the nearest first, and their (n, count) distances."""
    count, found = min(count, len(centroids)), []
    for start in range(0, len(vectors), ROWS):
        part = vectors[start : start + ROWS]
        apart = (part**2).sum(1)[:, None] - 2 * part @ centroids.T + (centroids**2).sum(1)
        order = np.argsort(apart, axis=1, kind="stable")[:, :count]
        found.append((order, np.sqrt(np.maximum(np.take_along_axis(apart, order, axis=1), 0))))
    orders, distances = (
        zip(*found, strict=True) if found else ([np.empty((0, count), np.int64)], [np.empty((0, count))])
    )
    return np.concatenate(orders), np.concatenate(distances)


def plane(vectors: np.ndarray) -> np.ndarray:
    """(n, 2) in 0..1: the two directions in which (n, d) vectors spread most, the first across."""
    if len(vectors) < 3 or vectors.shape[1] < 2:
        return np.full((len(vectors), 2), 0.5)
    centred = vectors - vectors.mean(axis=0)
    _, directions = np.linalg.eigh(centred.T @ centred / len(centred))
    at = centred @ directions[:, :-3:-1]
    at *= np.where(at[np.abs(at).argmax(axis=0), [0, 1]] < 0, -1, 1)  # the sign of a direction is arbitrary
    low, high = at.min(axis=0), at.max(axis=0)
    return (at - low) / np.maximum(high - low, 1e-12)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
