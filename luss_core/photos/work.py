"""What the stages do, in plain words, and how long each takes on this machine. Imports no torch."""

from collections.abc import Mapping
from typing import NamedTuple

WORDS = {
    "prepare": "checking and packing the photographs",
    "prior": "looking where something stands out",
    "pretrain": "learning what is foreground",
    "examine": "measuring what the encoder sees",
    "extract": "describing every photograph by numbers",
    "suggest": "asking how many categories there are",
    "cluster": "grouping the photographs into categories",
    "finetune": "joining encoder and categories",
    "infer": "painting the masks",
    "evaluate": "counting pixels, and scoring where there are masks of yours",
    "export": "writing the file that segments other photographs",
    "report": "making the page",
}
"""By the name of the stage, in order."""


class Work(NamedTuple):
    """What a stage costs."""

    starts: float
    """In starts of a process that loads torch."""
    reads: float = 0
    """Times that each photograph is decoded."""
    passes: float = 0
    """Times that each photograph goes through the network."""
    extra: float = 0
    """Seconds of one core a photograph."""
    once: int = 0
    """Photographs that go through the network however many there are."""


COSTS = {
    "prepare": Work(0.3, reads=1.2, extra=0.001),
    "prior": Work(0.4, extra=0.025),
    "pretrain": Work(1.2, passes=2.4, extra=0.006),
    "examine": Work(1.2, once=1200),
    "extract": Work(1, passes=1.1, extra=0.003),
    "suggest": Work(1, extra=0.002),
    "cluster": Work(0.8, extra=0.002),
    "finetune": Work(1),
    "infer": Work(1, passes=1.1, extra=0.012, once=500),
    "evaluate": Work(0.8, extra=0.004),
    "export": Work(1),
    "report": Work(1.2, extra=0.001),
}
UNKNOWN = Work(1)
SHORT = 50.0
"""Seconds below which they are no longer told."""
MOST = 8
"""Cores that the stages share a network between."""


class Machine(NamedTuple):
    """What was found of this one."""

    cores: int
    start: float
    """Seconds in which a process starts and loads torch."""
    read: float
    """Seconds in which a core decodes a photograph."""
    forward: float
    """Seconds in which a photograph goes through the network."""


def shared_by(cores: int) -> float:
    """How much faster so many cores send a photograph through a network than one does."""
    return float(min(cores, MOST) ** 0.8)


def seconds(stage: str, photographs: int, machine: Machine) -> float:
    """How long a stage takes; an estimate, which the run corrects."""
    work = COSTS.get(stage, UNKNOWN)
    each = (work.reads * machine.read + work.extra) / machine.cores + work.passes * machine.forward
    return work.starts * machine.start + photographs * each + min(work.once, 6 * photographs) * machine.forward


def plan(photographs: int, machine: Machine, stages: Mapping[str, str] = WORDS) -> dict[str, float]:
    """Seconds of every stage, by its name."""
    return {stage: seconds(stage, photographs, machine) for stage in stages}


def in_words(duration: float) -> str:
    """Seconds as people say them."""
    if duration < SHORT:
        return "less than a minute"
    if duration < 90 * 60:
        return f"{max(1, round(duration / 60))} min"
    return f"{duration / 3600:.1f} h"
