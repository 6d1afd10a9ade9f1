"""Step 2b: features.h5 -> clusters.h5 and balance.json."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from luss_core.config import ClusterConfig
from luss_core.data.features import Clusters, Features, write_clusters
from luss_core.data.images import read_images
from luss_core.errors import UserError
from luss_core.io import provenance, write_json
from luss_core.kmeans import Whitening, assign, fit_centroids, fit_whitening, improve, normalized
from luss_core.metrics.clustering import clustering_accuracy, nmi

logger = logging.getLogger(__name__)

SHOWN = 50
"""Clusters whose sizes are logged."""


def cluster(
    cfg: ClusterConfig,
    *,
    features: Path,
    images: Path,
    classes: int,
    seed: int,
    out: Path,
    balance: Path,
    threads: int,
) -> None:
    """Give each training image one of C pseudo labels by k-means on its feature vector; Sec. 3.1 of the LUSS paper.

    Of many images a sample is held in memory, and all are read in blocks.

    Raises:
        UserError: fewer images than clusters, or features that are damaged.
    """
    faiss.omp_set_num_threads(threads)
    source = Features(features)
    if source.count < classes:
        raise UserError(f"{source.count} training images cannot form classes = {classes} clusters; lower classes")
    space = Space(source, cfg, sample_of(source.count, classes * cfg.sample, seed))
    if cfg.assign == "single":
        centroids, runs = np.tile(space.sample.mean(axis=0), (classes, 1)), list[float]()
    else:
        centroids, runs = fit_centroids(space.sample, classes, cfg.iterations, cfg.restarts, seed)
        if len(space.sample) < source.count:
            centroids = improved(space, centroids, cfg.passes)
    label, distance = assign(space.blocks, centroids)
    if cfg.assign == "single":
        label = np.zeros_like(label)  # Equal centroids: whichever comes first.
    about = provenance({"cluster": cfg.model_dump(mode="json"), "classes": classes, "seed": seed})
    found = Clusters(centroids.astype(np.float32), source.row, label, distance)
    listing = read_images(images)
    report = balance_report(found, [listing.folder[r] for r in source.row], runs)
    shown, more = report["sizes"][:SHOWN], ", ..." if classes > SHOWN else ""
    logger.info(
        "cluster: sizes %s%s, balance %.2f, NMI %s",
        ", ".join(map(str, shown)),
        more,
        report["entropy"],
        report["nmi"],
    )
    write_clusters(out, found, about)
    write_json(balance, report | {"provenance": about})


class Space:
    """The vectors as they are clustered: a sample in memory, and all of them in blocks."""

    def __init__(self, source: Features, cfg: ClusterConfig, chosen: np.ndarray):
        """Args:
        chosen: (m,) positions of the sample, ascending.
        """
        self._source, self._normalize = source, cfg.normalize
        self._whitening: Whitening | None = None
        vectors = self._placed(source.take(chosen))
        if cfg.components:
            self._whitening = fit_whitening(vectors, cfg.components)
            vectors = self._whitening(vectors)
        self.sample = vectors
        """(m, D) float32."""

    def blocks(self) -> Iterator[np.ndarray]:
        """All vectors in order; what is in memory is not read again."""
        if len(self.sample) == self._source.count:
            yield self.sample
        else:
            yield from map(self._placed, self._source.blocks())

    def _placed(self, vectors: np.ndarray) -> np.ndarray:
        vectors = normalized(vectors) if self._normalize else vectors
        return self._whitening(vectors) if self._whitening else vectors


def sample_of(count: int, limit: int, seed: int) -> np.ndarray:
    """(m,) ascending positions below ``count``: all of them, or a random ``limit`` where that is less and not 0."""
    if not 0 < limit < count:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, limit, replace=False))


def improved(space: Space, centroids: np.ndarray, passes: int) -> np.ndarray:
    """The centroids after ``passes`` over all vectors."""
    for number in range(1, passes + 1):
        centroids, inertia = improve(space.blocks, centroids)
        logger.info("pass %d of %d over all vectors, inertia %.6g before", number, passes, inertia)
    return centroids


def balance_report(found: Clusters, folders: list[str], runs: list[float]) -> dict[str, Any]:
    """Cluster sizes, their entropy as a fraction of log C, and agreement with folder names where there are any."""
    sizes = np.bincount(found.label, minlength=len(found.centroids))
    share = sizes[sizes > 0] / sizes.sum()
    named = len(set(folders)) > 1
    return {
        "sizes": sizes.tolist(),
        "entropy": round(float(-(share * np.log(share)).sum() / np.log(len(sizes))), 6),
        "inertia": float(found.distance.sum()),
        "restarts": runs,
        "nmi": nmi(found.label, folders) if named else None,
        "accuracy": clustering_accuracy(found.label, folders) if named else None,
    }
