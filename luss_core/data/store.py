"""Packed pixels in one HDF5 file: images of any size, decoded once, read at random without opening thousands of files.

``pixels`` is one contiguous row of bytes, so that readers map it into memory; ``offset``, ``height`` and ``width`` say
where each image lies and how large it is stored, ``checksum`` is the CRC-32 of its bytes, and the attribute
``channels`` says how many bytes a pixel has. The file has a checksum of all but the pixels (`data.hdf5`).

A map and not reads into buffers: a local disk gives images as fast either way (benchmarks/store.py), and nothing is
copied of an image that memory holds already. Network drives were not measured.
"""

import hashlib
import json
import math
import mmap
import os
import zlib
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from luss_core.data.hdf5 import open_hdf5, seal, write_hdf5
from luss_core.errors import UserError

RGB = 3
"""Bytes of a pixel of images.h5; files without the attribute are of before there were others."""
INDEX_BYTES = 20
"""Of an image in the index."""
HEADERS = 1 << 16
"""More than the HDF5 library writes around the index."""


def allocate(path: Path, size: int) -> int:
    """Make a store with room for ``size`` bytes of pixels; they are written past the HDF5 library.

    Returns:
        Where in the file they begin; they end where it ends.

    Raises:
        OSError: the folder cannot be written, or the disk is full.
    """
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_layout(h5py.h5d.CONTIGUOUS)
    plan.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    plan.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    plan.set_obj_track_times(False)  # equal images make an equal file
    with write_hdf5(path, "w") as file:
        space = h5py.h5s.create_simple((size,))
        return int(h5py.h5d.create(file.id, b"pixels", h5py.h5t.STD_U8LE, space, plan).get_offset())


def write_index(path: Path, shapes: np.ndarray, checksums: np.ndarray, channels: int, about: dict[str, Any]) -> None:
    """Complete a store whose pixels are written.

    Args:
        shapes: (N, 2) int64 height and width of the images.
        checksums: (N,) int64 CRC-32 of the bytes of each.
        channels: bytes of a pixel.
        about: provenance.

    Raises:
        OSError: the disk is full.
    """
    sizes = channels * shapes.prod(axis=1)
    _find_room(path, INDEX_BYTES * len(shapes) + len(json.dumps(about)) + HEADERS)
    with write_hdf5(path, "r+") as file:
        file["offset"] = np.cumsum(sizes) - sizes
        file["height"], file["width"] = shapes.astype(np.int32).T
        file["checksum"] = checksums.astype(np.uint32)
        file.attrs["fingerprint"] = fingerprint(shapes, checksums)
        file.attrs["provenance"] = json.dumps(about)
        file.attrs["channels"] = channels
        start, size = file["pixels"].id.get_offset(), file["pixels"].size
    seal(path, start, start + size)


def _find_room(path: Path, size: int) -> None:
    """Meet a full disk here: the HDF5 library crashes where it cannot write."""
    end = path.stat().st_size
    try:
        with path.open("ab") as file:
            file.write(bytes(size))
    finally:
        os.truncate(path, end)


def fingerprint(shapes: np.ndarray, checksums: np.ndarray) -> str:
    """Of all the pixels of a store; arguments as for ``write_index``."""
    return hashlib.sha256(shapes.tobytes() + checksums.astype(np.int64).tobytes()).hexdigest()


class _Index(NamedTuple):
    file: mmap.mmap
    place: int
    pixels: np.ndarray
    offset: np.ndarray
    checksum: np.ndarray
    whole: np.ndarray
    """(N,) bool: of which images the pixels have been compared with their checksums by this process."""
    height: np.ndarray
    width: np.ndarray
    channels: int
    fingerprint: str
    about: dict[str, Any]


class Store:
    """Images of a store, read through a memory map that every process opens for itself.

    Args:
        path: images.h5 or prior.h5.
        stage: the one that wrote it, for messages.
    """

    def __init__(self, path: Path, stage: str = "prepare"):
        self.path, self.stage = path, stage

    def __len__(self) -> int:
        return len(self._index.offset)

    @property
    def fingerprint(self) -> str:
        """Equal for equal pixels, whatever the folder."""
        return self._index.fingerprint

    @property
    def about(self) -> dict[str, Any]:
        """Provenance: what the store was made with."""
        return self._index.about

    @property
    def channels(self) -> int:
        """Bytes of a pixel."""
        return self._index.channels

    @property
    def shapes(self) -> np.ndarray:
        """(N, 2) int64 height and width of the images as they are stored."""
        return np.stack([self._index.height, self._index.width], axis=1).astype(np.int64)

    def read(self, row: int) -> np.ndarray:
        """(H, W, channels) uint8 of one image, read-only and not copied; 3 channels in images.h5, 1 in prior.h5.

        Raises:
            UserError: its pixels are not those that were written.
        """
        index = self._index
        shape = int(index.height[row]), int(index.width[row]), index.channels
        start, size = int(index.offset[row]), math.prod(shape)
        if hasattr(mmap, "MADV_WILLNEED"):  # one request to the disk; page by page it takes ten times as long
            before = (index.place + start) % mmap.PAGESIZE
            index.file.madvise(mmap.MADV_WILLNEED, index.place + start - before, before + size)
        if index.file.size() < index.place + start + size:  # or the system would end this process
            raise UserError(f"{self.path} was cut short while it was read; run the stage {self.stage} again")
        pixels = index.pixels[start : start + size]
        if not index.whole[row]:
            if zlib.crc32(pixels.data) != index.checksum[row]:
                raise UserError(
                    f"{self.path} is damaged: the image in row {row} (counted from 0) is not as it was written; delete"
                    f" the file and run the stage {self.stage} again"
                )
            index.whole[row] = True
        return pixels.reshape(shape)

    def __getstate__(self) -> dict[str, Path | str]:
        return {"path": self.path, "stage": self.stage}

    @cached_property
    def _index(self) -> _Index:
        with open_hdf5(self.path, self.stage) as file:
            place, size = file["pixels"].id.get_offset(), file["pixels"].size
            offset, height, width, checksum = (file[name][:] for name in ("offset", "height", "width", "checksum"))
            channels = int(file.attrs.get("channels", RGB))
            fingerprint, about = str(file.attrs["fingerprint"]), json.loads(file.attrs["provenance"])
        if place is None or self.path.stat().st_size < place + size:
            raise UserError(f"{self.path} is cut short; delete it and run the stage {self.stage} again")
        with self.path.open("rb") as whole:
            mapped = mmap.mmap(whole.fileno(), 0, access=mmap.ACCESS_READ)
        pixels = np.frombuffer(mapped, np.uint8, size, place)
        return _Index(
            mapped,
            place,
            pixels,
            offset,
            checksum,
            np.zeros(len(offset), bool),
            height,
            width,
            channels,
            fingerprint,
            about,
        )
