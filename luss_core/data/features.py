"""The HDF5 files between extraction and clustering, written once and read many times."""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from luss_core.data.hdf5 import WrittenFile, new_hdf5, open_hdf5
from luss_core.errors import UserError
from luss_core.io import atomic

CHUNK_BYTES = 1 << 20
"""Size of an HDF5 chunk: large enough to read at disk speed, small enough to stay flat in memory."""
BLOCK_BYTES = 1 << 26
"""Of vectors that are read at once."""


class FeatureWriter:
    """Appends rows to a feature file; opened by ``write_features``."""

    def __init__(self, file: WrittenFile, count: int, dim: int):
        self.file = file
        rows = max(1, min(count, CHUNK_BYTES // (4 * dim)))
        self.features = file.create_dataset("features", (count, dim), "f4", chunks=(rows, dim) if count else None)
        self.row = file.create_dataset("row", (count,), "i8")
        self.filled = 0

    def append(self, features: np.ndarray, row: np.ndarray) -> None:
        """Add (b, D) features of the images ``row`` (b,)."""
        stop = self.filled + len(row)
        self.features[self.filled : stop], self.row[self.filled : stop] = features, row
        self.filled = stop
        self.file.check()


@contextmanager
def write_features(path: Path, count: int, dim: int, about: dict[str, Any]) -> Iterator[FeatureWriter]:
    """A writer of ``count`` rows of ``dim`` numbers; the file appears when all are there.

    Raises:
        UserError: the disk has no room for them, or cannot be written.
    """
    with atomic(path) as partial, new_hdf5(partial) as file:
        file.attrs["provenance"] = json.dumps(about)
        if shutil.disk_usage(partial.parent).free < 4 * count * dim:  # before hours of work
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        writer = FeatureWriter(file, count, dim)
        yield writer
        assert writer.filled == count


class Features:
    """A feature file, read some rows at a time.

    Raises:
        UserError: missing or damaged; on reading, numbers that are not finite.
    """

    def __init__(self, path: Path):
        self.path = path
        with open_hdf5(path, "extract") as file:
            self.count, self.dim = file["features"].shape
            self.row: np.ndarray = file["row"][:]
            """(n,) int64 rows of the image list."""
            self.about: dict[str, Any] = json.loads(file.attrs["provenance"])

    def blocks(self) -> Iterator[np.ndarray]:
        """All vectors in order, as (b, D) float32 of at most BLOCK_BYTES."""
        size = max(1, BLOCK_BYTES // (4 * self.dim))
        with open_hdf5(self.path, "extract", checked=False) as file:
            features = file["features"]
            for start in range(0, self.count, size):
                vectors = features[start : start + size]
                if not np.isfinite(vectors).all():
                    raise UserError(
                        f"{self.path} holds numbers that are not finite; the backbone is broken, run pretrain again"
                    )
                yield vectors

    def positions(self, row: np.ndarray) -> np.ndarray:
        """(m,) positions of the vectors of images ``row``, (m,) rows of the image list that are all there."""
        order = np.argsort(self.row, kind="stable")
        return order[np.searchsorted(self.row, row, sorter=order)]

    def take(self, chosen: np.ndarray) -> np.ndarray:
        """(m, D) float32 vectors at ``chosen``, (m,) ascending positions: one pass over the file."""
        vectors, filled, start = np.empty((len(chosen), self.dim), np.float32), 0, 0
        for block in self.blocks():
            stop = start + len(block)
            inside = chosen[filled : np.searchsorted(chosen, stop)] - start
            vectors[filled : filled + len(inside)] = block[inside]
            filled, start = filled + len(inside), stop
        return vectors


@dataclass(frozen=True)
class Change:
    """What is done to feature vectors before they are compared: norm, linear map, norm."""

    normalize: bool
    matrix: np.ndarray
    """(d, D) float32; (0, D) where there is no linear map."""
    offset: np.ndarray
    """(d,) float32."""
    normalize_after: bool


@dataclass(frozen=True)
class Clusters:
    """What clustering found."""

    centroids: np.ndarray
    """(C, D) float32."""
    row: np.ndarray
    """(n,) rows of the image list."""
    label: np.ndarray
    """(n,) int32, 0-based cluster of each image."""
    distance: np.ndarray
    """(n,) float32, squared distance to its centroid."""
    change: Change
    """Of the vectors, before distances were measured."""
    several: np.ndarray | None = None
    """(n, K) int32 categories of images that were given several, -1 behind the last; the first is ``label``. None where
    each image has one."""

    @property
    def labels(self) -> np.ndarray:
        """(n,), or (n, K) where images have several."""
        return self.label if self.several is None else self.several

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.row.tobytes() + self.labels.tobytes()).hexdigest()


def write_clusters(path: Path, clusters: Clusters, about: dict[str, Any]) -> None:
    with atomic(path) as partial, new_hdf5(partial) as file:
        file.attrs["provenance"] = json.dumps(about)
        for name in ("centroids", "row", "label", "distance"):
            file.create_dataset(name, data=getattr(clusters, name))
        if clusters.several is not None:
            file.create_dataset("several", data=clusters.several)
        change = file.create_group("change")
        change.attrs["normalize"], change.attrs["normalize_after"] = (
            clusters.change.normalize,
            clusters.change.normalize_after,
        )
        change["matrix"], change["offset"] = clusters.change.matrix, clusters.change.offset


def read_clusters(path: Path) -> Clusters:
    """The content of clusters.h5.

    Raises:
        UserError: missing or damaged.
    """
    with open_hdf5(path, "cluster") as file:
        group = file["change"]
        flags = {name: bool(group.attrs[name]) for name in ("normalize", "normalize_after")}
        change = Change(matrix=group["matrix"][:], offset=group["offset"][:], **flags)
        several = file["several"][:] if "several" in file else None
        found = {name: file[name][:] for name in ("centroids", "row", "label", "distance")}
        return Clusters(**found, change=change, several=several)
