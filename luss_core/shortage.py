"""What a system lacks where a library only says that something failed: room on a disk, memory, rights."""

import errno
import re
import shutil
from pathlib import Path

FULL = {errno.ENOSPC, errno.EDQUOT}
NUMBER = re.compile(r"(?:errno = |os error )(\d+)")
"""How HDF5 and safetensors say which error of the system they met."""
REASON = 160
"""Letters of a reason that a library gives."""
REMEDIES = {
    errno.EROFS: "its disk is read-only; make it writable or give the results another place",
    errno.EACCES: "no right to write there; change the rights or give the results another place",
    errno.EPERM: "no right to write there; change the rights or give the results another place",
    errno.EFBIG: "larger than a file may be there; raise the limit of this user (ulimit -f) or use another disk",
    errno.ENOENT: "its folder was deleted or its disk taken away while the program ran; bring it back",
}
AGAIN = "What is finished is safe; run the same command again, and it goes on"

KILLED = (
    "was killed, as the system does where memory runs out. What is finished is safe. Lower {key} or give the job more"
    " memory (mem_mb), then run the same command again, and it goes on"
)
MEMORY = "out of memory|can't allocate memory|not enough memory|Unable to allocate"
"""How torch and NumPy say it."""


def of_disk(path: Path, error: OSError, written: int = 0) -> str:
    """Why a file could not be written and what to do, in one line.

    Args:
        written: bytes of it that are on the disk.
    """
    found = NUMBER.search(str(error))
    number = error.errno or (int(found[1]) if found else None)
    if number in FULL:
        return (
            f"cannot write {path}: no space left, it needs more than the {size_text(_free(path) + written)} free there."
            f" Free some. {AGAIN}"
        )
    if number in REMEDIES and not (number == errno.ENOENT and path.parent.exists()):
        return f"cannot write {path}: {REMEDIES[number]}. {AGAIN}"
    reason = " ".join((error.strerror or str(error)).split())[:REASON]
    if error.filename and Path(error.filename).parent != path.parent:
        reason = f"{reason} ({error.filename})"
    return f"cannot write {path}: {reason}; check the disk and the rights. {AGAIN}"


def of_memory(error: BaseException) -> str | None:
    """What to say where memory ran out; None for other errors."""
    text = str(error)
    if re.search(r"DataLoader worker .*(killed|exited unexpectedly)", text):
        return f"a process that prepares batches {KILLED.format(key='train.batch_size or --threads')}"
    if isinstance(error, MemoryError) or re.search(MEMORY, text):
        where = "of the GPU" if "CUDA" in text else "of this machine"
        return (
            f"the memory {where} does not suffice. Lower batch_size of this stage, or the size of its images, or give"
            f" the job more memory (mem_mb). {AGAIN}"
        )
    return None


def _free(path: Path) -> int:
    """Bytes on the disk of a file or of the nearest folder above it that is there."""
    for folder in (path, *path.parents):
        try:
            return shutil.disk_usage(folder).free
        except OSError:
            continue
    return 0


def size_text(count: float) -> str:
    """Bytes, as people write them."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            break
        count /= 1000
    return f"{count:.3g} {unit}"
