"""Scored maps: the best category of every pixel and its score, of all segmented images in one HDF5 file.

``bytes`` holds one image after the other, each compressed on its own; ``end`` says where it ends there, ``row`` which
row of the image list it is, ``height`` and ``width`` how large. The attribute ``provenance`` is JSON.
"""

import itertools
import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from luss_core.data.hdf5 import WrittenFile, new_hdf5, open_hdf5
from luss_core.data.masks import ID_LIMIT
from luss_core.errors import UserError
from luss_core.io import atomic

STAGE = "infer"
CHUNK_BYTES = 1 << 18
"""Of ``bytes``, written and read at once; a few compressed maps."""
PLANES = 3
"""Bytes of a pixel: the category in two, and its score."""


class ScoredImage(NamedTuple):
    """Where the scored map of one image is."""

    path: Path
    row: int
    start: int
    stop: int
    height: int
    width: int


class ScoredWriter:
    """Appends packed maps; opened by ``write_scored``. Holds a chunk of bytes and the sizes, nothing else."""

    def __init__(self, file: WrittenFile):
        self.file = file
        self.bytes = file.create_dataset("bytes", (0,), "u1", chunks=(CHUNK_BYTES,), maxshape=(None,))
        self.waiting = bytearray()
        self.written = 0
        self.index: list[tuple[int, int, int, int]] = []

    def append(self, row: int, height: int, width: int, packed: bytes) -> None:
        """Add what ``pack`` made of the map of an image (height, width), which is ``row`` of the image list."""
        self.waiting += packed
        self.index.append((row, self.written + len(self.waiting), height, width))
        while len(self.waiting) >= CHUNK_BYTES:
            self._write(CHUNK_BYTES)

    def finish(self) -> None:
        """Write what waits, and the index."""
        self._write(len(self.waiting))
        columns = np.array(self.index, np.int64).reshape(-1, 4).T
        for name, values in zip(("row", "end", "height", "width"), columns, strict=True):
            self.file[name] = values

    def _write(self, count: int) -> None:
        self.bytes.resize((self.written + count,))
        self.bytes[self.written :] = np.frombuffer(self.waiting[:count], np.uint8)
        self.written += count
        del self.waiting[:count]
        self.file.check()


@contextmanager
def write_scored(path: Path, about: dict[str, Any]) -> Iterator[ScoredWriter]:
    """A writer of scored maps; the file appears when all are there. Equal maps in equal order make an equal file.

    Raises:
        UserError: cannot be written.
    """
    with atomic(path) as partial, new_hdf5(partial) as file:
        file.attrs["provenance"] = json.dumps(about)
        writer = ScoredWriter(file)
        yield writer
        writer.finish()


def scored_images(path: Path) -> dict[int, ScoredImage]:
    """All maps of a file, by row of the image list.

    Raises:
        UserError: missing or damaged.
    """
    with open_hdf5(path, STAGE) as file:
        row, end, height, width = (file[name][:].tolist() for name in ("row", "end", "height", "width"))
    places = zip(row, [0, *end], end, height, width, strict=False)
    return {place[0]: ScoredImage(path, *place) for place in places}


def read_scored(image: ScoredImage) -> tuple[np.ndarray, np.ndarray]:
    """(H, W) int32 best category of every pixel, and its (H, W) uint8 score in hundredths.

    Raises:
        UserError: the file is missing, cut short or damaged.
    """
    with open_hdf5(image.path, STAGE, checked=False) as file:
        packed = file["bytes"][image.start : image.stop].tobytes()
    try:
        return unpack(packed, image.height, image.width)
    except (zlib.error, ValueError) as error:
        raise UserError(
            f"{image.path}: the map of row {image.row} is damaged ({error}); delete the file and run infer again"
        ) from error


def pack(ids: np.ndarray, levels: np.ndarray) -> bytes:
    """(H, W) ids in 0..65535 and (H, W) uint8 scores -> compressed bytes.

    Each byte is stored as its difference from the one above: maps are smooth, so runs of one value are long. With
    run-length coding at the fastest level that is smaller, and made in less time, than the PNG of the same map.
    """
    if ids.size and not 0 <= ids.min() <= ids.max() < ID_LIMIT:
        raise ValueError(f"ids {ids.min()}..{ids.max()} are outside 0..{ID_LIMIT - 1}")
    planes = np.stack([ids & 255, ids >> 8, levels]).astype(np.uint8)
    planes[:, 1:] -= planes[:, :-1].copy()
    coder = zlib.compressobj(1, strategy=zlib.Z_RLE)
    return coder.compress(planes.tobytes()) + coder.flush()


def unpack(packed: bytes, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """What ``pack`` was given: (height, width) int32 ids and uint8 scores.

    Raises:
        ValueError, zlib.error: the bytes are not those of a map of this size.
    """
    planes = np.frombuffer(bytearray(zlib.decompress(packed)), np.uint8).reshape(PLANES, height, width)
    rows = planes.transpose(1, 0, 2)
    for above, row in itertools.pairwise(rows):  # twice as fast as a cumulative sum along this axis
        row += above
    low, high, levels = planes
    return low | (high.astype(np.int32) << 8), levels


def about_scored(path: Path) -> dict[str, Any]:
    """Provenance of a file of scored maps.

    Raises:
        UserError: missing or damaged.
    """
    with open_hdf5(path, STAGE) as file:
        about: dict[str, Any] = json.loads(file.attrs["provenance"])
    return about


def join_scored(parts: Sequence[Path], out: Path) -> None:
    """Put files of scored maps together in their order: byte for byte what one writer would have written.

    Raises:
        UserError: one is missing or damaged, or they were not made alike.
    """
    abouts = [about_scored(part) for part in parts]
    for part, about in zip(parts, abouts, strict=True):
        if about != abouts[0]:
            raise UserError(f"{part} was not made as {parts[0]}; delete both and run the stage infer again")
    with write_scored(out, abouts[0]) as writer:
        for part in parts:
            images = scored_images(part).values()
            with open_hdf5(part, STAGE, checked=False) as file:
                for image in images:
                    packed = file["bytes"][image.start : image.stop].tobytes()
                    writer.append(image.row, image.height, image.width, packed)
