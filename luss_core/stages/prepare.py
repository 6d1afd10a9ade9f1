"""Folder of images -> images.csv, images.h5, rejected.csv and summary.json: every file checked by decoding it whole."""

import logging
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from luss_core import io
from luss_core.config import PrepareConfig
from luss_core.data.benchmark import recognize
from luss_core.data.check import MASK_NOTES, check, read_sizes
from luss_core.data.coding import Coding
from luss_core.data.decode import stored_size
from luss_core.data.images import SPLITS, ListedFile, Listing, arrange, list_files, to_list, write_csv, write_images
from luss_core.data.outcome import (
    LISTED,
    Outcome,
    stop_if_above,
    stop_if_missing,
    stop_if_too_many,
    stop_if_useless,
)
from luss_core.data.packing import Packing, digest_of_files, digest_of_source
from luss_core.data.store import Store
from luss_core.data.survey import coding_of
from luss_core.data.truth import expected
from luss_core.data.unfit_masks import why_unfit
from luss_core.data.verify import describe
from luss_core.errors import UserError
from luss_core.parallel import batches, ordered_map, progress

log = logging.getLogger(__name__)

HEADER_BATCH = 256
DECODE_BATCH = 32
"""Images that a process hands over at once: what is in memory does not grow with the data set."""
OUTPUTS = ("summary.json", "images.csv", "images.h5", "rejected.csv")
SHOWN = 5
SOURCE = ("data/check.py", "data/coding.py", "data/decode.py", "data/mask_pixels.py", "data/rotated_masks.py")
"""What decides the packed batches, besides settings, files and libraries."""
NOTES = ("reasons", *MASK_NOTES)


def prepare(
    cfg: PrepareConfig, *, root: Path, out: Path, state: Path, threads: int, classes: int | None = None
) -> None:
    """Check every file below ``root`` and pack the images, reduced, into ``out``/images.h5.

    Files that cannot be used are listed in rejected.csv with the reason. In a split with ground truth they are an
    error, and so are masks that are missing, damaged or of another size than their image, unless ``cfg.allow_missing``:
    then they are listed as well (the image is kept without mask). summary.json, written last, says of each split how
    many images should be there, and whether they are those of ImageNet-S. Goes on from ``state`` after an interruption,
    to the same files.

    Args:
        classes: C, so that a mistake shows before any training; no output depends on it. None leaves the ids of the
            masks unchecked.

    Raises:
        UserError: no images, too many rejected, ground truth missing, mask ids above ``classes``, or ``out`` cannot be
            written.
    """
    with io.locked(state, "preparing"):
        for name in (*OUTPUTS, LISTED):
            io.remove(out / name)
        listing, problems = find(root, cfg.masks)
        outcome = Outcome(listing, rejected=problems)
        stop_if_useless(outcome, listing.images, out)
        candidates = list(_headers(cfg, root, threads, outcome))
        images = [listed for listed, _ in candidates]
        stop_if_too_many(cfg, outcome, len(images), out)
        stop_if_missing(cfg, outcome, images, out)
        coding = coding_of(cfg, root, candidates, classes, listing.imagenet_s, threads)
        size = sum(3 * h * w for h, w in (stored_size(*shape, cfg.short_side) for _, shape in candidates))
        del candidates
        packing = Packing(state, out / "images.h5", size, _key(cfg, root, images, coding, threads))
        _check_space(out, size - packing.on_disk())
        _decode_all(cfg, root, images, coding, threads, classes, packing, outcome)
        hint = f" What was read is kept: if the fault was not in the files, delete {state} first."
        stop_if_too_many(cfg, outcome, len(outcome.rows), out, hint)
        stop_if_useless(outcome, outcome.rows, out)
        stop_if_missing(cfg, outcome, outcome.rows, out, hint)
        stop_if_above(outcome, classes)
        about = io.provenance({"prepare": cfg.model_dump(mode="json")})
        packing.complete(about)
        summary = _write_lists(root, out, outcome) | outcome.tally.finish(coding, cfg.rotated_masks, classes)
        packing.hand_over()
        io.write_json(out / "summary.json", summary | {"provenance": about})
        log.info("images.h5: %s", describe(Store(out / "images.h5")))
        shutil.rmtree(state)


def _key(cfg: PrepareConfig, root: Path, images: list[ListedFile], coding: Coding, threads: int) -> dict[str, Any]:
    """What decides the packed batches. How much may be missing does not: allowed more, the work can be finished."""
    names = (name for listed in images for name in (listed.path, listed.mask))
    settings = cfg.model_dump(mode="json", exclude={"max_rejected_fraction", "allow_missing"})
    files = digest_of_files(root, names, threads)
    known = {"files": files, "coding": coding.to_json(), "source": digest_of_source(SOURCE)}
    return {"prepare": settings, "root": str(root.resolve()), **known}


def find(root: Path, masks: str | None) -> tuple[Listing, list[tuple[str, str]]]:
    """The images and masks below a folder, and the entries that cannot be read.

    Raises:
        UserError: no such folder, or no images in it.
    """
    if not root.is_dir():
        kind = "is a file" if root.exists() else "does not exist"
        raise UserError(f"data_root {root} {kind}; give a folder of images")
    files, problems = list_files(root)
    prefix = None
    if masks is not None:
        folder = root / masks if (root / masks).is_dir() else Path(masks)
        prefix = Path(os.path.relpath(folder.resolve(), root.resolve())).as_posix()
        if not folder.is_dir() or prefix == ".":
            raise UserError(
                f"prepare.masks {masks}: no such folder below {root} or here; give one of masks only, or null"
            )
        if prefix.startswith("../"):
            files += [f"{prefix}/{name}" for name in list_files(folder)[0]]
    listing = arrange(files, prefix)
    if not listing.images:
        found = ", ".join(f"{count} {kind}" for kind, count in listing.ignored.most_common(SHOWN)) or "nothing"
        raise UserError(f"data_root {root} holds no images; found: {found}; give a folder of JPEG, PNG or other images")
    if masks is not None and len(listing.unmasked) in (0, len(listing.images)) and not listing.images[0].mask:
        below = [name[len(f"{prefix}/") :] for name in files if name.startswith(f"{prefix}/")]
        why = why_unfit(masks, {listed.id for listed in listing.images}, below)
        raise UserError(f"prepare.masks {masks}: no mask fits an image; {why}")
    if listing.imagenet_s:
        _stop_without_png(listing, files)
    return listing, problems


def _stop_without_png(listing: Listing, files: list[str]) -> None:
    """Raises:
    UserError: a folder of masks in ImageNet-S layout holds none, for images that are there.
    """
    for split in {listed.split for listed in listing.images} - listing.truth:
        folder = f"{split}-segmentation/"
        if below := [name[len(folder) :] for name in files if name.startswith(folder)]:
            raise UserError(f"{folder}: {why_unfit(folder, (), below)}; or take the folder away, to score without it")


def _headers(
    cfg: PrepareConfig, root: Path, threads: int, outcome: Outcome
) -> Iterator[tuple[ListedFile, tuple[int, int]]]:
    """Images whose header is sound, with height and width before rotation."""
    jobs = batches((listed.path for listed in outcome.listing.images), HEADER_BATCH)
    results = ordered_map(partial(read_sizes, root, cfg.max_megapixels), jobs, threads)
    images = iter(outcome.listing.images)
    for batch in progress(results, len(outcome.listing.images), "headers", len):
        for size in batch:
            listed = next(images)
            if isinstance(size, str):
                outcome.rejected.append((listed.path, size))
            else:
                yield listed, size


def _decode_all(
    cfg: PrepareConfig,
    root: Path,
    images: list[ListedFile],
    coding: Coding,
    threads: int,
    classes: int | None,
    packing: Packing,
    outcome: Outcome,
) -> None:
    """Decode, check and store every image; of two with one id the first that can be decoded is kept."""
    work = partial(check, root, cfg.short_side, coding, cfg.rotated_masks)
    jobs = _without_split_ids(images)
    remaining = iter(images)
    for batch in packing.run(work, jobs, threads, len(images), "images"):
        _sort_out(list(islice(remaining, batch.images)), batch.notes, classes, outcome)


def _without_split_ids(images: list[ListedFile]) -> Iterator[list[ListedFile]]:
    """Batches in which all files of one id are together, so that one process can choose among them."""
    batch: list[ListedFile] = []
    for listed in images:
        if len(batch) >= DECODE_BATCH and listed[:2] != batch[-1][:2]:
            yield batch
            batch = []
        batch.append(listed)
    if batch:
        yield batch


def _sort_out(images: list[ListedFile], notes: dict[str, Any], classes: int | None, outcome: Outcome) -> None:
    """Add what ``check`` says of a batch."""
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


def _check_space(out: Path, size: int) -> None:
    """Before hours of decoding rather than after.

    Raises:
        UserError: ``out`` cannot be made, or the disk has less room than the pixels need.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(out).free
    except OSError as error:
        raise UserError(f"cannot write {out}: {error.strerror}; check the rights") from error
    if free < size:
        raise UserError(f"{out}: images.h5 needs {size / 1e9:.1f} GB, {free / 1e9:.1f} GB are free; free the disk")


def _write_lists(root: Path, out: Path, outcome: Outcome) -> dict[str, Any]:
    """Write images.csv and rejected.csv.

    Returns:
        The content of summary.json, but for the provenance.
    """
    noted = outcome.all_noted()
    write_csv(out / "rejected.csv", ("path", "reason"), sorted(outcome.rejected) + sorted(noted))
    images = to_list(_root_from(out, root), outcome.rows, np.concatenate(outcome.sizes))
    write_images(out / "images.csv", images)
    counted = Counter(images.split)
    counts = {split: counted[split] for split in SPLITS if counted[split]}
    log.info("%d images in %s; set aside: %d, noted: %d", len(images), counts, len(outcome.rejected), len(noted))
    return {
        "root": images.root.as_posix(),
        "expected": expected(outcome.listing),
        "images": counts,
        "masks": dict(Counter(listed.split for listed in outcome.rows if listed.mask)),
        "benchmark": recognize(images),
        "categories": sorted(set(images.folder) - {""}),
        "largest_mask_id": outcome.tally.largest,
        "rejected": len(outcome.rejected),
        "noted": len(noted),
        "ignored": dict(sorted(outcome.listing.ignored.items())),
    }


def _root_from(out: Path, root: Path) -> Path:
    """Relative if the data lie beside the output, so that a results folder can be moved; absolute otherwise."""
    out, root = out.resolve(), root.resolve()
    return Path(os.path.relpath(root, out)) if root.is_relative_to(out.parent) else root
