"""A file of weights -> its tensors by dotted name, without running anything that stands in it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open
from torch import Tensor

from luss_core.errors import UserError
from luss_core.models.foreign.kinds import Kind, kind_of, refusal
from luss_core.models.foreign.objects import StandIn, load_inert, objects_in
from luss_core.models.tensor_file import DAMAGED, about_of, digests

SHOWN = 5
"""Names that a message lists."""
REASON = 160
"""Letters of a reason that torch gives."""


class Contents(NamedTuple):
    """What a file of weights holds."""

    tensors: dict[str, Tensor]
    """By dotted name: the keys of nested mappings joined. The pages of the file are read when a tensor is used."""
    about: dict[str, Any] | None = None
    """What this project wrote about its own weights; None in files of others."""
    left_out: tuple[str, ...] = ()
    """Classes of Python objects that were not loaded, by full name."""


def read(path: Path, inert: bool = False) -> Contents:
    """The tensors of a file of safetensors or torch.save.

    Values that are no tensors are left out, and so are lists, where optimizers of Lightning keep theirs.

    Args:
        inert: take a file that holds Python objects too, with stand-ins that do nothing in their place.

    Raises:
        UserError: no such file, no checkpoint, cut short, without tensors, or, unless inert, with Python objects.
    """
    kind = kind_of(path)
    contents = _read_safetensors(path) if kind == "safetensors" else _read_torch(path, kind, inert)
    if not contents.tensors:
        raise refusal(path, "holds no tensors by name")
    return contents


def shorten(names: list[str] | tuple[str, ...], shown: int = SHOWN) -> str:
    """The first names; of a damaged file they may be anything."""
    clean = ["".join(letter if letter.isprintable() else "?" for letter in name)[:REASON] for name in names[:shown]]
    return ", ".join([*clean, *(["..."] if len(names) > shown else [])])


def _read_safetensors(path: Path) -> Contents:
    try:
        said, digest = digests(path)
        if said is not None and said != digest:
            raise ValueError(DAMAGED)
        with safe_open(path, "pt") as file:
            about = about_of(file.metadata()) if "luss" in (file.metadata() or {}) else None
            return Contents({name: file.get_tensor(name) for name in file.keys()}, about)  # noqa: SIM118 - no mapping
    except (SafetensorError, ValueError, OSError) as error:
        raise refusal(path, f"is damaged or cut short ({error}); download or copy it again") from error


def _read_torch(path: Path, kind: Kind, inert: bool) -> Contents:
    names = objects_in(path, kind)
    if names and not inert:
        raise UserError(
            f"weights {path}: holds Python objects beside tensors ({shorten(names)}) and is not opened as it is,"
            f" because they could run any program; leave them out: python -m luss_core convert-weights {path}"
            f" {path.with_suffix('.safetensors')}"
        )
    try:
        value = load_inert(path, names, map_location="cpu", mmap=kind == "zip")
    except Exception as error:  # A damaged file ends the reader in any way: IndexError, UnicodeDecodeError, ...
        reason = " ".join(str(error).split()).partition("WeightsUnpickler error: ")
        short = (reason[2] or reason[0])[:REASON]
        if names:
            raise refusal(path, f"holds objects that cannot be left out ({shorten(names)}): {short}") from error
        text = f"is damaged or cut short ({type(error).__name__}: {short}); download or copy it again"
        raise refusal(path, text) from error
    return Contents(_flat(value), None, tuple(names))


def _flat(value: Any) -> dict[str, Tensor]:
    """Tensors in nested mappings, in the order of the file; a mapping that holds itself is entered once."""
    found: dict[str, Tensor] = {}
    stack, seen = [("", value)], set()
    while stack:
        name, node = stack.pop()
        if isinstance(node, Tensor):
            found[name] = node.detach()
            continue
        children = node.members() if isinstance(node, StandIn) else node
        if isinstance(children, Mapping) and id(node) not in seen:
            seen.add(id(node))
            named = [(f"{name}.{key}" if name else str(key), child) for key, child in children.items()]
            stack.extend(reversed(named))
    found.pop("", None)
    return found
