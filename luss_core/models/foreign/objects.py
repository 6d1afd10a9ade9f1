"""Python objects in a checkpoint: named without loading it, and replaced by stand-ins that run nothing."""

import io
import pickletools
import re
import zipfile
from collections import OrderedDict
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Self

import torch

from luss_core.models.foreign.kinds import Kind

TENSORS = re.compile(
    r"torch\.\w+|torch\.(_utils|_tensor|storage)\.\w+|torch\.nn\.parameter\.Parameter|torch\.serialization\._get_layout"
    r"|collections\.(OrderedDict|Counter)|_codecs\.encode|builtins\.(set|bytearray|complex)"
)
"""What tensors and plain containers are rebuilt with; torch keeps the list of what it allows."""
OLD_NAMES = {"__builtin__": "builtins", "copy_reg": "copyreg"}
"""Modules of Python 2, which pickles of protocol 2 name."""
MAPPINGS = ("dict", "cfgnode", "munch", "box")
"""How the names of classes end that are dictionaries: defaultdict, AttributeDict, ConfigDict, yacs' CfgNode."""
PARTS_OF_A_STREAM = 4
"""Magic number, version, system, and then what was saved; the storages follow."""


class StandIn:
    """In place of an object of any class or what any function returns: keeps the state it is given, does nothing."""

    state: Any = None

    def __new__(cls, *_: Any, **__: Any) -> Self:
        return super().__new__(cls)

    def __init__(self, *_: Any, **__: Any):
        pass

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def members(self) -> dict[str, Any]:
        """Parameters, buffers and submodules by name, if a module of torch was saved whole."""
        found: dict[str, Any] = {}
        for kind in ("_parameters", "_buffers", "_modules"):
            part = self.state.get(kind) if isinstance(self.state, dict) else None
            found |= part if isinstance(part, dict) else {}
        return found


class _Dictionary:
    """In place of a dictionary of any class: torch's unpickler fills plain ones only."""

    def __new__(cls, *_: Any, **__: Any) -> OrderedDict:  # type: ignore[misc]
        return OrderedDict()


def stand_ins(names: list[str]) -> AbstractContextManager:
    """Let ``torch.load(weights_only=True)`` meet these objects: a class of ours by each name, nothing imported."""
    made: list[Any] = []
    for name in names:
        module, _, last = name.rpartition(".")
        mapping = last.lower().endswith(MAPPINGS) and not name.startswith("torch.")
        made.append(type(last, (_Dictionary if mapping else StandIn,), {"__module__": module, "__qualname__": last}))
    return torch.serialization.safe_globals(made)


def objects_in(path: Path, kind: Kind) -> list[str]:
    """Full names of the classes and functions that a file of torch.save needs beside tensors, sorted.

    The pickle is taken apart as text; nothing is loaded. Empty where it cannot be taken apart.
    """
    try:
        names = _of_archive(path) if kind == "zip" else _of_stream(path)
    except (ValueError, EOFError, OSError, KeyError, IndexError, zipfile.BadZipFile):
        return []
    return sorted(name for name in names if not TENSORS.fullmatch(name))


def _of_archive(path: Path) -> set[str]:
    with zipfile.ZipFile(path) as archive:
        [record] = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        return _globals(io.BytesIO(archive.read(record)))


def _of_stream(path: Path) -> set[str]:
    with path.open("rb") as file:
        return set().union(*(_globals(file) for _ in range(PARTS_OF_A_STREAM)))


def _globals(file: Any) -> set[str]:
    """Of one pickle, at the end of which the file stands."""
    found = set()
    for opcode, argument, _ in pickletools.genops(file):
        if opcode.name == "GLOBAL":
            module, name = str(argument).split(" ", 1)
            found.add(f"{OLD_NAMES.get(module, module)}.{name}")
    return found
