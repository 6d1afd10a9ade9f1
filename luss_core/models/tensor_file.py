"""Weight files as they are read: tensors by name, and a word on what they are. Loads torch only for torch tensors."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError, safe_open

from luss_core.errors import UserError


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
        UserError: missing, cut short, or not written by this package.
    """
    with _opened(path, kind, stage) as (file, about):
        return {name: file.get_tensor(name) for name in file.keys()}, about  # noqa: SIM118 - not a mapping


@contextmanager
def _opened(path: Path, kind: Literal["pt", "np"], stage: str) -> Iterator[tuple[Any, dict[str, Any]]]:
    try:
        with safe_open(path, kind) as file:
            yield file, json.loads((file.metadata() or {})["luss"])
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist; run the stage {stage}, which writes it") from error
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise UserError(
            f"{path} is not a whole weight file of {stage} ({error}); delete it and run {stage} again"
        ) from error
