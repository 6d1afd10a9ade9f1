"""Folder of images -> images.csv, images.h5, rejected.csv, files.jsonl and summary.json: every file decoded whole.

Where some are frames of videos, videos.csv as well.
"""

import logging
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from luss_core import changed, io
from luss_core.bounds import Need, counts_of, stop_if_not_enough
from luss_core.config import PrepareConfig
from luss_core.data.benchmark import recognize
from luss_core.data.check import Reading, check
from luss_core.data.decode import stored_size
from luss_core.data.facts import facts_of
from luss_core.data.files import Files
from luss_core.data.films import Films
from luss_core.data.find import files_below, find, say
from luss_core.data.gather import headers, reading_of, sort_out
from luss_core.data.identical import Identical, find_identical
from luss_core.data.identity import give_ids, read_earlier
from luss_core.data.images import SPLITS, ListedFile, to_list, write_csv, write_images
from luss_core.data.look import look, say_look, to_json, with_crop
from luss_core.data.outcome import (
    LISTED,
    Outcome,
    stop_if_above,
    stop_if_missing,
    stop_if_too_many,
    stop_if_useless,
)
from luss_core.data.outputs import NameLimits, ignores_case
from luss_core.data.packing import Packing, digest_of_files, digest_of_source
from luss_core.data.sequences import NAME
from luss_core.data.store import Store
from luss_core.data.truth import expected
from luss_core.data.verify import describe
from luss_core.errors import UserError
from luss_core.parallel import batches
from luss_core.shortage import size_text

log = logging.getLogger(__name__)

DECODE_BATCH = 32
"""Images that a process hands over at once: what is in memory does not grow with the data set."""
IDENTICAL = "identical.csv"
SOURCE = tuple(
    f"data/{name}.py"
    for name in ("check", "clips", "coding", "contents", "decode", "mask_pixels", "rotated_masks", "video_files")
)
OUTPUTS = ("summary.json", "images.csv", "images.h5", "rejected.csv", changed.NAME)
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
    crop: int = 0,
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
        crop: side of the largest crop that training looks at (pixels), to be told how many images are smaller; no
            output depends on it.
        needs: what all later stages ask of the images; no output depends on it.
        mark: what the folder goes by in the workflow, see ``changed``.

    Raises:
        UserError: no images, too few for what follows, too many rejected, ground truth missing, mask ids above
            ``classes``, or ``out`` cannot be written.
    """
    with io.locked(state, "preparing"):
        record, names = state / changed.NAME, state.with_name(f"{state.name}-names.csv")
        outcome, films = _listed(cfg, root, out, names, needs, _begin(cfg, root, out, record, mark))
        candidates = list(headers(cfg, root, threads, outcome, NameLimits(out)))
        images = [listed for listed, _ in candidates]
        films.look(threads, outcome, NameLimits(out))
        _stop_before_work(cfg, outcome, films, images, needs, out)
        reading = reading_of(cfg, root, candidates, outcome, classes, threads)
        size = sum(3 * h * w for h, w in (stored_size(*shape, cfg.short_side) for _, shape in candidates)) + films.size
        del candidates
        packing = Packing(state, out / "images.h5", size, _key(cfg, root, images, films, reading, threads))
        _check_space(out, size - packing.on_disk())
        _decode_all(reading, root, images, films, threads, classes, packing, outcome)
        _stop_if_unfit(cfg, outcome, films, classes, needs, state, out)
        about = io.provenance({"prepare": cfg.model_dump(mode="json")})
        packing.complete(about)
        identical = _identical(out, outcome, Store(packing.store), films.write(out, outcome))
        found = look(facts_of(outcome, cfg, reading.coding, identical=identical), cfg)
        summary = _write_lists(root, out, outcome) | {"look": to_json(found)}
        summary |= outcome.tally.finish(reading.coding, cfg.rotated_masks, classes)
        packing.hand_over()
        changed.complete(record, out / changed.NAME, root, outcome.held(images))
        io.link_or_copy(out / "images.csv", names)
        io.write_json(out / "summary.json", summary | {"provenance": about})
        log.info("images.h5: %s", describe(Store(out / "images.h5")))
        say_look(with_crop(found, np.concatenate(outcome.sizes), crop))
        shutil.rmtree(state)


def _listed(
    cfg: PrepareConfig, root: Path, out: Path, names: Path, needs: Sequence[Need], found: Files
) -> tuple[Outcome, Films]:
    """What the folder holds, before any file is read.

    Args:
        names: list of an earlier run.
        found: the files in it.

    Raises:
        UserError: no images, or too few of them or of their masks.
    """
    listing, problems = find(root, cfg.masks, videos=cfg.video.reads_files, found=found)
    say(listing, give_ids(listing, read_earlier(names), ignore_case=ignores_case(out)))
    outcome, films = Outcome(listing, rejected=problems), Films(cfg, root, listing)
    if not listing.videos:
        stop_if_not_enough(needs, films.counts(listing.images))
    stop_if_useless(outcome, listing.images, out)
    return outcome, films


def _stop_before_work(
    cfg: PrepareConfig, outcome: Outcome, films: Films, images: list[ListedFile], needs: Sequence[Need], out: Path
) -> None:
    """Raises:
    UserError: the headers alone say that too little can be used.
    """
    stop_if_too_many(cfg, outcome, len(images) + films.usable, out)
    stop_if_missing(cfg, outcome, out)
    stop_if_not_enough(needs, films.counts(images), len(outcome.rejected))


def _stop_if_unfit(
    cfg: PrepareConfig,
    outcome: Outcome,
    films: Films,
    classes: int | None,
    needs: Sequence[Need],
    state: Path,
    out: Path,
) -> None:
    """Raises:
    UserError: what was decoded is not what later stages, or scores, can be made of.
    """
    hint = f" What was read is kept: if the fault was not in the files, delete {state} first."
    stop_if_too_many(cfg, outcome, len(outcome.rows) + films.usable, out, hint)
    stop_if_useless(outcome, outcome.rows, out)
    stop_if_missing(cfg, outcome, out, hint)
    stop_if_above(outcome, classes)
    stop_if_not_enough(needs, counts_of(chain(outcome.rows, films.came.rows)), len(outcome.rejected))


def _begin(cfg: PrepareConfig, root: Path, out: Path, record: Path, mark: str) -> Files:
    """Take the old outputs away, and write down which files are there before any of them is read.

    Raises:
        UserError: no such folder, or it cannot be written.
    """
    for name in (*OUTPUTS, NAME, LISTED, IDENTICAL):
        io.remove(out / name)
    found = files_below(root)
    seen = changed.look(root, cfg.masks, videos=cfg.video.reads_files, files=found.files)
    changed.write(record, seen, {}, mark)
    return found


def _key(
    cfg: PrepareConfig, root: Path, images: list[ListedFile], films: Films, reading: Reading, threads: int
) -> dict[str, Any]:
    """What decides the packed batches. How much may be missing does not: allowed more, the work can be finished."""
    names = (name for listed in images for name in (listed.path, listed.mask))
    settings = cfg.model_dump(mode="json", exclude={"max_rejected_fraction", "allow_missing"})
    files = digest_of_files(root, chain(names, films.paths), threads)
    known = {
        "files": files,
        "white": reading.white,
        "coding": reading.coding.to_json(),
        "source": digest_of_source(SOURCE),
    }
    return {"prepare": settings, "root": str(root.resolve()), **known}


def _decode_all(
    reading: Reading,
    root: Path,
    images: list[ListedFile],
    films: Films,
    threads: int,
    classes: int | None,
    packing: Packing,
    outcome: Outcome,
) -> None:
    """Decode, check and store every image."""
    jobs: Iterator[list[Any]] = chain(batches(images, DECODE_BATCH), films.jobs())
    work, total = films.work(partial(check, root, reading)), len(images) + films.frames
    results, remaining = packing.run(work, jobs, threads, total, "images"), iter(images)
    for batch in islice(results, -(-len(images) // DECODE_BATCH)):
        sort_out(list(islice(remaining, batch.images)), batch, classes, outcome)
    films.add(results, outcome)


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


def _identical(out: Path, outcome: Outcome, store: Store, video: np.ndarray) -> Identical:
    """Images that are there more than once; identical.csv lists them, where there are any.

    Args:
        video: of each image, as ``Identical.between`` has it.
    """
    found = find_identical(np.concatenate(outcome.shapes), np.concatenate(outcome.checksums), store.read)
    found = found.between(video)
    if found.copies:
        write_csv(out / IDENTICAL, ("path", "same_as"), found.pairs(outcome.rows))
    return found


def _write_lists(root: Path, out: Path, outcome: Outcome) -> dict[str, Any]:
    """Write images.csv and rejected.csv.

    Returns:
        The content of summary.json, but for the provenance.
    """
    noted = outcome.all_noted()
    write_csv(out / "rejected.csv", ("path", "reason"), sorted(outcome.rejected) + sorted(noted + outcome.partly))
    images = to_list(_root_from(out, root), outcome.rows, np.concatenate(outcome.sizes))
    write_images(out / "images.csv", images)
    counted = Counter(images.split)
    counts = {split: counted[split] for split in SPLITS if counted[split]}
    log.info(
        "%d images in %s; set aside: %d, noted: %d",
        len(images),
        counts,
        len(outcome.rejected),
        len(noted) + len(outcome.partly),
    )
    return {
        "root": images.root.as_posix(),
        "expected": expected(outcome.listing, outcome.rows),
        "images": counts,
        "masks": dict(Counter(listed.split for listed in outcome.rows if listed.mask)),
        "benchmark": recognize(images),
        "categories": sorted(set(images.folder) - {""}),
        "largest_mask_id": outcome.tally.largest,
        "white_of_16_bits": outcome.white[0],
        "rejected": len(outcome.rejected),
        "noted": len(noted) + len(outcome.partly),
        "left_out": outcome.listing.left_out.as_json(),
        "splits": outcome.listing.splits,
    }


def _root_from(out: Path, root: Path) -> Path:
    """Relative if the data lie beside the output, so that a results folder can be moved; absolute otherwise."""
    out, root = out.resolve(), root.resolve()
    return Path(os.path.relpath(root, out)) if root.is_relative_to(out.parent) else root
