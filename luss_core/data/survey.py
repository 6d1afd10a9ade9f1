"""A look at some masks of a data set before the work begins, which decides how all of them are read."""

import logging
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from luss_core.config import PrepareConfig
from luss_core.data.coding import Coding, fixed_coding
from luss_core.data.find_coding import PREPARE, Ask, CodingError, find_coding
from luss_core.data.images import ListedFile
from luss_core.data.outcome import examples
from luss_core.data.seen import Seen, look_at
from luss_core.errors import UserError
from luss_core.parallel import batches, ordered_map, progress

log = logging.getLogger(__name__)

SAMPLE = 24
"""Masks that are looked at, evenly over all of them."""
MOST = 20_000
"""The same where the sample raised a question: it must not depend on what was drawn."""
BATCH = 16


def survey(
    root: Path,
    masks: Sequence[str],
    fixed: Coding | None,
    classes: int | None,
    layout: bool,
    threads: int,
    ask: Ask = PREPARE,
) -> tuple[Coding, list[Seen], list[tuple[str, str]]]:
    """The coding of the masks, those that were seen, and those that cannot be read, with the reasons.

    Args:
        masks: below ``root``.
        fixed: a coding that is known; then only whether files can be read is found.
        classes: number of categories, if it is known.
        layout: whether the folders are those of ImageNet-S.
        ask: how questions are put.

    Raises:
        CodingError: the masks fit no coding or two, or none of them can be read.
    """
    sample = evenly(masks, SAMPLE)
    seen, reasons = _look(root, sample, threads)
    try:
        return _decide(seen, fixed, classes, layout, ask), seen, reasons
    except CodingError:
        if len(sample) == len(masks):
            raise
    log.info("the masks raise a question: looking at more of them")
    seen, reasons = _look(root, evenly(masks, MOST), threads)
    return _decide(seen, fixed, classes, layout, ask), seen, reasons


def evenly(items: Sequence[str], count: int) -> list[str]:
    """At most ``count`` of them, the first and the last among them."""
    if len(items) <= count:
        return list(items)
    return [items[i * (len(items) - 1) // (count - 1)] for i in range(count)]


def by_kind(seen: Sequence[Seen]) -> Counter[str]:
    """How many masks there are of each kind."""
    return Counter(mask.kind for mask in seen)


def _decide(seen: list[Seen], fixed: Coding | None, classes: int | None, layout: bool, ask: Ask) -> Coding:
    if fixed is not None:
        return fixed
    return find_coding(seen, classes, layout, ask) if seen else Coding()


def _look(root: Path, masks: list[str], threads: int) -> tuple[list[Seen], list[tuple[str, str]]]:
    seen: list[Seen] = []
    reasons: list[tuple[str, str]] = []
    found = ordered_map(partial(look_at, root), batches(masks, BATCH), min(threads, 1 + len(masks) // 200))
    names = iter(masks)
    for batch in progress(found, len(masks), "masks looked at", len):
        for one in batch:
            name = next(names)
            if isinstance(one, str):
                reasons.append((name, one))
            else:
                seen.append(one)
    return seen, reasons


def coding_of(
    cfg: PrepareConfig,
    root: Path,
    candidates: Sequence[tuple[ListedFile, tuple[int, int]]],
    classes: int | None,
    layout: bool,
    threads: int,
) -> Coding:
    """The coding of the masks of a data set, from some of them.

    Args:
        candidates: images with the height and width that their files store.

    Raises:
        UserError: none of them can be read, all have other sizes than their images, or their coding is a question.
    """
    masks = [listed.mask for listed, _ in candidates if listed.mask]
    fixed = fixed_coding(cfg.mask_coding, cfg.mask_colours)
    if not masks:
        return fixed or Coding()
    coding, seen, reasons = survey(root, masks, fixed, classes, layout, threads)
    looked = {mask.path: (mask.height, mask.width) for mask in seen}
    stored = {listed.mask: size for listed, size in candidates if listed.mask in looked}
    wrong = [
        (path, f"mask of {size[0]} x {size[1]} pixels for an image of {stored[path][0]} x {stored[path][1]} (h x w)")
        for path, size in looked.items()
        if size not in (stored[path], stored[path][::-1])
    ]
    if len(wrong) == len(seen):
        raise UserError(
            f"none of the {len(seen) + len(reasons)} masks that were looked at (of {len(masks)}) can be used; a mask is"
            " a PNG file of ids with the height and width of its image. Mend them, or take them away"
            f" (prepare.masks: null): without them nothing is scored. One of each kind:{examples(reasons + wrong)}"
        )
    return coding
