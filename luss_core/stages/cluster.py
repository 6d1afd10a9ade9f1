"""Step 2b: features.h5 -> clusters.h5 and balance.json."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from luss_core.config import ClusterConfig
from luss_core.data.beside import folder_labels
from luss_core.data.distinct import count_distinct
from luss_core.data.features import Clusters, Features, write_clusters
from luss_core.data.image_labels import matched, read_labels
from luss_core.data.images import ImageList, read_images
from luss_core.errors import UserError
from luss_core.io import provenance, write_json
from luss_core.kmeans import Space, around_means, assign, fit_centroids, improve, normalized, sample_of
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
    labels: Path | None = None,
) -> None:
    """Give each training image one of C pseudo labels by k-means on its feature vector; Sec. 3.1 of the LUSS paper.

    Or those that are given; see ``ClusterConfig``. Of many images a sample is held in memory, and all are read in
    blocks.

    Args:
        labels: the file of labels, with cfg.assign file.

    Raises:
        UserError: fewer images than clusters, features that are damaged, or labels that do not suit the images.
    """
    faiss.omp_set_num_threads(threads)
    source = Features(features)
    if source.count < classes:
        raise UserError(f"{source.count} training images cannot form classes = {classes} clusters; lower classes")
    chosen = sample_of(source.count, classes * cfg.sample, seed)
    space = Space(source, chosen, cfg.normalize, cfg.components, cfg.whiten, cfg.normalize_after)
    listing, runs = read_images(images), list[float]()
    if cfg.assign == "kmeans":
        centroids, runs = fit_centroids(space.sample, classes, cfg.iterations, cfg.restarts, seed)
        if len(space.sample) < source.count:
            centroids = improved(space, centroids, cfg.passes)
        centroids = normalized(centroids) if cfg.normalize_after else centroids
        label, distance = assign(space.blocks, centroids)
    else:
        label = given_labels(cfg, listing, source.row, classes, labels)
        centroids, distance = around_means(space.blocks, label, classes)
    about = provenance({"cluster": cfg.model_dump(mode="json"), "classes": classes, "seed": seed})
    found = only_labelled(Clusters(centroids.astype(np.float32), source.row, label, distance, space.change))
    report = balance_report(found, [listing.folder[r] for r in found.row], runs)
    report |= {"distinct": count_distinct(source.blocks()), "supervised": cfg.assign in ("folders", "file")}
    report |= {"warning": None if cfg.assign == "single" else emptiness(report["sizes"], report["distinct"])}
    if cfg.assign == "file":
        report |= {"labels_file": True, "warning": unlabelled(report["sizes"])}
    shown, more = ", ".join(map(str, report["sizes"][:SHOWN])), ", ..." if classes > SHOWN else ""
    even = "" if report["entropy"] is None else f", balance {report['entropy']:.2f}"
    logger.info("cluster: sizes %s%s%s", shown, more, even)
    if report["warning"]:
        logger.warning("cluster: %s", report["warning"])
    write_clusters(out, found, about)
    write_json(balance, report | {"provenance": about})


def given_labels(
    cfg: ClusterConfig, listing: ImageList, rows: np.ndarray, classes: int, labels: Path | None = None
) -> np.ndarray:
    """(n,) int32 labels that do not come from the features; (n, K) of a file, -1 where there is none.

    Raises:
        UserError: the images lie in another number of folders than there are to be categories, or the file has another
            number of them, or labels for none of the images.
    """
    if cfg.assign == "single":
        return np.zeros(len(rows), np.int32)
    if cfg.assign == "file":
        assert labels is not None
        return file_labels(labels, listing, rows, classes)
    label = folder_labels(listing, rows)
    if (folders := int(label.max()) + 1) != classes:
        raise UserError(
            f"cluster.assign: folders takes the {folders} folders of the training images for categories, but classes ="
            f" {classes}; set classes to {folders}"
        )
    return label.astype(np.int32)


def file_labels(path: Path, listing: ImageList, rows: np.ndarray, classes: int) -> np.ndarray:
    """(n, K) int32 labels of the images in the file's order, -1 behind the last and for images that have none."""
    found = read_labels(path)
    found.check_classes(classes)
    kept, own, unknown = matched(found, [listing.path[row] for row in rows.tolist()])
    label = np.full((len(rows), own.shape[1]), -1, np.int32)
    label[kept] = own
    logger.info(
        "cluster: %s: labels for %d of %d training images, %d of them with several; finetune leaves the others out",
        *(path, len(kept), len(rows), int((own >= 0)[:, 1:].any(axis=1).sum())),
    )
    logger.info("cluster: category %s", ", ".join(f"{k} is {name!r}" for k, name in enumerate(found.names[:SHOWN], 1)))
    if unknown:
        logger.warning("cluster: %s: %d images are no training images, such as %r", path, len(unknown), unknown[0])
    return label


def only_labelled(found: Clusters) -> Clusters:
    """What is trained on, of labels (n, K): images that have some, and ``several`` where any has."""
    if found.label.ndim == 1:
        return found
    kept = found.label[:, 0] >= 0
    label = found.label[kept]
    several = label if label.shape[1] > 1 else None
    return replace(found, row=found.row[kept], label=label[:, 0], distance=found.distance[kept], several=several)


def improved(space: Space, centroids: np.ndarray, passes: int) -> np.ndarray:
    """The centroids after ``passes`` over all vectors."""
    for number in range(1, passes + 1):
        centroids, inertia = improve(space.blocks, centroids)
        logger.info("pass %d of %d over all vectors, inertia %.6g before", number, passes, inertia)
    return centroids


def balance_report(found: Clusters, folders: list[str], runs: list[float]) -> dict[str, Any]:
    """Cluster sizes, their entropy as a fraction of log C, and agreement with folder names where there are any.

    The entropy of one cluster is null. Whether folders are categories, so that agreement is a score, evaluate decides.
    """
    sizes = np.bincount(found.labels[found.labels >= 0], minlength=len(found.centroids))
    share = sizes[sizes > 0] / sizes.sum()
    entropy = float((share * -np.log(share)).sum() / np.log(len(sizes))) if len(sizes) > 1 else None
    named = len(set(folders)) > 1
    return {
        "sizes": sizes.tolist(),
        "entropy": None if entropy is None else round(entropy, 6) + 0.0,  # no -0.0
        "empty": int((sizes == 0).sum()),
        "inertia": float(found.distance.sum()),
        "restarts": runs,
        "nmi": nmi(found.label, folders) if named else None,
        "accuracy": clustering_accuracy(found.label, folders) if named else None,
    }


def unlabelled(sizes: Sequence[int]) -> str | None:
    """How many categories of a file of labels no training image has; None where there is none."""
    empty = sum(size == 0 for size in sizes)
    if not empty:
        return None
    return (
        f"{empty} of {len(sizes)} categories {'is' if empty == 1 else 'are'} empty: no training image has a line for"
        f" {'it' if empty == 1 else 'them'} in cluster.labels; add lines, or take {'it' if empty == 1 else 'them'} out"
        " of the file and lower classes"
    )


def emptiness(sizes: Sequence[int], distinct: int) -> str | None:
    """How many categories no image has, and what to do; None where there is none.

    Args:
        sizes: images of each category.
        distinct: how many different feature vectors they have.
    """
    empty, total, images = sum(size == 0 for size in sizes), len(sizes), sum(sizes)
    if not empty:
        return None
    text = f"{empty} of {total} categories {'is' if empty == 1 else 'are'} empty"
    if distinct == 1:
        return f"{text}: all {images} training images look the same to the encoder; give photographs that differ"
    if distinct < total:
        alike = f"the {images} training images look like {distinct} different ones to the encoder"
        return f"{text}: {alike}; set classes to {distinct} or fewer, or give photographs that differ more"
    return f"{text}: no image is nearest their centroids; set classes to {total - empty} or fewer"
