"""Look at a folder of images without doing anything: what is there, and what a run would do with it.

Reads the names of all files, the headers of some thousands and some dozens of files whole; writes nothing.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np

from luss_core import cli
from luss_core.config import PrepareConfig, PretrainConfig
from luss_core.data.check import Reading, check
from luss_core.data.decode import decode
from luss_core.data.depth import SAMPLE
from luss_core.data.facts import Facts, facts_of
from luss_core.data.find import find
from luss_core.data.gather import headers, reading_of, sort_out
from luss_core.data.identical import Identical, find_identical
from luss_core.data.images import ListedFile
from luss_core.data.look import Look, look, with_crop
from luss_core.data.outcome import Outcome
from luss_core.data.outputs import NameLimits
from luss_core.errors import UserError
from luss_core.parallel import batches, ordered_map
from luss_core.stages.prepare import DECODE_BATCH

T = TypeVar("T")

HEADERS, DECODED = 5000, 96
"""Files whose headers are read, and files that are read whole, evenly over all."""


def main(argv: list[str] | None = None) -> None:
    """Print what lies in a folder."""
    parser = argparse.ArgumentParser(
        "luss look",
        description=__doc__,
        epilog='examples:\n  luss look "my photographs"\n  luss look "my photographs" --masks masks',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("folder", type=Path, help="folder of images, the data_root of a run")
    add("--masks", help="folder of ground-truth masks, as prepare.masks")
    add(
        "--settings",
        default="{}",
        metavar="FILE",
        help="YAML file of settings; the sections prepare and pretrain count",
    )
    add("--threads", type=int, default=2, help="processor cores to use")
    args = parser.parse_args(argv)
    cfg = cli.section(PrepareConfig, "prepare", args.settings)
    views = cli.section(PretrainConfig, "pretrain", args.settings).seen_views
    if args.masks is not None:
        cfg = cfg.model_copy(update={"masks": args.masks})
    found = look_at(cfg, args.folder, args.threads, max(crop.size for crop in views.crops))
    sys.stdout.write("\n".join(found.lines) + "\n")


def look_at(cfg: PrepareConfig, root: Path, threads: int, crop: int = 0) -> Look:
    """What lies in a folder, from all names and a sample of the files.

    Args:
        crop: side of the largest crop that is seen in training, in pixels.

    Raises:
        UserError: as the stage prepare raises it before it decodes anything.
    """
    facts = facts_at(cfg, root, threads)
    return with_crop(look(facts, cfg), facts.sizes, crop)


def facts_at(cfg: PrepareConfig, root: Path, threads: int) -> Facts:
    """The same before it is put into words.

    Raises:
        UserError: as above.
    """
    listing, problems = find(root, cfg.masks, videos=cfg.video.reads_files)
    outcome = Outcome(listing, rejected=problems)
    chosen = spread(listing.images, HEADERS)
    candidates = list(headers(cfg, root, threads, outcome, NameLimits(root), chosen))
    if listing.images and not candidates:
        path, reason = outcome.rejected[-1]
        raise UserError(f"data_root {root}: none of {len(chosen)} images can be read, such as {path!r}: {reason}")
    reading = reading_of(cfg, root, candidates, outcome, None, threads, spread(outcome.headers.deep, SAMPLE))
    sample = [listed for listed, _ in spread(candidates, DECODED)]
    identical = _decode(reading, root, sample, threads, outcome)
    known = 0 if len(sample) == len(listing.images) else len(chosen)
    facts = facts_of(outcome, cfg, reading.coding, identical=identical, sampled=known, decoded=len(sample))
    return replace(facts, sizes=np.array([size for _, size in candidates]))


def spread(items: Sequence[T], most: int) -> Sequence[T]:
    """At most so many of them, evenly."""
    return items if len(items) <= most else [items[i * (len(items) - 1) // (most - 1)] for i in range(most)]


def _decode(reading: Reading, root: Path, images: list[ListedFile], threads: int, outcome: Outcome) -> Identical:
    """Read some images and their masks whole, as prepare does."""
    if not images:
        return Identical()
    remaining = iter(images)
    jobs = batches(images, DECODE_BATCH)
    for batch in ordered_map(partial(check, root, reading), jobs, min(threads, 1 + len(images) // DECODE_BATCH)):
        sort_out(list(islice(remaining, batch.images)), batch, None, outcome)

    def pixels(row: int) -> np.ndarray:
        return decode(root / outcome.rows[row].path, reading.short_side, reading.white).pixels

    return find_identical(np.concatenate(outcome.shapes), np.concatenate(outcome.checksums), pixels)
