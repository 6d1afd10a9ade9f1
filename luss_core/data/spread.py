"""Which images the pages show: spread evenly, by nothing that could favour good results."""

from collections.abc import Sequence
from typing import TypeVar

from luss_core.data.images import ImageList

T = TypeVar("T")

PANELS = 12
"""Images that the page of a run shows by default."""
ATTENDED = 8
"""Images of a page whose attention is shown, at the most."""

PROBED = 6
"""Annotated images that the page of the probes shows."""


def panel_rows(images: ImageList, split: str, truth: bool, count: int) -> list[int]:
    """Rows of the image list to show: spread evenly over the folders of one split, only images with truth if asked."""
    rows = [int(row) for row in images.rows(split) if images.mask[row] or not truth]
    return [rows[k] for k in spread([images.folder[row] for row in rows], count)]


def attended_rows(images: ImageList, split: str) -> list[int]:
    """Rows whose attention the page of a run shows: the first that it shows at all by default.

    They are the same whatever report.panels is, since examine, which keeps the maps of these alone, does not know it.
    """
    truth = any(images.mask[row] for row in images.rows(split))
    return panel_rows(images, split, truth, PANELS)[:ATTENDED]


def compared_rows(images: ImageList, split: str) -> list[int]:
    """Rows that the page of an ablation shows, each with the attention of several runs."""
    return panel_rows(images, split, truth=True, count=ATTENDED)


def spread(groups: Sequence[str], count: int) -> list[int]:
    """Positions of at most ``count`` items, the same number of each group, evenly spaced within it.

    Looks at nothing else, so the choice is the same for every run and cannot favour good results. The order goes round
    the groups: the first items come from different ones.
    """
    members: dict[str, list[int]] = {}
    for i, group in enumerate(groups):
        members.setdefault(group, []).append(i)
    quota = dict.fromkeys(sorted(members), 0)
    while (need := min(count, len(groups)) - sum(quota.values())) > 0:
        unfilled = [group for group, taken in quota.items() if taken < len(members[group])]
        for group in evenly(unfilled, need):
            quota[group] += 1
    taken = [evenly(members[group], quota[group]) for group in quota]
    return [items[k] for k in range(max(quota.values(), default=0)) for items in taken if k < len(items)]


def shown_positions(count: int) -> list[int]:
    """Of ``count`` annotated images those that the page of the probes shows."""
    return evenly(range(count), PROBED)


def evenly(items: Sequence[T], count: int) -> list[T]:
    """``count`` items at even distances, or all where there are fewer."""
    count = min(count, len(items))
    return [items[(2 * k + 1) * len(items) // (2 * count)] for k in range(count)]
