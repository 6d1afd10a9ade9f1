"""Folder of images -> images.csv, images.h5, rejected.csv, files.jsonl and summary.json: every file decoded whole."""

import logging
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from luss_core import changed, io
from luss_core.bounds import Need, counts_of, stop_if_not_enough
from luss_core.config import PrepareConfig
from luss_core.data.arrange import Listing, arrange
from luss_core.data.benchmark import recognize
from luss_core.data.check import check, read_sizes
from luss_core.data.decode import stored_size
from luss_core.data.files import list_files, look_inside
from luss_core.data.identity import give_ids, read_earlier
from luss_core.data.images import SPLITS, ListedFile, to_list, write_csv, write_images
from luss_core.data.kinds import MORE_MASKS, printable
from luss_core.data.outcome import LISTED, Outcome, stop_if_above, stop_if_missing, stop_if_too_many
from luss_core.data.outputs import NameLimits, ignores_case
from luss_core.data.packing import Packed, Packing, digest_of_files, digest_of_source
from luss_core.data.store import Store
from luss_core.data.suspects import masks_among
from luss_core.data.truth import expected
from luss_core.data.verify import describe
from luss_core.errors import UserError
from luss_core.parallel import batches, ordered_map, progress
from luss_core.shortage import size_text

log = logging.getLogger(__name__)

HEADER_BATCH = 256
DECODE_BATCH = 32
"""Images that a process hands over at once: what is in memory does not grow with the data set."""
OUTPUTS = ("summary.json", "images.csv", "images.h5", "rejected.csv", changed.NAME)
SHOWN = 5
NO_MASKS = "none"
"""As ``masks``: all files are photographs, whatever they look like."""
SOURCE = ("data/check.py", "data/decode.py", "data/masks.py")
"""What decides the packed batches, besides settings, files and libraries."""


def prepare(
    cfg: PrepareConfig,
    *,
    root: Path,
    out: Path,
    state: Path,
    threads: int,
    classes: int | None = None,
    needs: Sequence[Need] = (),
    mark: str = "",
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
        needs: what all later stages ask of the images; no output depends on it.
        mark: what the folder goes by in the workflow, see ``changed``.

    Raises:
        UserError: no images, too few for what follows, too many rejected, ground truth missing, mask ids above
            ``classes``, or ``out`` cannot be written.
    """
    with io.locked(state, "preparing"):
        record = _begin(cfg, root, out, state, mark)
        listing, problems = find(root, cfg.masks)
        names = state.with_name(f"{state.name}-names.csv")
        apart = give_ids(listing, read_earlier(names), ignore_case=ignores_case(out))
        _say(listing, apart)
        stop_if_not_enough(needs, counts_of(listing.images))
        outcome = Outcome(listing, rejected=problems)
        candidates = list(_headers(cfg, root, threads, outcome, NameLimits(out)))
        images = [listed for listed, _ in candidates]
        stop_if_too_many(cfg, outcome, len(images), out)
        stop_if_missing(cfg, outcome, out)
        size = sum(3 * h * w for h, w in (stored_size(*shape, cfg.short_side) for _, shape in candidates))
        del candidates
        packing = Packing(state, out / "images.h5", size, _key(cfg, root, images, threads))
        _check_space(out, size - packing.on_disk())
        _decode_all(cfg, root, images, threads, classes, packing, outcome)
        hint = f" What was read is kept: if the fault was not in the files, delete {state} first."
        stop_if_too_many(cfg, outcome, len(outcome.rows), out, hint)
        stop_if_missing(cfg, outcome, out, hint)
        stop_if_above(outcome, classes)
        stop_if_not_enough(needs, counts_of(outcome.rows), len(outcome.rejected))
        about = io.provenance({"prepare": cfg.model_dump(mode="json")})
        packing.complete(about)
        summary = _write_lists(root, out, outcome)
        packing.hand_over()
        changed.complete(record, out / changed.NAME, root, outcome.contents)
        io.link_or_copy(out / "images.csv", names)
        io.write_json(out / "summary.json", summary | {"provenance": about})
        log.info("images.h5: %s", describe(Store(out / "images.h5")))
        shutil.rmtree(state)


def _begin(cfg: PrepareConfig, root: Path, out: Path, state: Path, mark: str) -> Path:
    """Take the old outputs away, and write down which files are there before any of them is read."""
    for name in (*OUTPUTS, LISTED):
        io.remove(out / name)
    record = state / changed.NAME
    changed.write(record, changed.look(root, cfg.masks) if root.is_dir() else {}, {}, mark)
    return record


def _key(cfg: PrepareConfig, root: Path, images: list[ListedFile], threads: int) -> dict[str, Any]:
    """What decides the packed batches. How much may be missing does not: allowed more, the work can be finished."""
    names = (name for listed in images for name in (listed.path, listed.mask))
    settings = cfg.model_dump(mode="json", exclude={"max_rejected_fraction", "allow_missing"})
    files = digest_of_files(root, names, threads)
    return {"prepare": settings, "root": str(root.resolve()), "files": files, "source": digest_of_source(SOURCE)}


def find(root: Path, masks: str | None) -> tuple[Listing, list[tuple[str, str]]]:
    """The images and masks below a folder, and the entries that cannot be read.

    Raises:
        UserError: no such folder, or no images in it.
    """
    if not root.is_dir():
        kind = "is a file" if root.exists() else "does not exist"
        raise UserError(f"data_root {root} {kind}; give a folder of images")
    no_masks = masks is not None and masks.lower() == NO_MASKS and not (root / masks).is_dir()
    found = list_files(root, photographs=True)
    files, prefix = found.files, None
    if masks is not None and not no_masks:
        folder = root / masks if (root / masks).is_dir() else Path(masks)
        prefix = Path(os.path.relpath(folder.resolve(), root.resolve())).as_posix()
        if not folder.is_dir() or prefix == ".":
            raise UserError(
                f"prepare.masks {masks}: no such folder below {root} or here; give one of masks only, or null"
            )
        if not any(name.startswith(f"{prefix}/") for name in files):  # elsewhere, or in a folder that is passed over
            files = [*files, *(f"{prefix}/{name}" for name in list_files(folder).files)]
    listing = arrange(files, prefix)
    if not no_masks and (further := masks_among(root, listing, asked=prefix is not None)):
        listing = arrange(sorted(set(files).difference(further)), prefix)
        for name in further:
            listing.left_out.add(MORE_MASKS, name)
    look_inside(root, files, listing.left_out)
    listing.left_out.include(found.left_out)
    if not listing.images:
        lines = "; ".join(listing.left_out.lines[:SHOWN]) or "nothing"
        raise UserError(f"data_root {root} holds no images; found: {lines}. Give a folder of JPEG, PNG or other images")
    if prefix is not None and len(listing.unmasked) in (0, len(listing.images)) and not listing.images[0].mask:
        raise UserError(f"prepare.masks {masks}: no mask fits an image; the mask of cat/1.jpg must be cat/1.png there")
    return listing, found.problems


def _say(listing: Listing, apart: list[ListedFile]) -> None:
    """What was found, and how it is read, in the log.

    Args:
        apart: images that kept their suffix in their id.
    """
    for split, folder in listing.splits.items():
        log.info("split %s: the folder %s/", split, folder)
    if listing.remark:
        log.warning("%s", listing.remark)
    first = next((listed for listed in listing.images if listed.mask), None)
    if first:
        log.info("masks: %s is that of %s, and so on", printable(first.mask), printable(first.path))
    if apart:
        text = (
            "%d of the images have the name of another but for the suffix, and keep it: the mask of %s will be %s.png"
        )
        log.info(text, len(apart), printable(apart[0].path), printable(apart[0].id))
    for kind, line in zip(listing.left_out.ordered, listing.left_out.lines, strict=True):
        log.log(logging.WARNING if kind.advice else logging.INFO, "left out: %s", line)


def _headers(
    cfg: PrepareConfig, root: Path, threads: int, outcome: Outcome, limits: NameLimits
) -> Iterator[tuple[ListedFile, tuple[int, int]]]:
    """Images whose header is sound and whose outputs can have their names, with height and width before rotation."""
    jobs = batches((listed.path for listed in outcome.listing.images), HEADER_BATCH)
    results = ordered_map(partial(read_sizes, root, cfg.max_megapixels), jobs, threads)
    images = iter(outcome.listing.images)
    for batch in progress(results, len(outcome.listing.images), "headers", len):
        for size in batch:
            listed = next(images)
            if isinstance(size, str):
                outcome.rejected.append((listed.path, size))
            elif reason := limits.reason(listed):
                outcome.rejected.append((listed.path, reason))
            else:
                yield listed, size


def _decode_all(
    cfg: PrepareConfig,
    root: Path,
    images: list[ListedFile],
    threads: int,
    classes: int | None,
    packing: Packing,
    outcome: Outcome,
) -> None:
    """Decode, check and store every image."""
    work, jobs = partial(_check, root, cfg.short_side), batches(images, DECODE_BATCH)
    remaining = iter(images)
    for batch in packing.run(work, jobs, threads, len(images), "images"):
        _sort_out(list(islice(remaining, batch.images)), batch.notes, classes, outcome)


def _check(root: Path, short_side: int, images: list[ListedFile]) -> Packed:
    """``check``, and as one more note what each file and its mask hold, while the system has them in memory."""
    found = check(root, short_side, images)
    found.notes["contents"] = [[changed.held(root, name) for name in (listed.path, listed.mask)] for listed in images]
    return found


def _sort_out(images: list[ListedFile], notes: dict[str, Any], classes: int | None, outcome: Outcome) -> None:
    """Add what ``check`` says of a batch."""
    for listed, texts in zip(images, notes["contents"], strict=True):
        outcome.contents |= zip((listed.path, listed.mask), texts, strict=True)
    for listed, reason, mask_reason, largest in zip(
        images, notes["reasons"], notes["mask_reasons"], notes["mask_ids"], strict=True
    ):
        if reason:
            outcome.rejected.append((listed.path, reason))
            continue
        if mask_reason:
            outcome.noted.append((listed.mask, f"{mask_reason}; the image is kept without it"))
            listed = listed._replace(mask="")
        elif classes is not None and largest > classes:
            outcome.above.append((listed.mask, largest))
        outcome.largest_id = max(outcome.largest_id, largest)
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
        raise UserError(
            f"{out}: images.h5 needs {size_text(size)}, {size_text(free)} are free. Free some space, or lower"
            " prepare.short_side; then run the same command again"
        )


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
        "largest_mask_id": outcome.largest_id,
        "rejected": len(outcome.rejected),
        "noted": len(noted),
        "left_out": outcome.listing.left_out.as_json(),
        "splits": outcome.listing.splits,
    }


def _root_from(out: Path, root: Path) -> Path:
    """Relative if the data lie beside the output, so that a results folder can be moved; absolute otherwise."""
    out, root = out.resolve(), root.resolve()
    return Path(os.path.relpath(root, out)) if root.is_relative_to(out.parent) else root
