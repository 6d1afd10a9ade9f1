"""Signs in the log of a training that it taught the encoder nothing. Imports no torch.

A method logs one of these values, whatever it is called, and `train.diagnostics` those of all methods; the pages, the
end of its log and the end of the workflow say what they show.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from luss_core.errors import UserError
from luss_core.io import read_json

TAIL_BYTES = 1 << 19
"""Of a log that are read: some thousand steps."""
LAST = 0.1
"""Share of the steps, the last, over which a sign is the mean; but at least"""
LEAST = 20
"""steps, where there are so many: one step of few images says little."""

NOTHING = "nothing was learned in pre-training, so categories, masks and scores say little:"
"""Before what shows it."""


class Sign(NamedTuple):
    """A value in the log of a training, and what it means where it is out of bounds."""

    key: str
    low: float
    """Below this, or"""
    high: float
    """above this, nothing was learned."""
    what: str
    remedies: str
    over: str = ""
    """The value that is taken off first."""
    last: bool = False
    """Measured now and then: what was found last counts, not the mean."""

    def shows_in(self, value: float) -> bool:
        return not self.low <= value <= self.high

    def value_in(self, records: Iterable[Mapping[str, Any]]) -> float | None:
        """The value in some lines of a log; None where they have none that is finite."""
        keys = [key for key in (self.key, self.over) if key]
        there = [record for record in records if all(_is_number(record.get(key)) for key in keys)]
        values = [record[self.key] - record.get(self.over, 0) for record in there]
        if not values:
            return None
        return float(values[-1] if self.last else sum(values) / len(values))

    def text(self, value: float) -> str:
        """What is wrong, and what to try."""
        return f"{self.what.format(value=round(value, 3) + 0.0)}. {self.remedies}"


ALIKE = "If the photographs are nearly the same, or very few, no setting helps: give others. Otherwise try"

SIGNS = (
    Sign(
        "code_entropy",
        0,
        0.98,
        "the codes of the images are almost uniform (code_entropy {value:.3f} of 1)",
        f"{ALIKE} pretrain.method.epsilon 0.03, a longer freeze_prototypes_steps, fewer prototypes, a smaller"
        " pretrain.train.lr, or a later queue_start_epoch",
    ),
    Sign(
        "margin",
        0.02,
        2,
        "two views of one image are no more alike than views of two images (margin {value:.3f}, of at most 2)",
        f"{ALIKE} a smaller pretrain.train.lr, a longer warmup_epochs, or more epochs",
    ),
    Sign(
        "chance",
        0,
        0.998,
        "images are told apart no better than by a guess (chance {value:.3f}, where 1 is a guess)",
        f"{ALIKE} another pretrain.train.lr, or more epochs",
    ),
    Sign(
        "attended",
        0.002,
        0.998,
        "the attention calls all of the images foreground, or nothing (attended {value:.3f} of 1)",
        "Try other pretrain.method.cues, a smaller penalty, or more epochs",
    ),
    Sign(
        "deviation",
        0.07,
        1,
        "the features of all images are nearly the same, a collapse (deviation {value:.3f}, of at most 1)",
        f"{ALIKE} a smaller pretrain.train.lr, a longer warmup_epochs, a larger batch_size, or another pretrain.method",
        last=True,  # healthy trainings end at 0.35 to 0.6, BYOL without its heads at 0.04 to 0.06
    ),
    Sign(
        "effective_rank",
        1.2,
        float("inf"),
        "the features of all images lie on one line (effective rank {value:.3f}, where 1 is a line)",
        f"{ALIKE} a smaller pretrain.train.lr, a larger batch_size, or another pretrain.method",
        last=True,
    ),
    Sign(
        "knn",
        0,
        1,
        "neighbours in the features tell the category of an image worse than a guess (k-NN accuracy less that of a"
        " guess: {value:.3f})",
        f"{ALIKE} more pretrain.train.epochs, another lr, or another pretrain.method; if the folders are no categories,"
        " set evaluate.folders: false",
        over="knn_guess",
        last=True,
    ),
)
"""In the order in which they are looked for."""


def sign_in(records: Sequence[Mapping[str, Any]]) -> str | None:
    """What shows in some steps of a log that nothing was learned, with remedies; None if nothing does.

    Args:
        records: lines of log.jsonl, in order. Values that are missing or not finite are left out.
    """
    for sign in SIGNS:
        value = sign.value_in(records)
        if value is not None and sign.shows_in(value):
            return sign.text(value)
    return None


def sign_of(log: Path) -> str | None:
    """The same of the last tenth of a whole training, by its log.jsonl; None where no step was taken.

    Raises:
        UserError: the file is missing, or a line of it is not a JSON object.
    """
    return sign_in(last_steps(log))


def last_steps(log: Path) -> list[dict[str, Any]]:
    """The last tenth of the lines of a log, but at least LEAST and no more than fit into TAIL_BYTES.

    Raises:
        UserError: as ``sign_of``.
    """
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL_BYTES))
            lines = file.read().decode("utf-8").splitlines()[1 if size > TAIL_BYTES else 0 :]
        records = [json.loads(line) for line in lines]
        steps = [int(record["step"]) for record in records]
    except FileNotFoundError as error:
        raise UserError(f"{log} does not exist; run the stage that writes it") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{log} is no whole log of a training; delete it and run its stage again") from error
    if not steps:
        return []
    first = min(int((1 - LAST) * (steps[-1] + 1)), steps[-1] + 1 - LEAST)
    return [record for record, step in zip(records, steps, strict=True) if step >= first]


def warnings_of(runs: Iterable[tuple[str, Path]]) -> str:
    """A line for each thing that makes the result of a run say little, for the end of a workflow.

    Args:
        runs: what each is called, and its scores.json, which may be missing.
    """
    found = [(name, read_json(scores).get("warnings", ())) for name, scores in runs if scores.exists()]
    return "".join(f"\nwarning: {name}: {text}." for name, texts in found for text in texts)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")
