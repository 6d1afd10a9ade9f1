"""How many of many vectors are different, but for rounding."""

from collections.abc import Iterable

import numpy as np

DIRECTIONS = 4
STEP = 1e-4
"""Vectors that are nearer than about this along all random directions are the same: the rounding of a network, whose
results depend in the last digits on the images beside in a batch, is some 1e-6."""
JOINED = 1 << 17
"""Cells, at the most, whose neighbours are looked for; of more a few copies may count twice."""


def count_distinct(blocks: Iterable[np.ndarray]) -> int:
    """How many different directions (n, D) float32 vectors have, given some at a time; 0 of none.

    Each is divided by its norm and projected on random directions. What falls into one cell of a grid there, or into
    cells that touch, is the same vector: of a million random ones about none. Memory is that of the projections.
    """
    found: list[np.ndarray] = []
    for vectors in blocks:
        norms = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        directions = np.random.default_rng(0).standard_normal((vectors.shape[1], DIRECTIONS)).astype(np.float32)
        found.append(np.rint((vectors @ directions) / norms / STEP).astype(np.int32))
    if not found:
        return 0
    cells = np.unique(np.concatenate(found), axis=0)
    return len(cells) if len(cells) > JOINED else _together(cells)


def _together(cells: np.ndarray) -> int:
    """How many groups of cells that touch there are."""
    from scipy.sparse import coo_array  # needed once in a run
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    pairs = cKDTree(cells).query_pairs(1.5, p=np.inf, output_type="ndarray")
    links = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(len(cells), len(cells)))
    return int(connected_components(links, directed=False)[0])
