"""Step 2b: features.h5 -> clusters.h5 and balance.json."""

import logging
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from luss_core.config import ClusterConfig
from luss_core.data.features import Clusters, read_features, write_clusters
from luss_core.data.images import read_images
from luss_core.errors import UserError
from luss_core.io import provenance, write_json
from luss_core.metrics.clustering import clustering_accuracy, nmi

logger = logging.getLogger(__name__)


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

    Raises:
        UserError: fewer images than clusters.
    """
    faiss.omp_set_num_threads(threads)
    vectors, row = read_features(features)
    if len(vectors) < classes:
        raise UserError(f"{len(vectors)} training images cannot form classes = {classes} clusters; lower classes")
    if cfg.normalize:
        vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    if cfg.components:
        vectors = whiten(vectors, cfg.components)
    if cfg.assign == "single":
        centroids, runs = np.tile(vectors.mean(axis=0), (classes, 1)), list[float]()
        label, distance = np.zeros(len(vectors), np.int32), ((vectors - centroids[0]) ** 2).sum(axis=1)
    else:
        centroids, runs = fit_centroids(vectors, classes, cfg.iterations, cfg.restarts, seed)
        label, distance = assign(vectors, centroids)
    about = provenance({"cluster": cfg.model_dump(mode="json"), "classes": classes, "seed": seed})
    found = Clusters(centroids.astype(np.float32), row, label, distance.astype(np.float32))
    folders = [read_images(images).folder[r] for r in row]
    report = balance_report(found, folders, runs)
    logger.info("cluster: sizes %s, balance %.2f, NMI %s", report["sizes"], report["entropy"], report["nmi"])
    write_clusters(out, found, about)
    write_json(balance, report | {"provenance": about})


def whiten(vectors: np.ndarray, components: int) -> np.ndarray:
    """(n, min(components, d, n - 1)) leading principal components of (n, d) vectors, each with mean 0 and variance 1.

    A direction without variance stays 0 rather than becoming amplified rounding.
    """
    count, dim = vectors.shape
    pca = faiss.PCAMatrix(dim, max(1, min(components, dim, count - 1)), -0.5)
    seen = min(count, pca.max_points_per_d * dim)  # faiss sums squares over what it samples instead of averaging.
    spread = float(vectors[:: -(-count // 10_000)].var(axis=0).sum())
    pca.epsilon = (1e-8 * spread or 1.0) * seen
    vectors = np.ascontiguousarray(vectors, np.float32)
    pca.train(vectors)
    return pca.apply(vectors) * np.float32(seen) ** 0.5


def fit_centroids(
    vectors: np.ndarray, count: int, iterations: int, restarts: int, seed: int
) -> tuple[np.ndarray, list[float]]:
    """k-means by faiss: the (C, D) centroids of the restart with the least inertia, and the inertia of each restart.

    Every vector takes part: faiss would otherwise look at 256 a centroid.
    """
    best, inertias = np.empty(0, np.float32), list[float]()
    for restart in range(restarts):
        kmeans = faiss.Kmeans(
            vectors.shape[1],
            count,
            niter=iterations,
            seed=seed * 100_003 + restart + 1,
            gpu=_has_gpu(),
            min_points_per_centroid=1,
            max_points_per_centroid=len(vectors),
        )
        kmeans.train(np.ascontiguousarray(vectors, np.float32))
        centroids = np.array(kmeans.centroids, np.float32)
        inertias.append(float(assign(vectors, centroids)[1].sum(dtype=np.float64)))
        if inertias[-1] == min(inertias):
            best = centroids
    return best, inertias


def assign(vectors: np.ndarray, centroids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) nearest centroid and (n,) squared distance to it."""
    distance, label = faiss.knn(np.ascontiguousarray(vectors, np.float32), np.ascontiguousarray(centroids), 1)
    return label[:, 0].astype(np.int32), distance[:, 0]


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


def _has_gpu() -> bool:
    """Whether this faiss was built for GPUs and sees one."""
    return getattr(faiss, "get_num_gpus", lambda: 0)() > 0
