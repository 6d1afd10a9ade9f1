"""The files of a data set read one after the other, all or a sample, and what came of each."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from luss_core.config import PrepareConfig
from luss_core.data.check import MASK_NOTES, Reading, read_headers
from luss_core.data.depth import white_of
from luss_core.data.images import ListedFile
from luss_core.data.outcome import Outcome
from luss_core.data.outputs import NameLimits
from luss_core.data.packing import Packed
from luss_core.data.survey import coding_of
from luss_core.parallel import batches, ordered_map, progress

HEADER_BATCH = 256
NOTES = ("reasons", *MASK_NOTES)


def headers(
    cfg: PrepareConfig,
    root: Path,
    threads: int,
    outcome: Outcome,
    limits: NameLimits,
    some: Sequence[ListedFile] | None = None,
) -> Iterator[tuple[ListedFile, tuple[int, int]]]:
    """Images whose header is sound and whose outputs can have their names, with height and width before rotation.

    Args:
        some: images that are looked at; all by default.
    """
    chosen = outcome.listing.images if some is None else some
    jobs = batches((listed.path for listed in chosen), HEADER_BATCH)
    results = ordered_map(partial(read_headers, root, cfg.max_megapixels, cfg.short_side), jobs, threads)
    images = iter(chosen)
    for batch in progress(results, len(chosen), "headers", len):
        for header in batch:
            listed = next(images)
            if isinstance(header, str):
                outcome.rejected.append((listed.path, header))
            elif reason := limits.reason(listed):
                outcome.rejected.append((listed.path, reason))
            else:
                outcome.headers.add(listed.path, header)
                yield listed, header[:2]


def reading_of(
    cfg: PrepareConfig,
    root: Path,
    candidates: Sequence[tuple[ListedFile, tuple[int, int]]],
    outcome: Outcome,
    classes: int | None,
    threads: int,
    deep: Sequence[str] | None = None,
) -> Reading:
    """How all files are read, from their headers, some masks, and what images of 16 bits hold; ``outcome`` keeps it.

    Args:
        deep: files of 16 bits that are looked at; all by default.

    Raises:
        UserError: the masks raise a question.
    """
    coding = coding_of(cfg, root, candidates, classes, bool(outcome.listing.splits), threads)
    fixed = cfg.white_of_16_bits
    outcome.white = (fixed, 0) if fixed else white_of(root, outcome.headers.deep if deep is None else deep, threads)
    return Reading(cfg.short_side, outcome.white[0], coding, cfg.rotated_masks)


def sort_out(images: list[ListedFile], batch: Packed, classes: int | None, outcome: Outcome) -> None:
    """Add what ``check`` says of a batch."""
    notes = batch.notes
    outcome.shapes.append(batch.shapes)
    outcome.checksums.append(batch.checksums)
    outcome.contents.append(np.array(notes["contents"], "S8").reshape(-1, 2))
    for listed, reason, mask_reason, *mask in zip(images, *(notes[name] for name in NOTES), strict=True):
        if reason:
            outcome.rejected.append((listed.path, reason))
            continue
        if mask_reason:
            outcome.noted.append((listed.mask, f"{mask_reason}; the image is kept without it"))
            listed = listed._replace(mask="")
        elif listed.mask:
            largest = outcome.tally.add(listed.mask, *mask)
            if classes is not None and largest > classes:
                outcome.above.append((listed.mask, largest))
        outcome.rows.append(listed)
    outcome.sizes.append(np.array(notes["sizes"], np.int64).reshape(-1, 2))
