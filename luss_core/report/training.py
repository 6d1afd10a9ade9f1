"""Charts of the two training logs."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from luss_core.report.charts import Curve, line_chart
from luss_core.report.logs import Log
from luss_core.report.page import duration

PRETRAINING, FINETUNING = "Pre-training", "Fine-tuning"
SHARES = {"code_entropy": "entropy of the codes", "prototypes_used": "prototypes in use"}
"""Logs in [0, 1] that fall when a method collapses, and what the page calls them."""


@dataclass(frozen=True)
class Training:
    """What the page says of training."""

    sentences: list[str]
    charts: list[tuple[str, str]]
    """(SVG, caption)."""


def describe(logs: Mapping[str, Log]) -> Training:
    """Loss and learning rate of each training, by its name, and whether pre-training collapsed."""
    sentences, charts = [], []
    for name, log in logs.items():
        sentences.append(_sentence(log, name))
        if log.steps:
            charts.append((_chart(log, {"loss": "loss"}, f"{name} loss", "loss"), _fall(log, f"{name} loss")))
        if log.steps and name == PRETRAINING:
            charts += _pretraining_charts(log)
    return Training(sentences, charts)


def _pretraining_charts(log: Log) -> list[tuple[str, str]]:
    charts = []
    shares = {key: text for key, text in SHARES.items() if key in log.columns}
    if shares:
        chart = _chart(log, shares, "Use of the prototypes in pre-training", "fraction", unit_range=True)
        charts.append((chart, "Entropy falls as codes become sure; if it stays at 1, all codes are alike: a collapse."))
    if "lr" in log.columns:
        charts.append(
            (
                _chart(log, {"lr": "lr"}, "Learning rate of pre-training", "learning rate"),
                "Learning rate of pre-training.",
            )
        )
    return charts


def _chart(log: Log, names: dict[str, str], label: str, y: str, unit_range: bool = False) -> str:
    x = log.columns.get("epoch", log.columns.get("step", np.arange(len(log.columns["loss"]))))
    curves = [Curve(text, x, log.columns[key]) for key, text in names.items()]
    return line_chart(curves, label=f"{label}, by epoch", x="epoch", y=y, unit_range=unit_range)


def _sentence(log: Log, name: str) -> str:
    if not log.steps:
        return f"{name}: no step was taken, the weights are as they were."
    time = f" in {duration(log.seconds)}" if log.seconds else ""
    return f"{name}: {log.steps:,} steps{time}."


def _fall(log: Log, name: str) -> str:
    loss = log.columns["loss"]
    first, last = loss[np.isfinite(loss)][[0, -1]]
    return f"{name}: from {first:.3g} to {last:.3g}."
