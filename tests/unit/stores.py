"""Writes a packed store from arrays; alters HDF5 files as an older or a faulty version would have written them."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from luss_core.data.hdf5 import BLOCK, seal
from luss_core.data.store import allocate, write_index


def write_store(path: Path, images: list[np.ndarray], about: Any, checksums: list[int] | None = None, spare: int = 0):
    """A store of (H, W, channels) uint8 images, with ``spare`` bytes of pixels that no image uses."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = [image.tobytes() for image in images]
    place = allocate(path, len(b"".join(pixels)) + spare)
    with path.open("r+b") as file:
        file.seek(place)
        file.write(b"".join(pixels))
    shapes = np.array([image.shape[:2] for image in images], np.int64)
    found = np.array([zlib.crc32(image) for image in pixels] if checksums is None else checksums)
    write_index(path, shapes, found, images[0].shape[2], about)
    return path


@contextmanager
def altered(path: Path) -> Iterator[h5py.File]:
    """An HDF5 file to be changed, with a checksum that fits in the end."""
    with h5py.File(path, "r+") as file:
        yield file
        place = file["pixels"].id.get_offset() if "pixels" in file else BLOCK
        stop = place + file["pixels"].size if "pixels" in file else BLOCK
    seal(path, place, stop)
