"""edits.yaml of a run, read and written whole, and what it was before, to undo. Imports no torch."""

import hashlib
import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from luss_core import settings_file
from luss_core.edits import Conflict, Edits, changes, combined, flat
from luss_core.errors import UserError
from luss_core.explain import explain
from luss_core.io import locked, write_text

log = logging.getLogger(__name__)

NAME = "edits.yaml"
HEAD = "# What people corrected in this run: `luss studio` writes it, and you may. Pages and exports respect it.\n"
KEPT = 200
"""Changes that can be undone."""
PATIENCE = 5.0
"""Seconds in which another process that writes has to be done."""


def read_edits(path: Path) -> Edits:
    """What a file says; nothing corrected where there is none, or it is empty.

    Raises:
        UserError: broken YAML, with the line; an unknown key; a value that cannot be.
    """
    if not path.exists() or not settings_file.text(path).strip():
        return Edits()
    try:
        return Edits.model_validate(settings_file.load(path))
    except ValidationError as error:
        raise UserError(f"{explain(error, str(path), Edits)}\n  correct it, or move the file away") from error


def of_run(path: Path | None, clustering: str, categories: int) -> tuple[Edits, str | None]:
    """What is corrected in a clustering, and a warning where the file is of another one; then nothing is corrected.

    Args:
        path: edits.yaml; None or missing for none.
        clustering: ``Clusters.fingerprint``; empty where it is not known, and then it is not compared.
        categories: how many it found.

    Raises:
        UserError: as ``read_edits``, or categories that there are not.
    """
    found = read_edits(path) if path else Edits()
    about = {"clustering": clustering or found.clustering, "categories": categories}
    if found.clustering != about["clustering"] and found.clustering:
        text = (
            f"{path} belongs to another clustering, whose categories were others: nothing of it is applied. Correct"
            " this one anew, or move the file away"
        )
        log.warning("%s", text)
        return Edits.model_validate(about), text
    try:
        return Edits.model_validate(found.model_dump() | about), None
    except ValidationError as error:
        raise UserError(f"{explain(error, str(path), Edits)}\n  correct it, or move the file away") from error


def mark(path: Path) -> str:
    """A text that changes with what is corrected; empty where nothing is.

    Raises:
        UserError: as ``read_edits``.
    """
    content = sorted(map(repr, flat(read_edits(path)).items()))
    return hashlib.sha256("\n".join(content).encode()).hexdigest()[:16] if content else ""


def save(path: Path, mine: Edits, base: Edits) -> Edits:
    """Write what grew from ``base``, together with what others wrote since; gives what is there then.

    Raises:
        Conflict: others changed the same.
        UserError: the file is broken, or cannot be written.
    """
    with _held(path):
        current = _like(read_edits(path), base)
        new = mine if current.revision == base.revision else combined(base, mine, current)
        if not changes(current, new):
            return current
        past = _past(path)
        _write_past(path, [*past, current.model_dump()][-KEPT:])
        return _write(path, new, current.revision + 1)


def undo(path: Path, base: Edits) -> Edits:
    """Take the last change back, whoever made it.

    Raises:
        Conflict: it was another than the one that ``base`` ends with, or there is none.
        UserError: the file is broken, or cannot be written.
    """
    with _held(path):
        current = _like(read_edits(path), base)
        if current.revision != base.revision:
            raise Conflict("another window changed something meanwhile; look at it and undo again")
        past = _past(path)
        while past:
            before = _like(Edits.model_validate(past.pop()), current)
            if changes(current, before):  # equal after a crash between the two files
                _write_past(path, past)
                return _write(path, before, current.revision + 1)
        raise Conflict("there is nothing to undo")


def undoable(path: Path) -> int:
    """How many changes can be undone."""
    return len(_past(path))


def set_aside(path: Path, digest: str) -> Path:
    """Give a file that belongs to another clustering a name of its own; where it went."""
    new = path.with_name(f"edits.{digest[:8]}.yaml")
    path.replace(new)
    _history(path).unlink(missing_ok=True)
    return new


def _like(found: Edits, base: Edits) -> Edits:
    """With the clustering that it is known to belong to, where a person did not write that."""
    about = {"clustering": found.clustering or base.clustering, "categories": found.categories or base.categories}
    if about["clustering"] != base.clustering:
        raise UserError("the run was made anew meanwhile, and its categories are others: start the studio again")
    return Edits.model_validate(found.model_dump() | about)


def _write(path: Path, edits: Edits, revision: int) -> Edits:
    new = edits.model_copy(update={"revision": revision})
    content = {key: value for key, value in new.model_dump().items() if value not in ({}, ())}
    if "background" in content:
        content["background"] = list(content["background"])  # safe YAML has no tuples
    write_text(path, HEAD + yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
    return new


def _history(path: Path) -> Path:
    return path.parent / "state" / "edits" / "before.json"


def _past(path: Path) -> list[dict[str, Any]]:
    """Earlier contents, the last one last; a damaged file holds none, since nothing but undoing depends on it."""
    try:
        found = json.loads(_history(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return found if isinstance(found, list) else []


def _write_past(path: Path, past: list[dict[str, Any]]) -> None:
    write_text(_history(path), json.dumps(past))


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """The file against a second process; one that writes is done in a moment."""
    end = time.monotonic() + PATIENCE
    while True:
        lock = locked(_history(path).parent, "writing what is corrected")
        try:
            lock.__enter__()
            break
        except UserError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
    try:
        yield
    finally:
        lock.__exit__(None, None, None)
