"""Weight files: tensors by name, with a word on what they are and a checksum. Loads torch only for torch tensors.

The checksum is the SHA-256 of the file with zeros in its place, the first key of what is said about the tensors: the
format leaves no other room that readers of it would skip.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError, safe_open

from luss_core.errors import UserError
from luss_core.io import atomic

KEY, BLANK = "sha256", 64 * "0"
BEFORE = b'{"__metadata__":{"luss":"{\\"sha256\\": \\"'
"""What the header of a file with a checksum begins with."""
OLDER = ("encoder", "what")
"""The first key in files of before there were checksums."""
PIECE = 1 << 22
"""Bytes that are read at once."""
DAMAGED = "its content is not what its checksum says"


def foreign(about: Mapping[str, Any]) -> dict[str, Any] | None:
    """The weights of others that an encoder began from, from what is said about it or what was made of it.

    Returns:
        {"layout", "source", "digest", "licence", "parts"}, see `luss_core.models.foreign.Loaded`; None where its first
        weights were random.
    """
    found: dict[str, Any] | None = about.get("weights")
    return found


def read_about(path: Path, stage: str) -> dict[str, Any]:
    """What was said about the tensors of a file, without reading them.

    Raises:
        UserError: as ``read_tensors``.
    """
    with _opened(path, "np", stage) as (_, about):
        return about


def read_tensors(path: Path, kind: Literal["pt", "np"], stage: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tensors, of torch or of NumPy, and what was said about them.

    Args:
        stage: that writes the file, for messages.

    Raises:
        UserError: missing, damaged, or not written by this package.
    """
    with _opened(path, kind, stage) as (file, about):
        return {name: file.get_tensor(name) for name in file.keys()}, about  # noqa: SIM118 - not a mapping


def write_tensors(
    path: Path, tensors: dict[str, Any], about: Mapping[str, Any], save_file: Callable[..., None]
) -> None:
    """Write tensors as safetensors, whole or not at all; ``about`` (JSON) says what they are.

    Args:
        save_file: of safetensors, for tensors of this kind.

    Raises:
        UserError: the folder cannot be written, or the disk is full.
    """
    with atomic(path) as partial:
        try:
            save_file(tensors, partial, {"luss": json.dumps({KEY: BLANK} | dict(about))})
        except SafetensorError as error:
            raise OSError(str(error)) from error
        with partial.open("r+b") as file:
            _, digest = digests(partial)
            file.seek(8 + len(BEFORE))
            file.write(digest.encode())


def digests(path: Path) -> tuple[str | None, str]:
    """The SHA-256 that a file says it has, None where it says none, and the one that it has.

    Raises:
        OSError: it cannot be read.
    """
    found = hashlib.sha256()
    with path.open("rb") as file:
        start, said = file.read(8 + len(BEFORE)), file.read(len(BLANK))
        if start[8:] != BEFORE:
            return None, ""
        found.update(start + BLANK.encode())
        while piece := file.read(PIECE):
            found.update(piece)
    return said.decode("latin-1"), found.hexdigest()


def about_of(metadata: Mapping[str, str] | None) -> dict[str, Any]:
    """What was said about the tensors of a file.

    Raises:
        KeyError, ValueError: nothing, or it is damaged.
    """
    about: dict[str, Any] = json.loads((metadata or {})["luss"])
    if about.pop(KEY, None) is None and next(iter(about), KEY) not in OLDER:
        raise ValueError("its checksum is gone")
    return about


@contextmanager
def _opened(path: Path, kind: Literal["pt", "np"], stage: str) -> Iterator[tuple[Any, dict[str, Any]]]:
    try:
        said, digest = digests(path)
        if said is not None and said != digest:
            raise ValueError(DAMAGED)
        with safe_open(path, kind) as file:
            yield file, about_of(file.metadata())
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist; run the stage {stage}, which writes it") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error}); check its rights and the disk") from error
    except (SafetensorError, KeyError, ValueError, AttributeError) as error:
        raise UserError(
            f"{path} is not a whole weight file of {stage} ({error}); delete it and run {stage} again"
        ) from error
