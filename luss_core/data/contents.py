"""What files hold, as short digests for comparison with themselves, and files that are read once for all that wants it.

Imports no torch.
"""

import os
import zlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

from luss_core.data.kinds import suffix_of

THREADS = 16
"""A network drive answers slowly, but many questions at once."""
WHOLE = frozenset({".bmp", ".gif", ".ppm", ".pgm", ".pbm", ".pnm", ".tif", ".tiff"})
"""Suffixes of files that may hold pixels as they are, so that one may change and nothing else."""
END = 1 << 14
"""Bytes that are read at both ends of a compressed file: another picture has another size, or ends otherwise."""
ONCE = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp"})
"""Suffixes of files that are decoded from memory; decoders of other kinds read better from the file."""
MOST = 1 << 26
"""Bytes of the largest file that is."""


class Held(NamedTuple):
    """A file that was read."""

    data: bytes | None
    """All of it; None where it is to be read from the disk, or cannot be."""
    digest: str
    """As ``held``."""


NOTHING = Held(None, "")


def read_once(root: Path, name: str) -> Held:
    """A file below a folder, with the digest of what it holds."""
    if suffix_of(name) in ONCE:
        try:
            with open(f"{root}/{name}", "rb", buffering=0) as file:  # noqa: PTH123 - a million times
                if os.fstat(file.fileno()).st_size <= MOST:
                    data = file.readall()
                    return Held(data, _of_bytes(data))
        except OSError:  # the decoder says it again
            return NOTHING
    return Held(None, held(root, name))


def content(path: Path) -> str:
    """Digest of what a file holds, for comparison with itself: of its ends where it is large and compressed."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if suffix_of(path.name) in WHOLE:
            crc = 0
            while block := file.read(1 << 20):
                crc = zlib.crc32(block, crc)
            return f"{crc:08x}"
        if size <= 2 * END:
            return _of_bytes(file.read())
        ends = file.read(END)
        file.seek(-END, os.SEEK_END)
        return _of_bytes(ends + file.read())


def _of_bytes(data: bytes) -> str:
    """``content`` of a compressed file."""
    crc = zlib.crc32(data) if len(data) <= 2 * END else zlib.crc32(data[-END:], zlib.crc32(data[:END]))
    return f"{crc:08x}"


def held(root: Path, name: str) -> str:
    """``content`` of a file below a folder; '' where it cannot be read or has no name."""
    try:
        return content(root / name) if name else ""
    except OSError:
        return ""


def contents(root: Path, names: Iterable[str]) -> list[str]:
    """``held`` of many."""
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(partial(held, root), names))
