"""A packed store made batch by batch, in a folder from which the next process goes on where one was killed.

The folder holds the store so far and a journal, where the line of a batch is written after its pixels. A killed process
loses the batches in flight. A power failure may also take what the system had not yet brought to the disk: nothing is
forced there in between, since checksums find what is missing, and it is made again. The finished file is verified and
forced to the disk before it gets its name.
"""

import hashlib
import json
import logging
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from luss_core import io
from luss_core.data.store import RGB, allocate, write_index
from luss_core.data.verify import damaged, verify
from luss_core.errors import UserError
from luss_core.parallel import batches, ordered_map, progress

T = TypeVar("T")

log = logging.getLogger(__name__)

FORMAT = 2
"""Of the journal; work of another one is not gone on with."""
LIBRARIES = ("numpy", "pillow", "scikit-image", "scipy")
"""Other versions may make other pixels."""
STAT_BATCH = 4096


class Packed(NamedTuple):
    """One batch: the images to be stored, and what else is to be known of it."""

    images: int
    """How many were looked at, also those that are not stored."""
    pixels: bytes
    """Of all the stored images, one after the other, rows first, the channels of a pixel together."""
    shapes: np.ndarray
    """(b, 2) int64 height and width of the stored images."""
    checksums: np.ndarray
    """(b,) int64 CRC-32 of the bytes of each."""
    notes: dict[str, Any]
    """Anything that JSON can hold."""


def packed(images: int, pixels: list[bytes], shapes: Sequence[Sequence[int]], notes: dict[str, Any]) -> Packed:
    """A batch of ``images`` from the pixels, heights and widths of those that are stored; see ``Packed``."""
    checksums = np.array([zlib.crc32(image) for image in pixels], np.int64)
    return Packed(images, b"".join(pixels), np.array(shapes, np.int64).reshape(-1, 2), checksums, notes)


class Packing:
    """A store in the making: ``run``, then ``complete``, then ``hand_over``."""

    def __init__(self, state: Path, path: Path, size: int, key: Any, channels: int = RGB):
        """Args:
        state: folder of the work, held by ``io.locked``; on the file system of ``path``.
        path: the finished store.
        size: bytes of pixels, at most.
        key: all that decides what the batches hold, as JSON; work begun with another one is not gone on with.
        channels: bytes of a pixel.

        Raises:
            UserError: the folder is on another file system, or cannot be written.
        """
        self.path, self.size, self.channels = path, size, channels
        self.journal, self.store, self.blank = state / "journal.jsonl", state / path.name, state / "blank.h5"
        identity = json.dumps([FORMAT, key, size, channels, io.versions(LIBRARIES)], sort_keys=True)
        self._title = _line({"key": hashlib.sha256(identity.encode()).hexdigest()})
        self._shapes, self._checksums = [np.empty((0, 2), np.int64)], [np.empty(0, np.int64)]
        self._batches = self._filled = 0
        with io.writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            if state.stat().st_dev != path.parent.stat().st_dev:
                raise UserError(f"--state {state} must be on the same file system as {path.parent}; give one there")
            self._place = allocate(self.blank, size)

    def on_disk(self) -> int:
        """Bytes that the store takes already."""
        return self.store.stat().st_blocks * 512 if self.store.exists() else 0

    def run(
        self, work: Callable[[list[T]], Packed], jobs: Iterable[list[T]], threads: int, total: int, unit: str
    ) -> Iterator[Packed]:
        """Every batch in order, without a promise of pixels: those of an interrupted run, then new ones.

        Args:
            work: picklable when ``threads`` > 1.
            jobs: the same for the same key.
            total: images in all jobs.
            unit: what they are called in the log.

        Raises:
            UserError: the disk is full, or a worker process was killed.
        """
        done = 0
        if self._is_ours():
            for batch in progress(self._kept(), total, f"{unit} of the interrupted run verified", _count):
                done += batch.images
                yield batch
        else:
            self._begin()
        rest = islice(jobs, self._batches, None)
        with self.store.open("r+b") as pixels, self.journal.open("ab") as journal:
            pixels.seek(self._place + self._filled)
            for batch in progress(ordered_map(work, rest, threads), total - done, unit, _count):
                with io.writing(self.store):
                    pixels.write(batch.pixels)
                    pixels.flush()
                    journal.write(_line(_record(batch)))
                    journal.flush()
                self._add(batch)
                yield batch

    def complete(self, about: dict[str, Any]) -> None:
        """Add the index and the provenance, verify the whole file and force it to the disk.

        Raises:
            UserError: the disk is full, or does not give back what was written.
        """
        assert self._filled <= self.size
        with io.writing(self.store):
            shapes, checksums = np.concatenate(self._shapes), np.concatenate(self._checksums)
            write_index(self.store, shapes, checksums, self.channels, about)
            with self.store.open("r+b") as file:
                os.fsync(file.fileno())
        verify(self.store)

    def hand_over(self) -> None:
        """Give the file its name."""
        with io.writing(self.path):
            self.store.replace(self.path)

    def _is_ours(self) -> bool:
        """Whether there is work with this key."""
        if not self.journal.exists():
            return False
        with self.journal.open("rb") as lines:
            same = lines.readline() == self._title
        if not same:
            log.info("%s was begun with other settings, files or software: beginning anew", self.journal.parent)
        return same and self.store.exists()

    def _begin(self) -> None:
        with io.writing(self.store):
            self.journal.unlink(missing_ok=True)  # first: it must not tell of a store that is gone
            self.blank.replace(self.store)
            self.journal.write_bytes(self._title)

    def _kept(self) -> Iterator[Packed]:
        """The batches that are whole; what follows the first that is not is cut off."""
        with self.journal.open("rb") as lines, self.store.open("rb") as pixels:
            pixels.seek(self._place)
            good = len(lines.readline())
            for line in lines:
                batch = _batch(_value(line))
                if batch is None or damaged(pixels, self._sizes(batch.shapes), batch.checksums):
                    break
                good += len(line)
                self._add(batch)
                yield batch
            if lines.read(1):
                log.warning("%s: batch %d is damaged; making it and what follows again", self.store, self._batches)
        self._cut(good)

    def _cut(self, good: int) -> None:
        """Bring the folder to where it was after the kept batches: nothing after them, no index.

        Args:
            good: bytes of the journal to keep.
        """
        with io.writing(self.store):
            os.truncate(self.journal, good)
            os.truncate(self.store, self._place + self._filled)
            with self.blank.open("rb") as blank, self.store.open("r+b") as store:
                store.write(blank.read(self._place))
                store.truncate(self.blank.stat().st_size)
            self.blank.unlink()

    def _add(self, batch: Packed) -> None:
        self._shapes.append(batch.shapes)
        self._checksums.append(batch.checksums)
        self._filled += int(self._sizes(batch.shapes).sum())
        self._batches += 1

    def _sizes(self, shapes: np.ndarray) -> np.ndarray:
        return self.channels * shapes.prod(axis=1)


def digest_of_source(names: Iterable[str]) -> str:
    """A text that changes with the content of source files of this package: the commit would change with any file.

    Args:
        names: below luss_core/.
    """
    package = Path(__file__).parents[1]
    return hashlib.sha256(b"".join(package.joinpath(name).read_bytes() for name in names)).hexdigest()


def digest_of_files(folder: Path, names: Iterable[str], threads: int) -> str:
    """A text that changes with the names, sizes or times of change of files; '' stands for no file.

    Threads, since a network drive answers slowly.
    """
    whole = hashlib.sha256()
    with ThreadPoolExecutor(threads) as pool:
        for part in pool.map(partial(_digest, os.fspath(folder)), batches(names, STAT_BATCH)):
            whole.update(part)
    return whole.hexdigest()


def _digest(folder: str, names: list[str]) -> bytes:
    marks = [(name, _stat(f"{folder}/{name}") if name else None) for name in names]
    return hashlib.sha256(repr(marks).encode()).digest()


def _stat(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - a million times
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _count(batch: Packed) -> int:
    return batch.images


def _record(batch: Packed) -> dict[str, Any]:
    """All of a batch but its pixels, for the journal."""
    shapes, checksums = batch.shapes.tolist(), batch.checksums.tolist()
    return {"images": batch.images, "shapes": shapes, "checksums": checksums, "notes": batch.notes}


def _batch(record: dict[str, Any] | None) -> Packed | None:
    """The same back, without pixels."""
    if record is None:
        return None
    shapes = np.array(record["shapes"], np.int64).reshape(-1, 2)
    checksums = np.array(record["checksums"], np.int64)
    return Packed(record["images"], b"", shapes, checksums, record["notes"])


def _line(value: dict[str, Any]) -> bytes:
    """A line of the journal: JSON after its CRC-32."""
    text = json.dumps(value).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _value(line: bytes) -> dict[str, Any] | None:
    """What ``_line`` was given; None if the line is torn or damaged."""
    checksum, _, text = line.partition(b" ")
    if not text.endswith(b"\n") or checksum != b"%08x" % zlib.crc32(text[:-1]):
        return None
    value: dict[str, Any] = json.loads(text)
    return value
