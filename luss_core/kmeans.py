"""k-means by faiss: trained in memory, refined and assigned block by block.

On the processor, whatever GPUs faiss could use: the job claims none, a million vectors take minutes on eight cores, and
faiss-gpu cannot be installed beside faiss-cpu, which has the same files.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from scipy.sparse import csr_array

from luss_core.data.features import Change, Features
from luss_core.parallel import progress

Blocks = Callable[[], Iterable[np.ndarray]]
"""Gives all (b, D) float32 vectors anew, some at a time."""

ROWS = 1 << 14


def normalized(vectors: np.ndarray) -> np.ndarray:
    """(n, D) float32 vectors divided by their L2 norms, in place; zeros stay zeros."""
    for start in range(0, len(vectors), ROWS):  # the norm of all at once would take as much memory as they do
        part = vectors[start : start + ROWS]
        part /= np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-12)
    return vectors


@dataclass(frozen=True)
class Components:
    """Leading principal components, with mean 0 where they were fitted; whitened with variance 1 each as well."""

    transform: Any
    """A trained faiss.PCAMatrix."""
    scale: np.float32

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        """(n, D) -> (n, components)."""
        return self.transform.apply(vectors) * self.scale

    @property
    def matrix(self) -> np.ndarray:
        """(components, D) float32 of the linear map that this is."""
        return self.scale * faiss.vector_to_array(self.transform.A).reshape(-1, self.transform.d_in)

    @property
    def offset(self) -> np.ndarray:
        """(components,) float32 that it adds."""
        return self.scale * faiss.vector_to_array(self.transform.b)


def fit_components(vectors: np.ndarray, components: int, whiten: bool) -> Components:
    """Fit to (n, D) float32 vectors; min(components, D, n - 1) are kept.

    A direction without variance stays 0 rather than becoming amplified rounding.
    """
    count, dim = vectors.shape
    pca = faiss.PCAMatrix(dim, max(1, min(components, dim, count - 1)), -0.5 if whiten else 0)
    seen = min(count, pca.max_points_per_d * dim)  # faiss sums squares over what it samples instead of averaging.
    spread = float(vectors[:: -(-count // 10_000)].var(axis=0).sum())
    pca.epsilon = (1e-8 * spread or 1.0) * seen
    pca.train(vectors)
    return Components(pca, np.float32(seen**0.5 if whiten else 1))


class Space:
    """The vectors as they are clustered: a sample in memory, and all of them in blocks."""

    def __init__(
        self,
        source: Features,
        chosen: np.ndarray,
        normalize: bool,
        components: int = 0,
        whiten: bool = True,
        normalize_after: bool = False,
    ):
        """Args:
        chosen: (m,) positions of the sample, ascending.
        normalize, components, whiten, normalize_after: divide by the norm first; then keep so many principal
            components, 0 for none, whitened or not; then divide by the norm.
        """
        self._source, self._normalize, self._normalize_after = source, normalize, normalize_after
        self._components: Components | None = None
        vectors = self._begun(source.take(chosen))
        if components:
            self._components = fit_components(vectors, components, whiten)
        self.sample = self._ended(vectors)
        """(m, D) float32."""

    def blocks(self) -> Iterator[np.ndarray]:
        """All vectors in order; what is in memory is not read again."""
        if len(self.sample) == self._source.count:
            yield self.sample
        else:
            yield from (self._ended(self._begun(block)) for block in self._source.blocks())

    @property
    def change(self) -> Change:
        """What was done to the vectors, to do it to others."""
        found, dim = self._components, self._source.dim
        matrix, offset = (found.matrix, found.offset) if found else (np.empty((0, dim)), np.empty(0))
        return Change(self._normalize, matrix.astype(np.float32), offset.astype(np.float32), self._normalize_after)

    def _begun(self, vectors: np.ndarray) -> np.ndarray:
        return normalized(vectors) if self._normalize else vectors

    def _ended(self, vectors: np.ndarray) -> np.ndarray:
        vectors = self._components(vectors) if self._components else vectors
        return normalized(np.ascontiguousarray(vectors)) if self._normalize_after else vectors


def sample_of(count: int, limit: int, seed: int) -> np.ndarray:
    """(m,) ascending positions below ``count``: all of them, or a random ``limit`` where that is less and not 0."""
    if not 0 < limit < count:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, limit, replace=False))


def fit_centroids(
    vectors: np.ndarray, count: int, iterations: int, restarts: int, seed: int
) -> tuple[np.ndarray, list[float]]:
    """The (C, D) centroids of the restart with the least inertia, and the inertia of each restart.

    Args:
        vectors: (n, D) float32, contiguous; all take part (faiss would otherwise look at 256 a centroid).
    """
    best, inertias = np.empty(0, np.float32), list[float]()
    for restart in progress(range(restarts), restarts, "restarts"):
        kmeans = faiss.Kmeans(
            vectors.shape[1],
            count,
            niter=iterations,
            seed=seed * 100_003 + restart + 1,
            min_points_per_centroid=1,
            max_points_per_centroid=len(vectors),
        )
        kmeans.train(vectors)
        centroids = np.array(kmeans.centroids, np.float32)
        inertias.append(float(assign(lambda: [vectors], centroids)[1].sum(dtype=np.float64)))
        if inertias[-1] == min(inertias):
            best = centroids
    return best, inertias


def improve(blocks: Blocks, centroids: np.ndarray) -> tuple[np.ndarray, float]:
    """One iteration of Lloyd over all vectors: (C, D) centroids, and the inertia with those before it.

    A cluster that becomes empty keeps its centroid.
    """
    sums, sizes, inertia = np.zeros(centroids.shape), np.zeros(len(centroids), np.int64), 0.0
    for vectors, label, distance in _assigned(blocks, centroids):
        sums += _membership(label, len(sizes)).T @ vectors
        sizes += np.bincount(label, minlength=len(sizes))
        inertia += float(distance.sum(dtype=np.float64))
    filled = sizes > 0
    moved = centroids.copy()
    moved[filled] = sums[filled] / sizes[filled, None]
    return moved, inertia


def around_means(blocks: Blocks, label: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(count, D) means of the vectors of each label, zeros without any, and (n,) float32 squared distances to them.

    Args:
        label: (n,), or (n, K) where vectors have several, of which the first counts for the distance; -1: none.
    """
    starts = np.cumsum([0, *(len(vectors) for vectors in blocks())])
    parts = [slice(*ends) for ends in itertools.pairwise(starts)]
    sums = sum(_membership(label[part], count).T @ vectors for part, vectors in zip(parts, blocks(), strict=True))
    means = sums / np.maximum(np.bincount(label[label >= 0], minlength=count), 1)[:, None]
    first = label if label.ndim == 1 else label[:, 0]
    apart = (vectors - means[first[part]] for part, vectors in zip(parts, blocks(), strict=True))
    return means, np.concatenate([(d**2).sum(axis=1) for d in apart]).astype(np.float32)


def assign(blocks: Blocks, centroids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) int32 nearest centroid and (n,) float32 squared distance to it."""
    found = [(label, distance) for _, label, distance in _assigned(blocks, centroids)]
    labels, distances = zip(*found, strict=True)
    return np.concatenate(labels), np.concatenate(distances)


def _assigned(blocks: Blocks, centroids: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Every block with its nearest centroids and squared distances."""
    index: faiss.Index = faiss.IndexFlatL2(centroids.shape[1])
    index.add(np.ascontiguousarray(centroids, np.float32))
    for vectors in blocks():
        distance, label = index.search(vectors, 1)
        yield vectors, label[:, 0].astype(np.int32), distance[:, 0]


def _membership(label: np.ndarray, count: int) -> csr_array:
    """(n, count) with a one for the label of each row, or for each of its (n, K) labels; -1: none."""
    there = label.reshape(len(label), -1) >= 0
    rows = np.concatenate([[0], np.cumsum(there.sum(axis=1))])
    return csr_array((np.ones(rows[-1], np.float32), label.reshape(there.shape)[there], rows), (len(label), count))
