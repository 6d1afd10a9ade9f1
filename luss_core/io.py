"""Files written whole or not at all, and what each of them was made with."""

import errno
import fcntl
import hashlib
import json
import logging
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from luss_core import __version__
from luss_core.errors import UserError
from luss_core.shortage import of_disk

log = logging.getLogger(__name__)

LOCKLESS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP}
"""What file systems without locks answer, such as Lustre mounted without the option flock."""
REASON, SHOWN = 160, 40
"""Letters of a reason, and of a value, in a message."""
WORDS = {
    int: "a whole number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "named values",
    bool: "true or false",
    type(None): "null",
}
LONG_NAME = 64
"""Bytes; a temporary name is nine longer than such a name, and never longer than that of a longer one."""
LIBRARIES = ("torch", "torchvision", "timm", "faiss-cpu", "numpy", "h5py")


def partial_name(path: Path) -> Path:
    """What a file or folder is called until it is whole; of a long name a digest, so that where it fits this does."""
    name = path.name
    if len(os.fsencode(name)) > LONG_NAME:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()[:32]
    return path.with_name(f".{name}.partial")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say of a disk that fails what was to be written.

    Raises:
        UserError: the folder cannot be written, or the disk is full.
    """
    try:
        yield
    except OSError as error:
        partial = partial_name(path)
        written = partial.stat().st_size if partial.is_file() else 0
        raise UserError(of_disk(path, error, written)) from error


@contextmanager
def locked(folder: Path, doing: str) -> Iterator[None]:
    """Hold a folder, made if need be, against a second process; whatever ends this one releases it.

    Where the file system knows no locks the folder is not held, and the log says so: Snakemake holds its own working
    folder, so that only two runs in different ones could meet here.

    Args:
        doing: "training", for the message.

    Raises:
        UserError: another process holds it, or it cannot be written.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(f"another process is {doing} in {folder}; wait for it or stop it") from error
        except OSError as error:
            if error.errno not in LOCKLESS:
                raise UserError(f"cannot lock {folder}: {error.strerror}; check the disk") from error
            log.warning("%s: this file system has no locks; let no second process work there", folder)
        yield


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary name beside ``path`` that becomes ``path`` if the block succeeds and vanishes if it does not.

    The file gets the rights that new files have here (umask), whatever wrote it: safetensors gives those of the owner
    alone, so that no colleague could go on from a finished run.

    Raises:
        UserError: the folder cannot be written, or the disk is full.
    """
    partial = partial_name(path)
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.unlink(missing_ok=True)  # of a process that was killed
            partial.touch()
            usual = partial.stat().st_mode
            yield partial
            if partial.stat().st_mode != usual:
                partial.chmod(usual)
            partial.replace(path)
    finally:
        with suppress(OSError):  # the error that brought us here says more
            partial.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A folder to fill that replaces ``path`` if the block succeeds and vanishes if it does not.

    Raises:
        UserError: the folder cannot be written, or the disk is full.
    """
    partial = partial_name(path)
    try:
        with writing(path):
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            yield partial
            if path.exists():
                shutil.rmtree(path)
            partial.replace(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def remove(path: Path) -> None:
    """Delete a file that is to be written anew, so that a run that fails leaves no old one.

    Raises:
        UserError: the folder cannot be written.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"cannot replace {path}: {error.strerror}; check the rights") from error


def link_or_copy(source: Path, path: Path) -> None:
    """A second name for a file that is never changed in place, or a copy where the disk has no such names.

    Raises:
        UserError: the folder cannot be written.
    """
    with atomic(path) as partial:
        partial.unlink()
        try:
            partial.hardlink_to(source)
        except OSError:
            shutil.copyfile(source, partial)


def write_text(path: Path, text: str) -> None:
    with atomic(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """The value in a JSON file.

    Raises:
        UserError: missing, not to be read, or cut short.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number)
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist; run the stage that writes it") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); check its rights and the disk") from error
    except (ValueError, RecursionError) as error:
        reason = str(error)[:REASON]
        raise UserError(f"{path} is not whole JSON ({reason}); delete it and run its stage again") from error


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number")


def read_fields(path: Path, **kinds: type | tuple[type, ...]) -> dict[str, Any]:
    """The JSON object in a file, with these entries of these types at least.

    Raises:
        UserError: as `read_json`, no object, an entry that is missing or of another type.
    """
    content = read_json(path)
    if not isinstance(content, dict):
        raise UserError(f"{path} holds {_shown(content)} and not named values; delete it and run its stage again")
    for key, kind in kinds.items():
        value, allowed = content.get(key), kind if isinstance(kind, tuple) else (kind,)
        if key not in content or not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
            found = f"is {_shown(value)}" if key in content else "is missing"
            wanted = " or ".join(WORDS[one] for one in allowed)
            raise UserError(f"{path}: {key} {found}, wanted {wanted}; delete the file and run its stage again")
    return content


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def provenance(settings: dict[str, Any]) -> dict[str, Any]:
    """What an output was made with: settings, version of this package, commit and libraries. No time, no host."""
    return {"luss": __version__, "commit": _commit(), "libraries": versions(LIBRARIES), "settings": settings}


def _commit() -> str:
    """Commit of this checkout, with + where files differ from it; empty outside a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty=+", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def versions(names: Iterable[str]) -> dict[str, str]:
    """Of those libraries that are installed."""
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
