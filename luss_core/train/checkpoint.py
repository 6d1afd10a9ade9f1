"""Checkpoints with a checksum: one that is damaged is never gone on from.

The file is what torch.save writes, followed by MARK and the SHA-256 of all before it: readers of ZIP archives take that
for a comment. Checkpoints of before there were checksums are told by the CRC-32 of each record of the archive.
"""

import hashlib
import os
import pickle
import zipfile
from pathlib import Path
from typing import IO, Any, cast

import torch

from luss_core.errors import UserError

MARK = b"\nluss sha256 "
DIGITS = 64
SEALED = "sealed"
"""A key of the state, so that a file that lost its checksum is not taken for an older one."""
PIECE = 1 << 22
"""Bytes that are read at once."""
REASON = 120
"""Letters of a reason that a library gives."""


class Damaged(Exception):  # noqa: N818 - a state of a file
    """A checkpoint does not hold what was written; the text says how that shows."""


class _Hashed:
    """A file that is written and hashed: what is hashed is what should be on the disk, whatever is."""

    def __init__(self, file: IO[bytes]):
        self.file, self.sha256 = file, hashlib.sha256()
        self.error: OSError | None = None

    def write(self, content: bytes) -> int:
        self.sha256.update(content)
        try:
            return self.file.write(content)
        except OSError as error:  # torch would say "unexpected pos"
            self.error = error
            raise

    def flush(self) -> None:
        self.file.flush()


def write(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint, bring it to the disk and read it back.

    Raises:
        OSError: it cannot be written.
        UserError: the disk does not give back what was written.
    """
    with path.open("wb") as file:
        hashed = _Hashed(file)
        try:
            torch.save({SEALED: True} | state, cast(IO[bytes], hashed))
        except RuntimeError as error:
            raise hashed.error or error from error
        file.write(MARK + hashed.sha256.hexdigest().encode())
        file.flush()
        os.fsync(file.fileno())
        if hasattr(os, "posix_fadvise"):  # not on macOS; what memory still holds of the file proves nothing
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    path.stat()  # or its folder was deleted meanwhile
    try:
        check(path)
    except Damaged as error:
        raise UserError(
            f"{path.parent}: the disk does not give back the checkpoint that was written ({error}); those before it are"
            " kept. Check the disk, then run the same command again, which goes on from them"
        ) from error


def check(path: Path) -> None:
    """Read a checkpoint whole and compare it with its checksum.

    Raises:
        Damaged: it holds something else.
    """
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END) - len(MARK) - DIGITS
            file.seek(max(end, 0))
            mark, digest = file.read(len(MARK)), file.read(DIGITS)
            if mark == MARK and _sha256(file, end) == digest.decode("latin-1"):
                return
    except OSError as error:
        raise Damaged(f"cannot be read: {error.strerror}") from error
    if mark == MARK:
        raise Damaged("its checksum is not that of its content")
    _check_archive(path)


def load(path: Path, device: torch.device, *, mmap: bool = False) -> dict[str, Any]:
    """The state in a checkpoint that passed ``check``.

    Raises:
        Damaged: it is no checkpoint, or lost its checksum.
    """
    try:
        state = torch.load(path, map_location=device, weights_only=True, mmap=mmap)
    except pickle.UnpicklingError as error:  # what torch advises then would run programs that stand in a file
        raise Damaged("it holds no state of a training") from error
    except Exception as error:  # A file of before there were checksums ends the reader in any way.
        raise Damaged(f"{type(error).__name__}: {' '.join(str(error).split())[:REASON]}") from error
    if not isinstance(state, dict):
        raise Damaged("it holds no state of a training")
    if state.pop(SEALED, False) and not _ends_sealed(path):
        raise Damaged("it is cut short")
    return state


def _sha256(file: IO[bytes], end: int) -> str:
    """Of the first ``end`` bytes."""
    file.seek(0)
    found, left = hashlib.sha256(), end
    while left and (piece := file.read(min(PIECE, left))):
        found.update(piece)
        left -= len(piece)
    return found.hexdigest()


def _ends_sealed(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-len(MARK) - DIGITS, os.SEEK_END)
        return file.read(len(MARK)) == MARK


def _check_archive(path: Path) -> None:
    """Compare the records of an archive without checksum of its own with theirs."""
    try:
        with zipfile.ZipFile(path) as archive:
            record = archive.testzip()
    except zipfile.BadZipFile as error:
        raise Damaged(_instead(path)) from error
    except Exception as error:
        raise Damaged(f"{type(error).__name__}: {' '.join(str(error).split())[:REASON]}") from error
    if record is not None:
        raise Damaged(f"its part {record} is not as it was written")


def _instead(path: Path) -> str:
    """What is wrong with a file that is no archive."""
    with path.open("rb") as file:
        start = file.read(PIECE)
    if not start:
        return "it is empty"
    if not any(start):
        return "it holds nothing but zeros"
    return "it is cut short" if start.startswith(b"PK") else "it is no checkpoint"
