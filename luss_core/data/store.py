"""Packed pixels in one HDF5 file: images of any size, decoded once, read at random without opening thousands of files.

``pixels`` is one contiguous row of bytes, so that readers map it into memory; ``offset``, ``height`` and ``width`` say
where each image lies and how large it is stored.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import h5py
import numpy as np

from luss_core.data.features import open_hdf5, write_hdf5
from luss_core.errors import UserError
from luss_core.io import atomic


class StoreWriter:
    """Appends images; opened by ``write_store``."""

    def __init__(self, file: BinaryIO):
        self._file = file
        self._shapes: list[np.ndarray] = []
        self._checksums: list[np.ndarray] = []

    def append(self, pixels: bytes, shapes: np.ndarray, checksums: np.ndarray) -> None:
        """Add images.

        Args:
            pixels: of all the images, one after the other, rows first, RGB.
            shapes: (b, 2) height and width.
            checksums: (b,) one number an image, from which the fingerprint of the store is made.
        """
        self._file.write(pixels)
        self._shapes.append(shapes)
        self._checksums.append(checksums)

    def index(self) -> tuple[np.ndarray, np.ndarray]:
        """(N, 2) heights and widths, (N,) checksums of what was appended."""
        return (
            np.concatenate([np.empty((0, 2), np.int64), *self._shapes]),
            np.concatenate([np.empty(0, np.int64), *self._checksums]),
        )


@contextmanager
def write_store(path: Path, size: int, about: dict[str, Any]) -> Iterator[StoreWriter]:
    """A writer of at most ``size`` bytes of pixels; the file appears when the block succeeds.

    Raises:
        UserError: the folder cannot be written, or the disk is full.
    """
    with atomic(path) as partial:
        with write_hdf5(partial, "w") as file:
            place = _allocate(file, size)
        with partial.open("r+b") as raw:
            raw.seek(place)
            writer = StoreWriter(raw)
            yield writer
        shapes, checksums = writer.index()
        sizes = 3 * shapes.prod(1)
        assert sizes.sum() <= size
        with write_hdf5(partial, "r+") as file:
            file["offset"] = np.cumsum(sizes) - sizes
            file["height"], file["width"] = shapes.astype(np.int32).T
            file.attrs["fingerprint"] = hashlib.sha256(shapes.tobytes() + checksums.tobytes()).hexdigest()
            file.attrs["provenance"] = json.dumps(about)


def _allocate(file: h5py.File, size: int) -> int:
    """Make ``pixels`` and return where in the file its bytes begin; they are written past the HDF5 library."""
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_layout(h5py.h5d.CONTIGUOUS)
    plan.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    plan.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    plan.set_obj_track_times(False)  # equal images make an equal file
    data = h5py.h5d.create(file.id, b"pixels", h5py.h5t.STD_U8LE, h5py.h5s.create_simple((size,)), plan)
    return int(data.get_offset())


class _Index(NamedTuple):
    pixels: np.ndarray
    offset: np.ndarray
    height: np.ndarray
    width: np.ndarray
    fingerprint: str


class Store:
    """Images of a store, read through a memory map that every process opens for itself."""

    def __init__(self, path: Path):
        self.path = path

    def __len__(self) -> int:
        return len(self._index.offset)

    @property
    def fingerprint(self) -> str:
        """Equal for equal pixels, whatever the folder."""
        return self._index.fingerprint

    def read(self, row: int) -> np.ndarray:
        """(H, W, 3) uint8 of one image, read-only and not copied."""
        index = self._index
        start, height, width = int(index.offset[row]), int(index.height[row]), int(index.width[row])
        return index.pixels[start : start + 3 * height * width].reshape(height, width, 3)

    def __getstate__(self) -> dict[str, Path]:
        return {"path": self.path}

    @cached_property
    def _index(self) -> _Index:
        with open_hdf5(self.path, "prepare") as file:
            place, size = file["pixels"].id.get_offset(), file["pixels"].size
            offset, height, width = (file[name][:] for name in ("offset", "height", "width"))
            fingerprint = str(file.attrs["fingerprint"])
        if place is None or self.path.stat().st_size < place + size:
            raise UserError(f"{self.path} is cut short; delete it and run the stage prepare again")
        pixels = np.memmap(self.path, np.uint8, "r", place, (size,))
        return _Index(np.asarray(pixels), offset, height, width, fingerprint)
