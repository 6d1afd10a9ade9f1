"""What the masks of a data set hold, counted while they are read: for the log, the summary and later readers."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from luss_core.data.coding import IGNORE, Coding
from luss_core.data.rotated_masks import Rotated, RotatedMask, decide

log = logging.getLogger(__name__)

SHOWN = 12


@dataclass
class MaskTally:
    """Of the masks that can be used."""

    ids: Counter[int] = field(default_factory=Counter)
    """In how many masks each id occurs."""
    kinds: Counter[str] = field(default_factory=Counter)
    """How many masks there are of each kind of MaskPixels."""
    rotated: list[RotatedMask] = field(default_factory=list)

    def add(self, mask: str, kind: str, ids: Sequence[int], turn: Sequence[int]) -> int:
        """One mask, as ``check`` says of it.

        Returns:
            Its largest id, ignored pixels aside.
        """
        self.ids.update(ids)
        self.kinds[kind] += 1
        if turn:
            self.rotated.append(RotatedMask(mask, *turn))
        return max((number for number in ids if number != IGNORE), default=0)

    @property
    def largest(self) -> int:
        """Largest id, ignored pixels aside."""
        return max((number for number in self.ids if number != IGNORE), default=0)

    def finish(self, coding: Coding, rotated: Rotated, classes: int | None) -> dict[str, Any]:
        """Say what the ids mean for the classes.

        Returns:
            What summary.json keeps of it, so that later readers read the same.
        """
        turns = decide(self.rotated, rotated)
        if classes is not None and self.kinds and (advice := self.advice(classes)):
            log.warning("%s", advice)
        ids = {str(number): self.ids[number] for number in sorted(self.ids)}
        return {
            "mask_coding": coding.to_json(),
            "mask_kinds": dict(sorted(self.kinds.items())),
            "mask_ids": ids,
            "turned_masks": turns.orientation,
        }

    def lines(self, coding: Coding) -> list[str]:
        """How the masks are read and which ids occur, for a person; none where there are no masks."""
        if not self.kinds:
            return []
        return [f"masks are read so: {coding.describe(self.kinds)}", f"ids in the masks: {shown_ids(self.ids)}"]

    def advice(self, classes: int) -> str:
        """What the ids say about the number of classes; '' if nothing is to be said."""
        found = [number for number in sorted(self.ids) if 0 < number <= classes]
        if not found:
            return "no mask holds any object: only 0 (nothing) and ignored pixels; scores will say nothing"
        if found == [1] and classes > 1:
            return (
                f"the masks hold one kind of object: only id 1 occurs, while classes = {classes}; classes"
                f" 2 to {classes} have no pixel and count 0 in means over classes. If you look for one kind of object,"
                " set classes: 1; if there are more kinds, give each its own id in the masks"
            )
        if missing := [number for number in range(1, classes + 1) if number not in self.ids]:
            listed = ", ".join(map(str, missing[:SHOWN])) + (", ..." if len(missing) > SHOWN else "")
            return (
                f"{len(missing)} of {classes} classes occur in no mask and count 0 in means over classes: {listed}; if"
                " there are fewer kinds of objects, set classes to the largest id"
            )
        return ""


def shown_ids(ids: Counter[int]) -> str:
    """Ids and in how many masks each occurs, as text."""
    rising = sorted(ids)
    parts = [f"{'ignored' if n == IGNORE else n} in {ids[n]}" for n in rising[:SHOWN]]
    return ", ".join(parts) + (f" and {len(rising) - SHOWN} more up to {rising[-1]}" if len(rising) > SHOWN else "")
