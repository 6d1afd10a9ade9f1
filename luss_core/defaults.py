"""config.yaml, rendered from the defaults and the docstrings of luss_core.config: `python -m luss_core.defaults`.

Imports no torch.
"""

import ast
import inspect
import json
import re
import sys
import textwrap
from collections.abc import Mapping
from functools import cache
from itertools import zip_longest
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel

from luss_core.config import FAMILIES, METHODS, STAGES, BackboneConfig, Config, MethodConfig, Section
from luss_core.config.cams import CAMS, CamMethodConfig

WIDTH = 120

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
    lines = [f"# {line}".rstrip() for line in HEADER.splitlines()]
    for name in Config.model_fields:
        if name not in STAGES:
            lines += ["", *_setting(config, name, WIDTH)]
    for stage in STAGES:
        section = getattr(config, stage)
        lines += ["", *_comment(_summary(type(section)), WIDTH), *_entry(stage, section, WIDTH)]
    return "\n".join(lines) + "\n"


def method_settings(name: str, width: int = WIDTH) -> list[str]:
    """Every setting of a method with its meaning and its default, as lines of YAML."""
    return _settings(METHODS[name].config, "name", width)


def _settings(kind: type[Section], tag: str, width: int) -> list[str]:
    """Every setting of a section but the one that names its kind."""
    section = kind.model_validate({})
    return [line for key in kind.model_fields if key != tag for line in _setting(section, key, width)]


def _setting(section: BaseModel, name: str, width: int) -> list[str]:
    """A key of a section, its meaning above it."""
    value = getattr(section, name)
    about = _summary(type(value)) + " " if isinstance(value, BaseModel) else ""
    return [*_comment(about + _meaning(type(section), name), width), *_entry(name, value, width)]


def _entry(key: str, value: Any, width: int) -> list[str]:
    """A key and its value: on one line, or what is inside two places further in."""
    inner = width - 2
    if isinstance(value, MethodConfig):
        methods = {name: method.config for name, method in METHODS.items()}
        inside = [f"name: {value.name}", *_choices(methods, "name", inner)]
    elif isinstance(value, CamMethodConfig):
        inside = [f"name: {value.name}", *_choices(CAMS, "name", inner)]
    elif isinstance(value, BackboneConfig):
        inside = [f"family: {value.family}", *_choices(FAMILIES, "family", inner)]
    elif isinstance(value, BaseModel):
        inside = [line for name in type(value).model_fields for line in _setting(value, name, inner)]
    elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
        inside = [f"- {_flow(item.model_dump())}" for item in value]
    elif isinstance(value, dict) and len(f"{key}: {_flow(value)}") > width:
        inside = [line for name, item in value.items() for line in _entry(name, item, inner)]
    elif isinstance(value, tuple) and len(f"{key}: {_flow(value)}") > width:
        inside = textwrap.wrap(_flow(value), inner)
    else:
        return [f"{key}: {_flow(value)}"]
    return [f"{key}:", *(f"  {line}".rstrip() for line in inside)] if inside else [f"{key}: {{}}"]


def _choices(kinds: Mapping[str, type[Section]], tag: str, width: int) -> list[str]:
    """The settings of every kind as comments: as values, those of one would stay when another is named."""
    lines = []
    for name, kind in kinds.items():
        lines += ["", *_comment(f"Settings of {name} and their defaults. {_summary(kind)}", width)]
        lines += [f"# {line}" for line in _settings(kind, tag, width - 2)]
    return lines


def _comment(text: str, width: int) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, width - 2, break_on_hyphens=False)]


def _summary(kind: type[BaseModel]) -> str:
    return (inspect.getdoc(kind) or "").partition("\n\n")[0].replace("\n", " ")


def _meaning(kind: type[BaseModel], name: str) -> str:
    """Choices of a field, and the text under it."""
    annotation = kind.model_fields[name].annotation
    choices = get_args(annotation) if get_origin(annotation) is Literal else ()
    text = " ".join(_texts(kind).get(name, "").split())
    return ". ".join(filter(None, (" | ".join(map(str, choices)), text)))


@cache
def _texts(kind: type[BaseModel]) -> dict[str, str]:
    """The text under each field of a section, also of fields that it has from others.

    pydantic would read them as well, but from the source whenever a stage starts, where nobody asks for them.
    """
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if issubclass(base, Section):
            found |= _texts_of(ast.parse(textwrap.dedent(inspect.getsource(base))).body[0])
    return found


def _texts_of(source: ast.AST) -> dict[str, str]:
    """Of the fields that a class declares itself; '' for a field without text, even if another class has one."""
    body = source.body if isinstance(source, ast.ClassDef) else []
    found = {}
    for field, under in zip_longest(body, body[1:]):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            match under:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    found[field.target.id] = text
                case _:
                    found[field.target.id] = ""
    return found


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
