"""What the nine stage scripts share: arguments, settings, logging, and errors shown as one message."""

import argparse
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from luss_core.config import Section, Stages
from luss_core.errors import UserError

S = TypeVar("S", bound=Section)


def parser(description: str | None, stage: str) -> argparse.ArgumentParser:
    """Arguments every stage has; the script adds its inputs and outputs."""
    result = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    result.add_argument(
        "--settings",
        default="{}",
        metavar="JSON|FILE",
        help=f"the `{stage}` section as JSON text, or a YAML file whose `{stage}` section is used (config.yaml);"
        " what is not named keeps its default",
    )
    result.add_argument("--threads", type=int, default=2, help="processor cores to use")
    return result


def section(kind: type[S], stage: str, settings: str) -> S:
    """The validated section of one stage, from JSON text or a YAML file.

    Raises:
        UserError: no such file, not a mapping, unknown key, value out of range.
    """
    if settings.lstrip().startswith("{"):
        values, origin = _parse(json.loads, settings, f"--settings of {stage}"), f"--settings of {stage}"
    else:
        origin = settings
        if not Path(settings).is_file():
            raise UserError(f"--settings {settings}: no such file; give a YAML file or JSON text beginning with {{")
        values = _parse(yaml.safe_load, Path(settings).read_text(encoding="utf-8"), origin)
        values = (values or {}).get(stage, {}) if isinstance(values, dict | None) else values
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise UserError(explain(error, origin, stage)) from error


def explain(error: ValidationError, origin: str, prefix: str = "") -> str:
    """A validation error as one line a key: where, what was found, what is allowed."""
    lines = [f"{origin}: {error.error_count()} setting(s) cannot be used"]
    for item in error.errors():
        place = ".".join(str(part) for part in ((prefix,) if prefix else ()) + item["loc"])
        hint = (
            _hint(item["loc"], prefix)
            if item["type"] == "extra_forbidden"
            else f"{item['msg']}, found {item['input']!r}"
        )
        lines.append(f"  {place}: {hint}")
    return "\n".join(lines)


def run(main: Callable[[list[str] | None], None]) -> None:
    """Run a script's main: progress lines on stderr, user errors as a message and exit status 1."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    try:
        main(None)
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(1)


def _parse(read: Callable[[str], Any], text: str, origin: str) -> Any:
    try:
        return read(text)
    except (ValueError, yaml.YAMLError) as error:
        raise UserError(f"{origin}: cannot be read: {error}") from error


def _hint(place: tuple[int | str, ...], prefix: str) -> str:
    """Names the keys allowed where an unknown one was found, the nearest first."""
    import difflib

    kind: Any = Stages if not prefix else Stages.model_fields[prefix].annotation
    for part in place[:-1]:
        fields = getattr(kind, "model_fields", {})
        if part in fields:
            kind = fields[part].annotation
    allowed = sorted(getattr(kind, "model_fields", {}))
    near = difflib.get_close_matches(str(place[-1]), allowed, n=1)
    guess = f"did you mean {near[0]}? " if near else ""
    return f"unknown key; {guess}allowed: {', '.join(allowed)}"
