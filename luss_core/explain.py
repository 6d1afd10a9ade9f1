"""What is wrong with settings, in words: where, what was found, what is allowed. Imports no torch."""

import difflib
from collections.abc import Collection
from typing import Any, get_args

from pydantic import ValidationError

from luss_core.config import FAMILIES, METHODS, Section
from luss_core.config.cams import CAMS

KINDS = {**{name: method.config for name, method in METHODS.items()}, **CAMS, **FAMILIES}
"""What pydantic names in the place of a setting beside its keys: methods and families of backbones."""


def explain(error: ValidationError, origin: str, kind: type[Section], prefix: str = "") -> str:
    """A validation error as one line a key: where, what was found, what is allowed.

    Args:
        error: what validating a ``kind`` raised.
        origin: the file or argument that the values came from.
        prefix: dotted place of the ``kind`` in the whole configuration.
    """
    lines = [f"{origin}: {error.error_count()} setting(s) cannot be used"]
    for item in error.errors():
        loc = item["loc"]  # pydantic names the kind too, behind its key
        keys = [part for before, part in zip((None, *loc), loc, strict=False) if not _is_kind(before, part)]
        place = ".".join(map(str, [prefix, *keys] if prefix else keys))
        if item["type"] == "extra_forbidden":
            hint = _hint(item["loc"], kind)
        elif item["type"] == "union_tag_invalid":
            of_finetune = "finetune" in (*prefix.split("."), *item["loc"])
            what, known = _known(item["loc"][-1], of_finetune)
            hint = f"unknown {what} {item['ctx']['tag']!r}; {nearest_first(item['ctx']['tag'], known)}"
        elif item["type"] == "string_pattern_mismatch":  # that of names
            hint = f"a name has letters, digits and _ . + - only, a letter or digit first; found {item['input']!r}"
        elif item["type"] == "value_error":  # our own validators name what they found
            hint = item["msg"].removeprefix("Value error, ")
        else:
            hint = f"{item['msg']}, found {item['input']!r}"
        lines.append(f"  {place}: {hint}" if place else f"  {hint}")
    return "\n".join(lines)


def _known(key: int | str, of_finetune: bool) -> tuple[str, Collection[str]]:
    """What a key names, and the names that there are."""
    if key == "backbone":
        return "family", FAMILIES
    return "method", CAMS if of_finetune else METHODS


def _is_kind(before: int | str | None, part: int | str) -> bool:
    """Whether a part of a place names a method or a family; sections may have the same names."""
    return before in ("method", "backbone") and part in KINDS


def nearest_first(found: str, allowed: Collection[str]) -> str:
    """The names that there are, those like the one that was found first, whatever the case of its letters."""
    names = {name.lower(): name for name in allowed}
    near = [names[name] for name in difflib.get_close_matches(found.lower(), names)]
    known = [*near, *(name for name in allowed if name not in near)]
    return (f"did you mean {near[0]}? " if near else "") + f"known: {', '.join(known)}"


def _hint(place: tuple[int | str, ...], section: type[Section]) -> str:
    """Names the keys allowed where an unknown one was found, the nearest first."""
    kind: Any = section
    for part in place[:-1]:
        if isinstance(part, str) and part in getattr(kind, "model_fields", {}):
            kind = kind.model_fields[part].annotation
            kind = next((choice for choice in get_args(kind) if hasattr(choice, "model_fields")), kind)  # or null
        elif part in KINDS:  # the tag of a method or a family
            kind = KINDS[str(part)]
    allowed = sorted(getattr(kind, "model_fields", {}))
    near = difflib.get_close_matches(str(place[-1]), allowed, n=1)
    guess = f"did you mean {near[0]}? " if near else ""
    return f"unknown key; {guess}allowed: {', '.join(allowed)}"
