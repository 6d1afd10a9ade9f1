"""Charts of the two training logs."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from luss_core.report.charts import Curve, line_chart
from luss_core.report.logs import Log
from luss_core.report.page import duration, share

PRETRAINING, FINETUNING = "Pre-training", "Fine-tuning"
SHARES = {"code_entropy": "entropy of the codes", "prototypes_used": "prototypes in use"}
"""Logs in [0, 1] that fall when a method collapses, and what the page calls them."""

FOUND = {"deviation": "deviation", "cluster_use": "use of the clusters", "knn": "k-NN accuracy", "knn_guess": "a guess"}
"""What `train.diagnostics` finds in [0, 1], and what the page calls it."""
MEANINGS = {
    "deviation": "Features of some training images. Deviation: 1 where they are spread over all directions, 0 where all"
    " are the same, a collapse.",
    "cluster_use": "Use of the clusters: 1 where all clusters of the method hold equally many images.",
    "knn": "k-NN accuracy: how often the nearest neighbours of an image tell its category. The folders are the"
    " categories, here only counted with; a guess always says the commonest.",
}


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
        if log.steps and name == PRETRAINING and {"knn", "knn_guess"} <= log.columns.keys():
            sentences.append(_neighbours(log))
        if log.steps:
            charts.append((_chart(log, {"loss": "loss"}, f"{name} loss", "loss"), _fall(log, f"{name} loss")))
        if log.steps and name == PRETRAINING:
            charts += _pretraining_charts(log)
    return Training(sentences, charts)


def _pretraining_charts(log: Log) -> list[tuple[str, str]]:
    charts = _found_charts(log)
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


def _found_charts(log: Log) -> list[tuple[str, str]]:
    """What was found in the features while they were learned."""
    charts = []
    found = {key: text for key, text in FOUND.items() if key in log.columns}
    if found:
        chart = _chart(log, found, "Features of training images", "", unit_range=True, dots=True)
        charts.append((chart, " ".join(text for key, text in MEANINGS.items() if key in found)))
    if "effective_rank" in log.columns:
        chart = _chart(log, {"effective_rank": "rank"}, "Effective rank of the features", "effective rank", dots=True)
        charts.append((chart, "Effective rank of the features: how many directions they use; 1 is a collapse."))
    return charts


def _chart(log: Log, names: dict[str, str], label: str, y: str, unit_range: bool = False, dots: bool = False) -> str:
    x = log.columns.get("epoch", log.columns.get("step", np.arange(len(log.columns["loss"]))))
    there = {key: np.isfinite(log.columns[key]) if dots else slice(None) for key in names}
    curves = [Curve(text, x[there[key]], log.columns[key][there[key]], dots) for key, text in names.items()]
    return line_chart(curves, label=f"{label}, by epoch", x="epoch", y=y, unit_range=unit_range)


def _sentence(log: Log, name: str) -> str:
    if not log.steps:
        return f"{name}: no step was taken, the weights are as they were."
    time = f" in {duration(log.seconds)}" if log.seconds else ""
    return f"{name}: {log.steps:,} steps{time}."


def _neighbours(log: Log) -> str:
    first, last = _ends(log.columns["knn"])
    guess, _ = _ends(log.columns["knn_guess"])
    return (
        f"The nearest neighbours of an image told its category in {share(first)} of the images before training and in"
        f" {share(last)} after it (a guess: {share(guess)})."
    )


def _ends(column: np.ndarray) -> tuple[float, float]:
    """The first and the last value of a column."""
    first, last = column[np.isfinite(column)][[0, -1]].tolist()
    return first, last


def _fall(log: Log, name: str) -> str:
    first, last = _ends(log.columns["loss"])
    return f"{name}: from {first:.3g} to {last:.3g}."
