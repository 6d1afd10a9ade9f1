"""Files of settings as people write them: what is wrong with one is said in a sentence. Imports no torch."""

import codecs
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from luss_core.errors import UserError

FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader), getattr(yaml, "CBaseLoader", yaml.BaseLoader)
"""Loaders that take a fifth of the time, where libyaml is there."""

MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
"""What a file in another encoding begins with; that of UTF-32 begins with that of UTF-16."""

HINTS = {
    "found character '\\t'": "a tab, where only spaces are allowed",
    "cannot start any token": "a text that begins with @, % or `: it has to stand in quotes",
    "recursive": "an alias (*) that leads to itself",
    "unhashable": "a mapping or a list, in brackets, in place of a key",
    "determine a constructor": "a text that begins with !: it has to stand in quotes",
    "scanning an alias": "a text that begins with *: it has to stand in quotes",
    "undefined alias": "a text that begins with *: it has to stand in quotes",
    "mapping values are not allowed here": "a line indented otherwise than its neighbours, or a text with a colon in"
    " it, which has to stand in quotes",
    "could not find expected ':'": "a key without its colon, or a text of several lines without quotes",
    "expected <block end>": "a line indented otherwise than its neighbours, or quotes or brackets that are not closed",
    "while scanning a quoted scalar": "quotes that are not closed",
    "while parsing a flow": "a bracket that is not closed, or a comma that is missing",
}
"""What the parser says, and what is mostly meant."""


def text(path: Path) -> str:
    """What a file of settings holds.

    Raises:
        UserError: no such file, or not in UTF-8.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        place = "" if path.is_absolute() else f" (seen from {Path.cwd()})"
        reason = "no such file" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
        raise UserError(f"{path}: {reason}{place}; name a file of settings, such as those in recipes/") from error
    marked = next((name for mark, name in MARKS if content.startswith(mark)), None)
    if marked or b"\0" in content:
        raise UserError(_encoding(path, marked or "UTF-16, or is no text", "UTF-16"))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        line = content.splitlines()[number - 1].decode("cp1252", "replace").strip()
        found = f"Latin-1 or Windows-1252 (line {number}: {line[:60]!r})"
        raise UserError(_encoding(path, found, "WINDOWS-1252")) from error


def _encoding(path: Path, found: str, name: str) -> str:
    return (
        f"{path}: is written in {found}, but settings must be in UTF-8; save it again with the encoding UTF-8 (every"
        f" editor can), or: iconv -f {name} -t UTF-8 {path.name} > utf8-{path.name}"
    )


def check(path: Path) -> None:
    """Stop at what Snakemake would not name, or would pass over, in a file of settings.

    Raises:
        UserError: missing, encoded otherwise than in UTF-8, not YAML or JSON, no mapping, or with a key given twice.
    """
    content = _yaml(text(path))
    node = _composed(path, content)
    if not isinstance(node, yaml.MappingNode):
        found = "is empty" if node is None else "holds no settings"
        raise UserError(f"{path}: {found}; write lines such as `classes: 12`")
    twice = next(_twice(node, (), set()), None)
    if twice is not None:
        key, first, second = twice
        raise UserError(
            f"{path}: {key} is given twice, in line {first} and in line {second}, of which only one would count; put"
            " what belongs to it in one place"
        )


def load(path: Path) -> Any:
    """The values of a file of settings, checked as `check` does.

    Raises:
        UserError: as `check`.
    """
    check(path)
    return yaml.safe_load(_yaml(text(path)))


def as_written(path: Path) -> Any:
    """The tree of a file that was checked, with every value and key as the text that stands there."""
    return yaml.load(_yaml(text(path)), Loader=yaml.BaseLoader)  # noqa: S506 - makes texts, lists and mappings alone


def _yaml(content: str) -> str:
    """JSON may be indented by tabs, YAML may not."""
    if "\t" in content:
        with contextlib.suppress(ValueError):
            json.loads(content)
            return content.replace("\t", " ")
    return content


def _composed(path: Path, content: str) -> yaml.Node | None:
    try:
        return _read(content, *FAST)
    except (yaml.YAMLError, ValueError, RecursionError):
        pass  # the loaders in Python say what it is
    try:
        return _read(content, yaml.SafeLoader, yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise UserError(_syntax(path, content, error)) from error
    except ValueError as error:
        raise UserError(f"{path}: a value has the form of a date and is none ({error}): put it in quotes") from error


def _read(content: str, loader: Any, plain: Any) -> yaml.Node | None:
    """The tree of the nodes, from a text of which values and texts can be made as well."""
    for kind in (loader, plain):
        yaml.load(content, Loader=kind)  # noqa: S506 - neither makes objects of Python
    return yaml.compose(content, Loader=loader)


def _syntax(path: Path, content: str, error: Exception) -> str:
    said = " ".join(str(part) for part in (getattr(error, "context", None), getattr(error, "problem", None)) if part)
    hint = next((hint for found, hint in HINTS.items() if found in said), said)
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if isinstance(error, yaml.reader.ReaderError):
        number, hint = content.count("\n", 0, error.position), f"a character that no text has (code {error.character})"
    elif mark is None:
        return f"{path}: cannot be read as YAML, since it is nested too deeply"
    else:
        number = mark.line
    lines = content.splitlines() or [""]
    number = min(number, len(lines) - 1)
    return f"{path}: line {number + 1} cannot be read as YAML: {lines[number].strip()[:60]!r}; look there for {hint}"


def _twice(node: yaml.Node, place: tuple[str, ...], seen: set[int]) -> Iterator[tuple[str, int, int]]:
    """Each key that stands twice in one mapping: its path, the line of the first and of the second, from 1."""
    if id(node) in seen:  # an alias, which may even lead to itself
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _twice(item, place, seen)
    if not isinstance(node, yaml.MappingNode):
        return
    lines: dict[str, int] = {}
    for key, value in node.value:
        name, line = str(key.value), key.start_mark.line + 1
        if name in lines:
            yield ".".join((*place, name)), lines[name], line
        lines[name] = line
        yield from _twice(value, (*place, name), seen)
