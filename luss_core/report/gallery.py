"""The images nearest each centroid: what a cluster has in common."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from luss_core.colours import Chip, Palette
from luss_core.data.features import Clusters
from luss_core.data.images import ImageList
from luss_core.data.masks import IGNORE
from luss_core.data.spread import evenly
from luss_core.data.store import Store
from luss_core.report.pictures import photo_uri, square

SIDE = 96
"""Pixels of a thumbnail."""
BUDGET = 320
"""Thumbnails of a page: with more clusters only some of these are shown, so that the page stays small."""


@dataclass(frozen=True)
class Thumb:
    picture: str
    alt: str


@dataclass(frozen=True)
class ClusterCard:
    """One cluster of the page."""

    id: int
    """1-based, as in the masks."""
    size: int
    chip: Chip | None
    """The class that it is matched with, or its own name without truth; None if it has no match."""
    folder: str
    """Commonest folder of its images; empty where images are not in folders."""
    folder_share: float
    thumbs: list[Thumb]


def gallery(
    clusters: Clusters,
    images: ImageList,
    store: Store,
    palette: Palette,
    classes: np.ndarray,
    count: int,
    names: Sequence[str],
) -> list[ClusterCard]:
    """Clusters by size, each with its ``count`` images nearest the centroid; evenly chosen by size if there are many.

    Empty ones have nothing to show.

    Args:
        classes: (C + 1,) class of each cluster.
        names: (C + 1,) of the true classes, shown in place of the folders that hold them.
    """
    total = len(clusters.centroids)
    nearest = by_distance(clusters.label, clusters.distance, total)
    by_size = sorted((k for k in range(total) if len(nearest[k])), key=lambda k: (-len(nearest[k]), k))
    folders = images.folder if len(set(images.folder)) > 1 else [""] * len(images)
    called = dict(zip(images.class_names(len(names) - 1), names, strict=True))
    cards = []
    for k in evenly(by_size, max(1, BUDGET // count)):
        rows = clusters.row[nearest[k]]
        folder, held = commonest([folders[row] for row in rows])
        label = int(classes[k + 1])
        cards.append(
            ClusterCard(
                id=k + 1,
                size=len(rows),
                chip=None if label == IGNORE else palette.chip(label),
                folder=called.get(folder, folder),
                folder_share=held,
                thumbs=[_thumb(store, images, int(row)) for row in rows[:count]],
            )
        )
    return cards


def by_distance(label: np.ndarray, distance: np.ndarray, clusters: int) -> list[np.ndarray]:
    """For each cluster the positions of its members, nearest the centroid first."""
    order = np.lexsort((distance, label))
    return np.split(order, np.searchsorted(label[order], np.arange(1, clusters)))


def commonest(names: Sequence[str]) -> tuple[str, float]:
    """The commonest name and its share; the empty name without any."""
    if not names:
        return "", 0.0
    name, count = Counter(names).most_common(1)[0]
    return name, count / len(names)


def _thumb(store: Store, images: ImageList, row: int) -> Thumb:
    return Thumb(photo_uri(square(store.read(row)), longest=SIDE), f"training image {images.id[row]}")
