"""What a run learned from beyond the images: weights that others trained, labels of the folders or of a file.

Scores of runs that differ in that never stand in one column.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from luss_core.errors import UserError
from luss_core.report.comparison import ScoredRun

DIGITS = 12
"""Of a SHA-256 that are shown."""


def kind(scores: Mapping[str, Any]) -> str:
    """Of a run, by its scores.json; empty where it had the images alone."""
    parts = ["weights that others trained"] if scores.get("weights") else []
    if scores.get("supervised"):
        parts.append("labels of a file" if scores.get("labels_file") else "labels of the category folders")
    return " and ".join(parts)


def weights_of(scores: Mapping[str, Any]) -> str:
    """Which weights the encoder of a run began from; empty where they were random."""
    weights = scores.get("weights")
    if not weights:
        return ""
    licence = f"; {weights['licence']}" if weights["licence"] else ""
    return f"{weights['layout']}, {weights['source']}, SHA-256 {weights['digest'][:DIGITS]}…{licence}"


def beyond_context(scores: Mapping[str, Any]) -> dict[str, Any]:
    """The same for the page of a run."""
    given = {name: bool(scores.get(name)) for name in ("supervised", "labels_file")}
    return {"weights": weights_of(scores), **given}


def by_preset(
    runs: Sequence[ScoredRun], scores: Sequence[Mapping[str, Any]], what: Callable[[Mapping[str, Any]], str]
) -> dict[str, str]:
    """``kind`` or ``weights_of`` of each preset, by its first run."""
    found: dict[str, str] = {}
    for run, values in zip(runs, scores, strict=True):
        found.setdefault(run.preset, what(values))
    return found


def only_kind(runs: Sequence[ScoredRun], scores: Sequence[Mapping[str, Any]]) -> str:
    """The ``kind`` of all runs, which are to stand in one column.

    Raises:
        UserError: they differ.
    """
    kinds = by_preset(runs, scores, kind)
    if len(set(kinds.values())) > 1:
        found = ", ".join(f"{preset} {what or 'the images alone'}" for preset, what in kinds.items())
        raise UserError(f"rows of one table must have learned from the same: {found}; leave one kind out of `ablation`")
    return kinds[runs[0].preset]


def groups(presets: Iterable[str], kinds: Mapping[str, str]) -> list[tuple[str, list[str]]]:
    """Presets of one kind together, those that had the images alone first."""
    ordered = list(dict.fromkeys(presets))
    found = sorted({kinds[preset] for preset in ordered}, key=lambda name: (bool(name), name))
    return [(name, [preset for preset in ordered if kinds[preset] == name]) for name in found]
