"""Settings that are text but look like numbers, dates or yes and no, as they were typed. Imports no torch.

YAML reads 2023_02 as 202302, and on as true; Snakemake reads `--config` as YAML. Where text is meant, what was typed
counts.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from luss_core import settings_file
from luss_core.config import Config, Section, Stages


def as_typed(values: Mapping[str, Any], files: Iterable[Path], entries: Iterable[str]) -> dict[str, Any]:
    """The settings, with the text that was typed wherever text is meant and something else was read.

    Args:
        values: settings as Snakemake read them.
        files: of settings, a later one over those before it.
        entries: KEY=VALUE of --config, over all files.

    Raises:
        UserError: a file cannot be read as settings.
    """
    typed = {key: _unquoted(text) for key, text in (entry.split("=", 1) for entry in entries if "=" in entry)}
    # A text of the command line counts whole: in YAML it would end at a #.
    result = {key: typed.get(key, value) if isinstance(value, str) else value for key, value in values.items()}
    if not (_numbered(result) or _places(Config, result) or _in_presets(result)):
        return result
    written: Any = {}
    for tree in (*map(settings_file.as_written, files), {key: _written(text) for key, text in typed.items()}):
        written = _over(written, tree)
    result = _named(result, written)
    for place in (*_places(Config, result), *_in_presets(result)):
        whole = typed.get(str(place[0])) if len(place) == 1 else None
        result = _put(result, place, _get(written, place) if whole is None else whole)
    return result


def _unquoted(text: str) -> str:
    """Without the quotes around the whole, which Snakemake takes away too."""
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text


def _written(text: str) -> Any:
    try:
        return yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - makes texts, lists and mappings alone
    except yaml.YAMLError:
        return text


def _over(base: Any, changes: Any) -> Any:
    """One tree laid over another, as Snakemake does it."""
    if not (isinstance(base, Mapping) and isinstance(changes, Mapping)):
        return changes
    return {**base, **{key: _over(base.get(key), value) for key, value in changes.items()}}


def _numbered(values: Any) -> bool:
    """Whether the name of a setting was read as something else than text."""
    if isinstance(values, Mapping):
        return any(not isinstance(key, str) or _numbered(value) for key, value in values.items())
    return False


def _named(values: Any, written: Any) -> Any:
    """Values whose keys are the texts that stand in the files."""
    if not isinstance(values, Mapping) or not isinstance(written, Mapping):
        return values
    names = {key: key for key in values}
    for text in written:
        value = _value(text)
        names |= {key: text for key in values if not isinstance(key, str) and (type(key), key) == (type(value), value)}
    return {names[key]: _named(value, written.get(names[key])) for key, value in values.items()}


def _value(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        return None


def _places(kind: type[Section], values: Any) -> list[tuple[int | str, ...]]:
    """Where text is meant and something else was read."""
    try:
        kind.model_validate(values)
    except ValidationError as error:
        found = (item["loc"] for item in error.errors() if item["type"] == "string_type" and item["input"] is not None)
        return [_within(values, place) for place in found]
    return []


def _in_presets(values: Mapping[str, Any]) -> list[tuple[int | str, ...]]:
    """The same for presets, which are validated when they are laid over the sections."""
    presets = values.get("presets")
    if not isinstance(presets, Mapping):
        return []
    return [("presets", name, *place) for name, preset in presets.items() for place in _places(Stages, preset)]


def _within(values: Any, place: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """The part of a place that leads through the values: pydantic names kinds of settings in it as well."""
    keys: list[int | str] = []
    for part in place:
        if part in (values if isinstance(values, Mapping) else range(len(values) if isinstance(values, list) else 0)):
            keys.append(part)
            values = values[part]
    return tuple(keys)


def _get(tree: Any, place: tuple[int | str, ...]) -> Any:
    """What stands at a place; None if nothing does."""
    for part in place:
        try:
            tree = tree[part]
        except (KeyError, IndexError, TypeError):
            return None
    return tree


def _put(tree: Any, place: tuple[int | str, ...], text: Any) -> Any:
    """A copy with a text at a place; as it was where there is none."""
    if not place:
        return text if isinstance(text, str) else tree
    first, rest = place[0], place[1:]
    if isinstance(tree, Mapping):
        return {**tree, first: _put(tree[first], rest, text)}
    return [_put(item, rest, text) if number == first else item for number, item in enumerate(tree)]
