"""HDF5 files as the stages write them, but small, and how they are read."""

from pathlib import Path

import numpy as np

from luss_core.data.features import Change, Clusters, write_clusters, write_features
from luss_core.data.scored import pack, write_scored
from luss_core.data.store import Store

IMAGES = [np.random.default_rng(i).integers(0, 256, (40, 50, 3), np.uint8) for i in range(3)]
ABOUT = {"settings": {}}


def features(path: Path) -> Path:
    with write_features(path, 9, 5, ABOUT) as writer:
        writer.append(np.arange(45, dtype=np.float32).reshape(9, 5), np.arange(9))
    return path


def clusters(path: Path) -> Path:
    change = Change(
        normalize=True, matrix=np.ones((2, 5), np.float32), offset=np.zeros(2, np.float32), normalize_after=False
    )
    label = (np.arange(9) % 2).astype(np.int32)
    found = Clusters(np.ones((2, 2), np.float32), np.arange(9), label, np.ones(9, np.float32), change)
    write_clusters(path, found, ABOUT)
    return path


def scored(path: Path) -> Path:
    with write_scored(path, ABOUT) as writer:
        for row in range(3):
            writer.append(row, 40, 50, pack(np.full((40, 50), row), np.full((40, 50), 7)))
    return path


def read_store(path: Path) -> object:
    store = Store(path, "prepare")
    return [store.read(row) for row in range(3)]
