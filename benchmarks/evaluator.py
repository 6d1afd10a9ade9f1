"""Time per image of the evaluator beside a literal implementation of the official loops, in one run.

    python benchmarks/evaluator.py

Images of 500 x 375 pixels with 50 classes: several objects each, ignored bands, predictions that are shifted, confused
and patchy. Both sides run in one process on the same arrays, and their counts are compared. The literal side
(tests/unit/official.py) erodes each region d times with scipy's compiled loop. Reading the two PNG files is timed
apart, since it is the same for both. Times are of the processor, so that other work on the machine does not count.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "unit"))
import official

from luss_core.data.masks import read_mask, write_mask
from luss_core.metrics.counts import Counts, image_counts

HEIGHT, WIDTH, CLASSES = 375, 500, 50
BAR = 20


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=24)
    count = parser.parse_args(argv).images
    rng = np.random.default_rng(0)
    truths = [scene(rng) for _ in range(count)]
    predictions = [predicted(truth, rng) for truth in truths]
    pairs = list(zip(predictions, truths, strict=True))
    compare(pairs)
    ours = seconds(lambda p, t: image_counts(p, t, CLASSES), pairs)
    literal = seconds(lambda p, t: official.count_image(p, t, CLASSES), pairs)
    reading = reading_seconds(pairs[: min(count, 8)])
    regions = statistics.mean(len(np.unique(t)) for t in truths)
    print(f"{count} images of {WIDTH} x {HEIGHT}, {CLASSES} classes, {regions:.1f} ids in a truth on average")
    print(f"literal loops   {1e3 * literal:8.2f} ms an image")
    print(f"luss_core       {1e3 * ours:8.2f} ms an image")
    print(f"ratio           {literal / ours:8.1f}   (bar: {BAR})")
    together = (literal + reading) / (ours + reading)
    print(f"reading 2 PNGs  {1e3 * reading:8.2f} ms an image; ratio with it {together:.1f}")
    if literal / ours < BAR:
        sys.exit(f"below the bar of {BAR}")


def scene(rng: np.random.Generator) -> np.ndarray:
    """A truth: 3 to 6 wavy objects, some with an ignored band."""
    ids = np.zeros((HEIGHT, WIDTH), np.int32)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    for _ in range(rng.integers(3, 7)):
        cy, cx, radius = rng.integers(0, HEIGHT), rng.integers(0, WIDTH), rng.integers(20, 130)
        angle = np.arctan2(y - cy, x - cx)
        distance = np.hypot(y - cy, x - cx) * (1 + 0.15 * np.sin(rng.integers(2, 9) * angle + rng.random()))
        if rng.random() < 0.6:
            ids[distance < radius + 4] = 1000
        ids[distance < radius] = rng.integers(1, CLASSES + 1)
    return ids


def predicted(truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A prediction for a truth: shifted, some classes taken for others, a few coarse patches wrong."""
    ids = np.roll(np.where(truth == 1000, 0, truth), rng.integers(-15, 16, 2), axis=(0, 1))
    for present in np.unique(ids):
        if present and rng.random() < 0.5:
            ids[ids == present] = rng.integers(0, CLASSES + 1)
    patches = np.kron(rng.random((HEIGHT // 25, WIDTH // 25)) < 0.05, np.ones((25, 25), bool))
    ids[patches] = rng.integers(1, CLASSES + 1)
    return ids


def compare(pairs: list[tuple[np.ndarray, np.ndarray]]) -> None:
    """Stop unless both sides count the same pixels."""
    total, sums = Counts.none(CLASSES), np.zeros((3, CLASSES + 1), int)
    edges = np.zeros_like(sums)
    for prediction, truth in pairs[:4]:
        total = total + image_counts(prediction, truth, CLASSES)
        counted = official.count_image(prediction, truth, CLASSES)
        sums += counted["all"]
        edges += counted["all_edge"]
    if not (np.array_equal(total.areas[0, 0], sums) and np.array_equal(total.areas[0, 1], edges)):
        sys.exit("the two implementations differ")


def seconds(count: Callable[[np.ndarray, np.ndarray], object], pairs: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """Median over the images, after one to warm up."""
    count(*pairs[0])
    times = []
    for pair in pairs:
        start = time.process_time()
        count(*pair)
        times.append(time.process_time() - start)
    return statistics.median(times)


def reading_seconds(pairs: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """Median time to read a prediction and its truth from PNG files."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{i}_{side}.png") for i in range(len(pairs)) for side in range(2)]
        for path, ids in zip(paths, (ids for pair in pairs for ids in pair), strict=True):
            write_mask(path, ids)
        times = []
        for path in paths * 3:
            start = time.process_time()
            read_mask(path)
            times.append(time.process_time() - start)
    return 2 * statistics.median(times)


if __name__ == "__main__":
    main()
