"""What share of the network's own speed predict keeps (bar: 80 %), and whether its memory grows with the images.

    python benchmarks/predict.py MODEL [--images 200] [--threads 2] [--rounds 3]

JPEG files of 500 x 375 are made in a temporary folder and segmented to PNG files, against forward passes of the same
images in memory, at the size at which the network sees them. The two sides take turns in one process; the median of the
ratios is printed, of seconds and of seconds of the processor, which say it on a busy machine as well; and the largest
memory of the process. Compare the latter for --images 200, 2000 and 20000 (with
--rounds 0, which only predicts).
"""

import argparse
import itertools
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFilter

from luss_core.data.decode import decode
from luss_core.data.whole import to_network
from luss_core.predict.folder import Folder
from luss_core.predict.inputs import gather
from luss_core.predict.segmenter import Segmenter
from luss_core.predict.work import Work
from luss_core.runtime import autocast, make_device

KINDS = 50
"""Different images; more are second names of these."""


def photographs(folder: Path, count: int) -> None:
    """Blurred noise with a bright shape, of the size of a photograph of ImageNet."""
    rng = np.random.default_rng(0)
    for i in range(count):
        path = folder / f"{i:06d}.jpg"
        if i >= KINDS:
            path.hardlink_to(folder / f"{i % KINDS:06d}.jpg")
            continue
        pixels = rng.integers(0, 200, (375, 500, 3), np.uint8)
        top, left = rng.integers(40, 200, 2)
        pixels[top : top + 120, left : left + 160] += 50
        Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(1.5)).save(path, quality=90)


def seconds(work: Callable[[], None]) -> tuple[float, float]:
    """By the clock, and of the processor."""
    start, busy = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - busy


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("model", type=Path, help="model.safetensors, or the folder of a run")
    add("--images", type=int, default=200)
    add("--threads", type=int, default=2)
    add("--rounds", type=int, default=3)
    add("--device", default="cpu")
    args = parser.parse_args(argv)
    device = make_device(args.device, args.threads)
    segmenter = Segmenter.load(args.model, device)
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        (root / "photographs").mkdir()
        photographs(root / "photographs", args.images)
        numbers = itertools.count()
        inputs = gather([str(root / "photographs")])

        def real() -> None:
            folder = Folder(root / f"found{next(numbers)}")
            folder.begin({"model": segmenter.digest, "edits": {}, "root": str(inputs.root)})
            work = Work(segmenter, inputs, folder, overlays=False, every=1, threads=args.threads)
            with folder.tables(segmenter.legend) as tables:
                for made in work.run():
                    tables.add(made)

        short_side = segmenter.model.short_side
        files = [root / "photographs" / f"{i:06d}.jpg" for i in range(min(KINDS, args.images))]
        kept = [segmenter.model.input_of([decode(file, short_side)]) for file in files]

        def pure() -> None:
            with torch.inference_mode(), autocast("auto", device):
                for i in range(args.images):
                    segmenter.model.network.segment(to_network(kept[i % len(kept)], device))

        if args.rounds:
            pure(), real()
            pairs = [(seconds(pure), seconds(real)) for _ in range(args.rounds)]
            for kind, name in enumerate(("by the clock", "of the processor")):
                ratio = statistics.median(a[kind] / b[kind] for a, b in pairs)
                a, b = (
                    args.images / statistics.median(side[kind] for side in sides) for sides in zip(*pairs, strict=True)
                )
                print(f"{name}: network alone {a:.1f} images a second, predict {b:.1f}: {100 * ratio:.0f} %")
        else:
            print(f"{args.images / seconds(real)[0]:.1f} images a second")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    print(f"{args.images} images, at most {peak:.0f} MB")


if __name__ == "__main__":
    main()
