"""Python objects in a checkpoint: named without loading it, and replaced by stand-ins that run nothing."""

import io
import pickletools
import re
import zipfile
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Self

import torch

from luss_core.models.foreign.kinds import Kind

TENSORS = re.compile(
    r"torch\.\w+|torch\.(_utils|_tensor|storage)\.\w+|torch\.nn\.parameter\.Parameter|torch\.serialization\._get_layout"
    r"|collections\.(OrderedDict|Counter)|_codecs\.encode|builtins\.(set|bytearray|complex)"
)
"""What tensors and plain containers are rebuilt with; torch keeps the list of what it allows."""
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


def load_inert(path: Path, names: list[str], **settings: Any) -> Any:
    """What torch.save wrote, with a class of ours in place of each object by its name; nothing is imported or called.

    torch's unpickler fills plain dictionaries and lists only, and says which class it would not fill: that one gets a
    plain container in its place, as for defaultdict and Lightning's AttributeDict.

    Raises:
        UnpicklingError: an object cannot be left out; among others, what torch blocks, such as all of ``os``.
    """
    plain: dict[str, type] = {}
    while True:
        made: list[Any] = [_stand_in(name, plain.get(name)) for name in names]
        try:
            with _allowed_alone(made):
                return torch.load(path, weights_only=True, **settings)
        except UnpicklingError as error:
            text = str(error)
            name = next((name for name in names if name not in plain and f"<class '{name}'>" in text), None)
            if name is None:
                raise
            plain[name] = list if "append" in text else OrderedDict


@contextmanager
def _allowed_alone(classes: list[Any]) -> Iterator[None]:
    """Let torch's unpickler meet these, and none of the real classes that some package may have allowed."""
    before = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    try:
        with torch.serialization.safe_globals(classes):
            yield
    finally:
        torch.serialization.add_safe_globals(before)


def _stand_in(name: str, container: type | None) -> type:
    """A class by this name, of which instances do nothing or are plain containers."""
    module, _, last = name.rpartition(".")
    where = {"__module__": module, "__qualname__": last}
    if container is None:
        return type(last, (StandIn,), where)
    return type(last, (), {**where, "__new__": lambda _, *__, **___: container()})


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
    """Of one pickle, at the end of which the file stands; torch.save names what is built in as Python 2 did."""
    found = set()
    for opcode, argument, _ in pickletools.genops(file):
        if opcode.name == "GLOBAL":
            module, name = str(argument).split(" ", 1)
            module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
            found.add(f"{module}.{name}")
    return found
