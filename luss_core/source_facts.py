"""What a file of Python source does and imports, kept beside its byte code, since each start of Snakemake asks."""

import ast
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from luss_core import io
from luss_core.errors import UserError

LOGGERS = ("log", "logger")
LOGGED = ("debug", "info", "warning", "error", "exception")

RULES = Path(__file__).read_bytes() + sys.version.encode()
"""What is kept holds for this module and this Python only."""
BLOCKS = ("body", "orelse", "handlers", "finalbody", "cases")
"""Fields of statements that hold statements."""


class Facts(NamedTuple):
    """Of one file."""

    digest: str
    """SHA-256 of what it does: layout, comments, docstrings and messages do not count."""
    imports: tuple[str, ...]
    """Dotted names that it may load, sorted; those that begin with dots are seen from its package."""


@cache
def facts(file: Path) -> Facts:
    """What was kept of the same content, or what is found, which is then kept where that can be written."""
    content = file.read_bytes()
    of = hashlib.sha256(RULES + content).hexdigest()
    kept = file.parent / "__pycache__" / f"{file.stem}.{sys.implementation.cache_tag}.facts.json"
    with suppress(OSError, ValueError, TypeError):  # not there, or not whole
        known, digest, imports = json.loads(kept.read_bytes())
        if known == of:
            return Facts(digest, tuple(imports))
    tree = ast.parse(content, filename=str(file))
    names = {name for node in _statements(tree.body) for name in _names(node)}
    found = Facts(hashlib.sha256(repr(_plain(tree)).encode()).hexdigest(), tuple(sorted(names)))
    if not sys.dont_write_bytecode:
        with suppress(UserError):
            io.write_json(kept, [of, *found])
    return found


def _statements(body: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """All statements but those under `if TYPE_CHECKING`, which never run."""
    for node in body:
        yield node
        checked = isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for block in BLOCKS[1:] if checked else BLOCKS:
            yield from _statements(getattr(node, block, ()))


def _names(node: ast.AST) -> Iterator[str]:
    """Names that an import statement may load; `from a import b` may mean the module a.b."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.name
    elif isinstance(node, ast.ImportFrom):
        base = "." * node.level + (node.module or "")
        yield base
        for alias in node.names:
            yield f"{base}.{alias.name}" if node.module else base + alias.name


def _plain(node: Any) -> Any:
    """A syntax tree as nested tuples, without texts that stand alone, messages and empty fields.

    Fields that a Python version added and that are empty are left out, so that another Python gives the same tree.
    """
    if isinstance(node, list):
        return tuple([_plain(item) for item in node if not (_is_text(item) or _is_logging(item))])
    if not isinstance(node, ast.AST):
        return node
    if _is_user_error(node):
        return ("Raise", "UserError")
    fields = [(name, getattr(node, name, None)) for name in node._fields]
    return (type(node).__name__, *[(name, _plain(value)) for name, value in fields if value not in (None, [])])


def _is_text(node: Any) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _is_logging(node: Any) -> bool:
    """Whether a statement says something to the user and does nothing else."""
    if isinstance(node, ast.If):  # on a condition that calls nothing
        calls = any(isinstance(part, ast.Call | ast.NamedExpr) for part in ast.walk(node.test))
        return not calls and all(map(_is_logging, [*node.body, *node.orelse]))
    call = node.value if isinstance(node, ast.Expr) else None
    place = call.func if isinstance(call, ast.Call) else None
    if not isinstance(place, ast.Attribute) or not isinstance(place.value, ast.Name):
        return False
    return place.value.id in LOGGERS and place.attr in LOGGED


def _is_user_error(node: Any) -> bool:
    """Whether a statement ends with a message to the user, whatever it says."""
    call = node.exc if isinstance(node, ast.Raise) else None
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "UserError"
