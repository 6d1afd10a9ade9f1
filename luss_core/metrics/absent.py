"""Classes that do not occur in the truth: they count 0 in the official means, which hides how good the others are."""

from collections.abc import Mapping, Sequence
from typing import Any

NAMED = 8
"""Classes named, at the most."""


def absence(scores: Mapping[str, Any], names: Sequence[str] | None = None) -> str | None:
    """Which classes do not occur, that they count 0, and the mean without them; None where all occur.

    Args:
        scores: of `luss_core.metrics.scores`.
        names: of the classes 0..C; without them classes are called by their ids.
    """
    absent: Sequence[int] = scores.get("absent_classes") or ()
    if not absent:
        return None
    total, objects = len(scores["IoU"]) - 1, [i for i in absent if i]
    called = [names[i] if names else str(i) for i in objects[:NAMED]]
    more = f" and {len(objects) - NAMED} more" if len(objects) > NAMED else ""
    other = names[0] if names else "0 (other)"
    if not objects:
        text = f"{other} does not occur in the truth and counts 0 in the mean"
    else:
        verb = ("does", "counts") if len(objects) == 1 else ("do", "count")
        kind = "class" if total == 1 else "classes"
        text = f"{len(objects)} of {total} {kind} {verb[0]} not occur in the truth and {verb[1]} 0 in the mean: "
        text += ", ".join(called) + more + (f"; nor does {other}" if 0 in absent else "")
    if scores["mIoU_present"] is None:
        return text
    return f"{text}. {_present(total + 1 - len(absent), 0 not in absent)}, mIoU is {scores['mIoU_present']:.2f}"


def _present(number: int, other: bool) -> str:
    """Which classes the mean without the absent ones is over."""
    if number == 1:
        return "Over the one that occurs"
    return f"Over the {number} that occur" + (", other included" if other else "")
