"""config.yaml, rendered from the defaults and the docstrings of luss_core.config: `python -m luss_core.defaults`.

Imports no torch.
"""

import inspect
import json
import re
import sys
import textwrap
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from luss_core.config import STAGES, Config

WIDTH = 120
COLUMN = 44
"""Where the comments begin."""

HEADER = """\
Every setting of the workflow with its default. `make config` renders this file from luss_core/config/.

Change a value here, or better keep this file and lay your own over it, with only the keys that differ:
  snakemake --cores all --configfile mine.yaml
Keys of the first level can also be given in the command: --config data_root=/path/to/images classes=20
A change runs again what depends on it and nothing else; `snakemake -n` shows what that is.
"""


def render() -> str:
    """The text of config.yaml."""
    config = Config()
    general = [name for name in Config.model_fields if name not in STAGES]
    lines = [f"# {line}".rstrip() for line in HEADER.splitlines()]
    lines.append("")
    for name in general:
        lines += _entry(name, getattr(config, name), Config.model_fields[name], "")
    explained: dict[type[BaseModel], str] = {}
    for stage in STAGES:
        section = getattr(config, stage)
        empty = "" if type(section).model_fields else " {}"
        lines += ["", *_comment(_summary(type(section)), ""), f"{stage}:{empty}"]
        lines += _section(section, stage, "  ", explained)
    return "\n".join(lines) + "\n"


def _section(
    section: BaseModel, place: str, indent: str, explained: dict[type[BaseModel], str], comments: bool = True
) -> Iterator[str]:
    """The lines of a section; what the keys of a kind of section mean is said where it comes first."""
    for name, info in type(section).model_fields.items():
        value, here = getattr(section, name), f"{place}.{name}"
        kind = type(value) if isinstance(value, BaseModel) else _optional(value, info)
        if kind is None:
            yield from _entry(name, value, info if comments else FieldInfo(), indent)
            continue
        first = explained.setdefault(kind, here)
        meaning = _summary(kind) if first == here else f"As in {first}."
        if value is None:
            yield from _beside(f"{indent}{name}: null", _sentences(meaning, _meaning(info), "To switch it on:"), indent)
            yield f"{indent}# {name}:"
            yield from _section(kind(), here, f"{indent}#   ", explained, first == here)
        else:
            yield from _beside(f"{indent}{name}:", _sentences(meaning, _meaning(info)), indent)
            yield from _section(value, here, f"{indent}  ", explained, first == here)


def _entry(name: str, value: Any, info: FieldInfo, indent: str) -> Iterator[str]:
    """The lines of one key, with its meaning beside it."""
    meaning = _meaning(info)
    if isinstance(value, dict):
        yield from _beside(f"{indent}{name}:", meaning, indent)
        for key, item in value.items():
            yield from _nested(key, item, f"{indent}  ")
    elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
        yield from _beside(f"{indent}{name}:", meaning, indent)
        for item in value:
            yield f"{indent}  - {_flow(item.model_dump())}"
    else:
        yield from _beside(f"{indent}{name}: {_flow(value)}", meaning, indent)


def _nested(key: str, value: Any, indent: str) -> Iterator[str]:
    """A mapping on one line if it fits, else a line a key."""
    line = f"{indent}{key}: {_flow(value)}"
    if len(line) <= WIDTH or not isinstance(value, dict):
        yield line
    else:
        yield f"{indent}{key}:"
        for inner, item in value.items():
            yield from _nested(inner, item, f"{indent}  ")


def _beside(text: str, meaning: str, indent: str) -> Iterator[str]:
    """``text`` with a comment to its right, or above it where there is no room."""
    if not meaning:
        yield text
    elif len(text) > COLUMN - 2:
        yield from _comment(meaning, indent)
        yield text
    else:
        first, *rest = textwrap.wrap(meaning, WIDTH - COLUMN - 2, break_on_hyphens=False)
        yield f"{text:{COLUMN}}# {first}"
        for line in rest:
            yield f"{'':{COLUMN}}# {line}"


def _comment(text: str, indent: str) -> Iterator[str]:
    for line in textwrap.wrap(text, WIDTH - len(indent) - 2, break_on_hyphens=False):
        yield f"{indent}# {line}"


def _optional(value: Any, info: FieldInfo) -> type[BaseModel] | None:
    """The section that a field could be where it is null."""
    sections = [kind for kind in get_args(info.annotation) if isinstance(kind, type) and issubclass(kind, BaseModel)]
    return sections[0] if value is None and sections else None


def _summary(kind: type[BaseModel]) -> str:
    return (inspect.getdoc(kind) or "").partition("\n\n")[0].replace("\n", " ")


def _sentences(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _meaning(info: FieldInfo) -> str:
    """Choices and description of a field."""
    choices = " | ".join(_choices(info.annotation))
    text = " ".join((info.description or "").split())
    return f"{choices}. {text}".rstrip(". ") + ("." if text.endswith(".") else "") if choices else text


def _choices(annotation: Any) -> list[str]:
    """The texts that a field may be, if there are several."""
    if get_origin(annotation) is not Literal or len(get_args(annotation)) < 2:
        return []
    return [str(choice) for choice in get_args(annotation)]


def _flow(value: Any) -> str:
    """A value in YAML flow style; floats so that PyYAML, which reads 1e-6 as text, reads floats."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    if isinstance(value, float):
        return re.sub(r"^(-?\d+)e", r"\1.0e", repr(value))
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z][\w/-]*", value) and yaml.safe_load(value) == value:
        return value  # a word that YAML does not take for yes, no or null
    return json.dumps(value)


if __name__ == "__main__":
    sys.stdout.write(render())
