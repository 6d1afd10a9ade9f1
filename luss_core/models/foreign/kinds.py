"""What kind of file holds weights, told by its first bytes: names end in .pth, .tar or .bin as people like."""

import zipfile
from pathlib import Path
from typing import Literal

from luss_core.errors import UserError

Kind = Literal["safetensors", "zip", "stream"]
"""safetensors; an archive of torch.save; a stream of torch.save before torch 1.6."""

STREAM = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
"""A pickled magic number: how torch.save began its files before torch 1.6."""
PICKLE = 0x80
"""First byte of a pickle of protocol 2 or later."""

OTHERS = {
    b"\xff\xd8\xff": "is a JPEG image",
    b"\x89PNG": "is a PNG image",
    b"\x89HDF": "is an HDF5 file",
    b"\x1f\x8b": "is packed with gzip; unpack it",
    b"\x93NUMPY": "is an array of NumPy",
    b"version https://git-lfs": "is a pointer of Git LFS, not the file; fetch it with git lfs pull",
    b"<": "is a web page; the download went wrong",
}
"""First bytes -> what the file is instead."""


def refusal(path: Path, reason: str) -> UserError:
    """One line on a file that gives no weights."""
    return UserError(
        f"weights {path}: {reason}; give a checkpoint: a .safetensors file, or what torch.save wrote of a state dict"
    )


def kind_of(path: Path) -> Kind:
    """How the weights are stored.

    Raises:
        UserError: there is no such file, or it is something else or cut short.
    """
    try:
        with path.open("rb") as file:
            start = file.read(256)
    except OSError as error:
        raise refusal(path, f"cannot be read (seen from {Path.cwd()}): {error.strerror}") from error
    if not start:
        raise refusal(path, "is empty")
    if start.startswith(b"PK\x03\x04"):
        return _archive(path)
    if start.startswith(STREAM):
        return "stream"
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") < path.stat().st_size:
        return "safetensors"
    raise refusal(path, _instead(start))


def _instead(start: bytes) -> str:
    for beginning, what in OTHERS.items():
        if start.lstrip().startswith(beginning):
            return what
    if start[8:9] == b"{":
        return "is cut short; download or copy it again"
    if not any(start):
        return "holds nothing but zeros: it was never wholly downloaded or copied"
    if start[0] == PICKLE:
        return "is a pickle that torch.save did not write, and is not opened: a pickle can run any program"
    return f"is no checkpoint (its first bytes are {start[:12]!r})"


def _without_end(error: Exception) -> bool:
    return isinstance(error, zipfile.BadZipFile) and "not a zip file" in str(error)


def _archive(path: Path) -> Kind:
    """Look at the names in a ZIP archive, and compare its parts with their checksums."""
    try:
        with zipfile.ZipFile(path) as archive:
            names, record = archive.namelist(), archive.testzip()
    except Exception as error:  # A damaged archive ends the reader in any way: NotImplementedError, RuntimeError, ...
        how = "is cut short (a ZIP archive without its end)" if _without_end(error) else f"is damaged ({error})"
        raise refusal(path, f"{how}; download or copy it again") from error
    if record is not None:
        raise refusal(path, f"is damaged: its part {record!r} is not as it was written; download or copy it again")
    if any(name.endswith("/constants.pkl") for name in names):
        raise refusal(path, "is a TorchScript program, not weights")
    if not any(name.endswith("/data.pkl") for name in names):
        raise refusal(path, f"is a ZIP archive that torch.save did not write (it holds {', '.join(names[:3])})")
    return "zip"
