"""Time and memory of an image list as long as ImageNet's (bar: 3 minutes, 1 GB).

    python benchmarks/image_list.py [--images 1280000] [--epochs 3] [--scan]

Names like those of ImageNet-S919, of files that do not exist, are arranged as `prepare` arranges those of a folder and
written as images.csv; another process, as a training is one, reads the list back and validates it, and samples batches
from it. The time is that of both together, the memory that of the larger. With `--scan` empty files of these names are
made first, in a temporary folder, and their names are read from the disk.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from memory import held, peak

from luss_core import io
from luss_core.data.arrange import arrange
from luss_core.data.files import list_files
from luss_core.data.identity import give_ids
from luss_core.data.images import ImageList, read_images, to_list, write_images

SECONDS, MEGABYTES = 180.0, 1000.0
FOLDERS = 919
MASKED = {"validation": 12_419, "test": 27_423}
BATCH = 256


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1_280_000, help="of the split train")
    parser.add_argument("--epochs", type=int, default=3, help="whose batches are sampled")
    parser.add_argument("--scan", action="store_true", help="read the names from a folder of empty files")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if args.scan:
            with timed("made empty files"):
                touch(folder / "data", args.images)
        start = time.perf_counter()
        most = max(alone(build, folder, args.images, args.scan), alone(use, folder, args.images, args.epochs))
        seconds = time.perf_counter() - start
    print(f"{seconds:.1f} s, peak {most:.0f} MB   (bar: {SECONDS:g} s, {MEGABYTES:g} MB)")
    if seconds > SECONDS or most > MEGABYTES:
        sys.exit("FAIL")
    print("PASS")


def alone(work: Callable[..., None], *arguments: Any) -> float:
    """Peak MB of a process that does this and nothing else, as the workflow has one for each stage."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        pool.submit(work, *arguments).result()
        return pool.submit(peak).result()


def names(train: int) -> Iterator[str]:
    """Paths of the images of three splits and of the masks of two, sorted within each folder."""
    for split, count in {"train": train, **MASKED}.items():
        for number in range(count):
            synset = f"n{1_440_764 + 10_007 * (number * FOLDERS // count):08d}"
            name = f"{synset}_{number}" if split == "train" else f"ILSVRC2012_val_{number:08d}"
            yield f"{split}/{synset}/{name}.JPEG"
            if split in MASKED:
                yield f"{split}-segmentation/{synset}/{name}.png"


def touch(root: Path, train: int) -> None:
    made = set()
    for name in names(train):
        path = f"{root}/{name}"
        folder = path.rpartition("/")[0]
        if folder not in made:
            made.add(folder)
            Path(folder).mkdir(parents=True)
        with open(path, "xb"):  # noqa: PTH123 - a million times
            pass


def build(folder: Path, train: int, scan: bool) -> None:
    """images.csv and summary.json, with sizes drawn at random."""
    with timed("listed and arranged"):
        listing = arrange(list_files(folder / "data", photographs=True).files if scan else names(train))
        give_ids(listing, lambda _: {})
        images = listing.images
    with timed("written"):
        sizes = np.random.default_rng(0).integers(100, 1000, (len(images), 2))
        write_images(folder / "images.csv", to_list(folder / "data", images, sizes))
        io.write_json(folder / "summary.json", {"root": "data"})


def use(folder: Path, train: int, epochs: int) -> None:
    """What a training does with the list, and more checks."""
    with timed("read"):
        images = read_images(folder / "images.csv")
    with timed("validated"):
        validate(images, train)
    with timed(f"sampled {epochs} epochs"):
        sample(images, epochs)


def validate(images: ImageList, train: int) -> None:
    """Counts, masks, categories, and no id twice in a split."""
    counts = {"train": train, **MASKED}
    assert images.splits == tuple(counts)
    for split, count in counts.items():
        rows = images.rows(split)
        assert len(rows) == count
        assert len({images.id[row] for row in rows}) == count
        assert all(bool(images.mask[row]) == (split in MASKED) for row in rows)
    assert len(images.class_names(FOLDERS)) == 1 + FOLDERS
    assert int(images.height.min()) >= 100


def sample(images: ImageList, epochs: int) -> None:
    """Every image at most once an epoch, in another order in each. Training needs torch, which listing does not."""
    from luss_core.data.loader import BatchSampler, shuffled

    rows = images.rows("train")
    steps = len(rows) // BATCH
    batches = iter(BatchSampler(rows, BATCH, shuffled(len(rows), 0), 0, epochs * steps))
    firsts = set()
    for epoch in range(epochs):
        seen = np.zeros(len(rows), bool)
        for step in range(steps):
            drawn = [key for _, key in next(batches)]
            assert {key.epoch for key in drawn} == {epoch}
            seen[[key.row for key in drawn]] = True
            if not step:
                firsts.add(drawn[0].row)
        assert seen.sum() == steps * BATCH
    assert len(firsts) == epochs


@contextmanager
def timed(what: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    print(f"{what:22}{time.perf_counter() - start:7.1f} s   holds {held():6.0f} MB, peak {peak():6.0f} MB", flush=True)


if __name__ == "__main__":
    main()
