"""HDF5 files with a checksum, so that a full disk, damage and other programs are told in one line each.

The first 512 bytes of a file, which HDF5 leaves to its users, say what the SHA-256 of the rest is. It is compared
before the HDF5 library sees the file: of damaged files that library may crash.
"""

import fcntl
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import IO, Any

import h5py

from luss_core.errors import UserError

BLOCK = 512
"""Bytes before what HDF5 writes."""
SEAL = re.compile(rb"luss sha256 ([0-9a-f]{64}) without (\d{1,18}) to (\d{1,18})\n")
SIGNATURE = b"\x89HDF\r\n\x1a\n"
PIECE = 1 << 22
"""Bytes that are read at once."""
REASON = 160
"""Letters of a reason that the HDF5 library gives."""


class _Disk:
    """A file for the HDF5 library, which may crash once it cannot write: errors are kept for us and not shown to it."""

    def __init__(self, file: FileIO):
        self.file = file
        self.error: OSError | None = None

    def write(self, content: memoryview) -> int:
        left = memoryview(content).cast("B")
        size = len(left)
        try:
            while self.error is None and left:  # a disk that is nearly full takes a part
                left = left[self.file.write(left) :]
        except OSError as error:
            self.error = error
        return size

    def truncate(self, size: int) -> int:
        try:
            return self.file.truncate(size)
        except OSError as error:
            self.error = self.error or error
            return size

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)  # seek, tell, readinto, flush


class WrittenFile(h5py.File):
    """An HDF5 file that is being written."""

    def __init__(self, disk: _Disk):
        super().__init__(disk, "w", userblock_size=BLOCK)
        self.disk = disk

    def check(self) -> None:
        """Stop where the disk has failed; to be called now and then, since nothing else does.

        Raises:
            OSError: it has.
        """
        if self.disk.error is not None:
            raise self.disk.error


@contextmanager
def write_hdf5(path: Path, mode: str) -> Iterator[h5py.File]:
    """An HDF5 file for what is known to find room, without its checksum; OSError also while it is closed."""
    file = h5py.File(path, mode, **({"userblock_size": BLOCK} if mode == "w" else {}))
    try:
        yield file
        file.flush()
    finally:
        try:
            file.close()
        except RuntimeError as error:
            raise OSError(str(error)) from error


@contextmanager
def new_hdf5(path: Path) -> Iterator[WrittenFile]:
    """A new HDF5 file for writing, with its checksum once it is closed.

    Raises:
        OSError: the disk is full, or fails.
    """
    with FileIO(path, "w+") as raw:
        disk = _Disk(raw)
        try:
            with WrittenFile(disk) as file:
                yield file
        except RuntimeError as error:  # of the library, where it wants to read what could not be written
            raise disk.error or error from error
        if disk.error is not None:
            raise disk.error
    seal(path)


def seal(path: Path, start: int = BLOCK, stop: int = BLOCK) -> None:
    """Write the checksum of a file, without the bytes ``start`` to ``stop``, which have checksums of their own."""
    with path.open("r+b") as file:
        text = f"luss sha256 {_sha256(file, start, stop)} without {start} to {stop}\n"
        file.seek(0)
        file.write(text.encode().ljust(BLOCK, b"\0"))


@contextmanager
def open_hdf5(path: Path, stage: str, *, checked: bool = True) -> Iterator[h5py.File]:
    """An HDF5 file that ``stage`` wrote, for reading.

    Args:
        checked: compare it with its checksum; False where that was just done.

    Raises:
        UserError: missing, damaged, written by something else, or held by another program.
    """
    try:
        if checked:
            with path.open("rb") as file:
                _check(file, path, stage)
        with h5py.File(path, "r") as found:
            yield found
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist; run the stage {stage}, which writes it") from error
    except (OSError, KeyError, RuntimeError) as error:
        raise UserError(_told(path, stage, error)) from error


def _check(file: IO[bytes], path: Path, stage: str) -> None:
    """Compare a file with its checksum.

    Raises:
        BlockingIOError: another program writes to it.
        UserError: it is damaged or written by something else.
    """
    if os.environ.get("HDF5_USE_FILE_LOCKING", "").upper() not in ("FALSE", "0"):
        with _without_locks():
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    start = file.read(BLOCK)
    found = SEAL.match(start)
    if found and found[1].decode() == _sha256(file, int(found[2]), int(found[3])):
        return
    if not found and start.startswith(SIGNATURE):
        raise UserError(
            f"{path} has no checksum: an older version or another program wrote it. Move it away and run the stage"
            f" {stage} again, which writes it anew"
        )
    how = "its content is not what its checksum says" if found else "it does not begin as such a file does"
    raise UserError(f"{path} is damaged or cut short ({how}); delete it and run the stage {stage} again")


@contextmanager
def _without_locks() -> Iterator[None]:
    """Go on where the file system has no locks."""
    try:
        yield
    except BlockingIOError:
        raise
    except OSError:
        return


def _told(path: Path, stage: str, error: Exception) -> str:
    """What went wrong while a file was opened or read; only what is damaged for certain may be deleted."""
    reason = " ".join(str(getattr(error, "strerror", None) or error).split())[:REASON]
    if isinstance(error, BlockingIOError) or "unable to lock file" in str(error):
        return (
            f"{path} is locked: {_holder(path)} has it open for writing. Close it there and run the same command again;"
            " the file itself may be whole"
        )
    if isinstance(error, KeyError):  # the checksum was right
        return f"{path} is not what the stage {stage} writes ({reason}); move it away and run the stage {stage} again"
    if "truncated file" in reason or "signature not found" in reason:
        return f"{path} is damaged or cut short ({reason}); delete it and run the stage {stage} again"
    return f"{path} cannot be read ({reason}); check its rights and the disk, then run the same command again"


def _holder(path: Path) -> str:
    """Who has locked a file, as far as the system tells."""
    with suppress(OSError, ValueError, IndexError):
        node = path.stat().st_ino
        for line in Path("/proc/locks").read_text(encoding="utf-8").splitlines():
            fields = line.split()
            if fields[5].endswith(f":{node}") and fields[3] == "WRITE":
                name = Path(f"/proc/{int(fields[4])}/comm").read_text(encoding="utf-8").strip()
                return f"another program ({name}, process {fields[4]})"
    return "another program"


def _sha256(file: IO[bytes], start: int, stop: int) -> str:
    """Of what follows the first block, without the bytes start to stop."""
    found = hashlib.sha256(f"{start} {stop}".encode())
    for begin, end in ((BLOCK, start), (max(stop, BLOCK), None)):
        file.seek(begin)
        left = None if end is None else max(end - begin, 0)
        while left != 0 and (piece := file.read(PIECE if left is None else min(PIECE, left))):
            found.update(piece)
            left = None if left is None else left - len(piece)
    return found.hexdigest()
