"""Give images that the run has not seen the categories that it found.

  luss predict results/photographs/frozen/seed0 new-photographs -o found
  luss predict model.safetensors 'holiday/*.jpg' walk.mp4 -o found --overlays

MODEL is export/model.safetensors of a run, which can be carried to any machine, or the folder of the run. In the folder
after -o lie then

  masks/        a PNG for each image, in the same tree: the value of a pixel is the id of its category, 0 is other;
                viewers show them in the colours of the report
  overlays/     the photographs with the categories laid over (--overlays), as small as the network saw them
  categories.csv   what each id is called, and its colour
  areas.csv        how many pixels of each image belong to each category, and their share
  images.csv       the images, their masks and their sizes
  rejected.csv     files that could not be read, and why; not there where all could

Stopped, or called again with more images, it goes on where it was: masks that are there are not made again.
"""

import argparse
import logging
import os
import shutil
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from luss_core import io
from luss_core.data.kinds import printable
from luss_core.data.mask_pixels import any_size
from luss_core.errors import UserError
from luss_core.parallel import progress
from luss_core.predict.folder import MASKS, REJECTED, Folder
from luss_core.predict.inputs import gather

if TYPE_CHECKING:
    from luss_core.predict.work import Made, Work

log = logging.getLogger(__name__)

STATE = ".predict"
"""Folder that a process holds while it writes."""


def main(argv: list[str] | None = None) -> None:
    """Segment images."""
    args = _parser().parse_args(argv)
    if args.every < 1:
        raise UserError(f"--every {args.every}: of so many frames one is taken; give 1 or more")
    inputs = gather(args.images)  # before torch is loaded: a mistyped name shows at once
    for line in inputs.left_out.lines:
        log.info("left out: %s", line)

    from luss_core.predict.segmenter import Segmenter
    from luss_core.predict.work import Work
    from luss_core.runtime import make_device

    segmenter = Segmenter.load(args.model, make_device(args.device, args.threads))
    folder = Folder(args.out)
    edits = segmenter.edits.model_dump(mode="json", exclude={"revision"})
    folder.begin({"model": segmenter.digest, "edits": edits, "root": str(inputs.root)})
    with io.locked(args.out / STATE, "predicting"), any_size(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd metadata; set once, since threads share it
        every = {"overlays": args.overlays, "every": args.every, "threads": args.threads}
        _run(Work(segmenter, inputs, folder, **every), folder)
    shutil.rmtree(args.out / STATE, ignore_errors=True)


def _run(work: "Work", folder: Folder) -> None:
    """Raises:
    UserError: not one image can be read, or the folder cannot be written.
    """
    rejected = list(work.inputs.problems)
    done = 0
    with folder.tables(work.segmenter.legend) as tables:
        for made in _made(work, rejected):
            tables.add(made)
            done += 1
    folder.finish(work.segmenter.categories, sorted(rejected))
    if not done:
        path, reason = rejected[0]
        raise UserError(f"none of {len(rejected)} files can be read, such as {printable(path)}: {reason}")
    small = work.segmenter.model.short_side
    sys.stdout.write(
        f"{done:,} masks in {folder.out / MASKS} (images were read with a shorter side of {small} pixels)\n"
    )
    if rejected:
        sys.stdout.write(f"{len(rejected):,} files could not be read; {folder.out / REJECTED} says why\n")


def _made(work: "Work", rejected: list[tuple[str, str]]) -> Iterator["Made"]:
    """The images whose masks are there; the others are added to ``rejected``."""
    from luss_core.predict.work import Bad

    count = 0
    try:
        for result in progress(work.run(), work.total, "images"):
            count += 1
            if isinstance(result, Bad):
                rejected.append((result.path, result.reason))
            else:
                yield result
    except KeyboardInterrupt:
        sys.stderr.write(f"\nstopped after {count} images; the same command goes on from there\n")
        sys.exit(130)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "luss predict", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("model", type=Path, metavar="MODEL", help="export/model.safetensors of a run, or the folder of a run")
    add("images", nargs="+", metavar="IMAGES", help="images, videos, folders of them, or patterns such as '*/*.jpg'")
    add("-o", "--out", type=Path, required=True, metavar="OUT", help="folder for what is written")
    add("--overlays", action="store_true", help="write the photographs with the categories laid over as well")
    add("--every", type=int, default=1, metavar="N", help="take one of N frames of a video (default: all)")
    add("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    add("--threads", type=int, default=cores, metavar="N", help="processor cores to use (default: all)")
    return parser
