"""What the page of `snakemake transfer` says is seen: sentences that are computed from the numbers."""

from collections.abc import Sequence
from typing import NamedTuple

from luss_core.report.papers import Spread, Step

CONTROL = "random"


class Seen(NamedTuple):
    """What an encoder has more than the control."""

    preset: str
    steps: Sequence[Step]
    """With each share of the labels, from the smallest."""


def control_of(presets: Sequence[str]) -> str:
    """The encoder that others are compared with: random weights, or the first."""
    return CONTROL if CONTROL in presets else presets[0]


def pairs(presets: Sequence[str]) -> list[tuple[str, str]]:
    """What is compared: each encoder with the control, and each with the one before it."""
    control = control_of(presets)
    others = [preset for preset in presets if preset != control]
    return [*((control, other) for other in others), *zip(others, others[1:], strict=False)]


def told(spread: Spread, seen: Sequence[Seen], control: str) -> list[str]:
    """One sentence or two for each encoder, then the order."""
    texts = [text for one in seen for text in _of_encoder(one, control)]
    order = [_order(spread, column) for column in spread.mean.columns]
    return [*texts, *(text for text in order if text)]


def _of_encoder(seen: Seen, control: str) -> list[str]:
    steps = [step for step in seen.steps if step.mean is not None]
    if not steps:
        return []
    gains = ", ".join(f"{_points(step)} with {step.column} of the labels" for step in steps)
    texts = [f"{seen.preset} against {control}: {gains}."]
    few, whole = steps[0], steps[-1]
    if (
        len(steps) > 1
        and few.mean is not None
        and whole.mean is not None
        and "open" not in (few.verdict, whole.verdict)
    ):
        more = few.mean - whole.mean
        texts.append(
            f"Its lead is {abs(more):.1f} points {'larger' if more > 0 else 'smaller'} where labels are few than where"
            " they are many."
        )
    return texts


def _points(step: Step) -> str:
    deviation = "" if step.std is None else f" ± {step.std:.1f}"
    chance = {0: "", 1: " (one seed: chance cannot be told)"}
    doubt = chance.get(step.seeds, " (may be chance)" if step.verdict == "open" else "")
    return f"{step.mean:+.1f}{deviation} points{doubt}"


def _order(spread: Spread, column: str) -> str:
    means = spread.mean[column].dropna().sort_values(kind="stable")
    if len(means) < 2:
        return ""
    return (
        f"In order of mIoU with {column} of the labels: "
        + " < ".join(f"{preset} {value:.1f}" for preset, value in means.items())
        + "."
    )
