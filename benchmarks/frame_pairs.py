"""What video costs: looking at many files, packing their frames, and training on pairs (bar: 85 % of pure computing).

    python benchmarks/frame_pairs.py [--files 10000] [--threads 2] [--rounds 5]

Generated videos: clips of a moving pattern, 640 x 360 pixels, H.264, key frames 250 frames apart at the most as x264
has them by itself, packed with a shorter side of 144; and many links to a small one, of which the headers are read.
Training is `cacl` at crop 112, ResNet-18 of width 16 with output stride 8, batch 32, against the same step on fixed
views in memory, the two in turns; the median of the ratios is printed.
"""

import argparse
import json
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from throughput import STEPS, training

from luss_core.config import PrepareConfig
from luss_core.data.films import Films
from luss_core.data.find import find
from luss_core.data.outcome import Outcome
from luss_core.data.outputs import NameLimits
from luss_core.runtime import make_device
from luss_core.stages.prepare import prepare

CLIPS, FRAMES, HEIGHT, WIDTH = 4, 500, 360, 640
VIDEO = {"video": {"sources": ["files"]}, "short_side": 144}
PRETRAIN = {
    "backbone": {"width": 16, "strides": [1, 2, 2, 1], "dilations": [1, 1, 1, 2]},
    "decoder": None,
    "attention": False,
    "method": {"name": "cacl"},
    "views": {"crops": [{"count": 2, "size": 112, "scale": [0.3, 1.0]}]},
    "train": {"batch_size": 32},
}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for suffix in ("mp4", "mkv"):
            print(f"look at {args.files:,} .{suffix}: {look(root, suffix, args.files, args.threads):.1f} s")
        seconds = packing(root, args.threads)
        print(
            f"packed {CLIPS * FRAMES:,} frames of 640 x 360 in {seconds:.1f} s, {CLIPS * FRAMES / seconds:.0f} a second"
        )
        device = make_device("auto", args.threads)
        pure, real, share = training(root / "out", json.dumps(PRETRAIN), device, args.rounds)
        print(
            f"cacl, a step: {1e3 * pure / STEPS:.0f} ms of computing, {1e3 * real / STEPS:.0f} ms with pairs that are"
            f" read: {100 * share:.0f} % of pure computing"
        )


def write(path: Path, frames: int, height: int, width: int) -> None:
    """A pattern that moves, which H.264 finds neither empty nor noise."""
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (height // 8 + 40, width // 8 + 40, 3), np.uint8)
    scene = small.repeat(8, axis=0).repeat(8, axis=1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        for i in range(frames):
            place = i * 2 % 320
            frame = av.VideoFrame.from_ndarray(scene[place : place + height, place : place + width], format="rgb24")
            frame.pts, frame.time_base = i, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def look(root: Path, suffix: str, files: int, threads: int) -> float:
    """Seconds to find all files and to read what their headers say."""
    folder = root / suffix
    folder.mkdir()
    write(root / f"small.{suffix}", 50, 64, 96)
    for i in range(files):
        (folder / f"{i}.{suffix}").hardlink_to(root / f"small.{suffix}")
    cfg, start = PrepareConfig.model_validate(VIDEO), time.perf_counter()
    listing, _ = find(folder, None, videos=True)
    films, outcome = Films(cfg, folder, listing), Outcome(listing)
    films.look(threads, outcome, NameLimits(root))
    assert len(films.clips) == files
    return time.perf_counter() - start


def packing(root: Path, threads: int) -> float:
    """Seconds of the stage prepare."""
    (root / "clips").mkdir()
    for i in range(CLIPS):
        write(root / "clips" / f"{i}.mp4", FRAMES, HEIGHT, WIDTH)
    start = time.perf_counter()
    cfg = PrepareConfig.model_validate(VIDEO)
    prepare(cfg, root=root / "clips", out=root / "out", state=root / "state", threads=threads)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
