"""Weights that others trained, as pages speak of them; their scores never stand among those from random weights."""

from collections.abc import Mapping, Sequence
from typing import Any

from luss_core.report.comparison import ScoredRun

DIGITS = 12
"""Of a SHA-256 that are shown."""


def described(scores: Mapping[str, Any]) -> str:
    """Which weights the encoder of a run began from, by its scores.json; empty where they were random."""
    weights = scores.get("weights")
    if not weights:
        return ""
    licence = f"; {weights['licence']}" if weights["licence"] else ""
    return f"{weights['layout']}, {weights['source']}, SHA-256 {weights['digest'][:DIGITS]}…{licence}"


def begun_from(runs: Sequence[ScoredRun], scores: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """For each preset the same, by its first run."""
    found: dict[str, str] = {}
    for run, values in zip(runs, scores, strict=True):
        found.setdefault(run.preset, described(values))
    return found
