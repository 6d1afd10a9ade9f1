"""The stage cluster at the size of ImageNet: time, memory, and inertia beside k-means over all vectors run longer.

    python benchmarks/cluster.py                     # 1.28 million vectors of 512 numbers, 919 clusters: 20 minutes
    python benchmarks/cluster.py --vectors 100000    # a tenth, in three

The vectors are a mixture of many more modes than there are clusters, of unequal size and spread, so that there is no
obvious answer to be found. Each side is a process of its own; its memory is the most that it ever had resident.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import faiss
import numpy as np
from memory import UNIT
from tqdm import tqdm

from luss_core.data.features import Features, read_clusters, write_features
from luss_core.data.images import ListedFile, to_list, write_images
from luss_core.kmeans import fit_centroids, normalized

ROOT = Path(__file__).resolve().parents[1]
BLOCK = 1 << 14
MODES = 4000
MINUTES, ABOVE_FEATURES, INERTIA = 20, 1.5e9, 1.01
"""The bars: of the stage, its memory beyond the size of the vectors, its inertia relative to the longer run."""


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=int, default=1_280_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--classes", type=int, default=919)
    parser.add_argument("--settings", default='{"restarts": 4}', help="of the stage, as JSON")
    parser.add_argument("--iterations", type=int, default=30, help="of k-means over all vectors")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--reference", type=Path, metavar="FEATURES", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.reference:
        print(reference(args.reference, args.classes, args.iterations, args.threads))
        return
    with tempfile.TemporaryDirectory(prefix="luss-") as folder:
        compare(args, Path(folder))


def compare(args: argparse.Namespace, folder: Path) -> None:
    """Make the vectors, cluster them both ways and say how they compare."""
    features, images = write_inputs(folder, args.vectors, args.dim)
    size = 4 * args.vectors * args.dim
    stage = f"{ROOT}/workflow_scripts/cluster.py --seed 0 --classes {args.classes} --threads {args.threads}".split()
    stage += ["--features", features, "--images", images, "--settings", args.settings]
    stage += ["--out", folder / "clusters.h5", "--balance", folder / "balance.json"]
    seconds, memory, _ = measured(stage)
    ours = float(read_clusters(folder / "clusters.h5").distance.sum(dtype=np.float64))
    print(f"{args.vectors:,} vectors of {args.dim}, {args.classes} clusters, {size / 1e9:.2f} GB; {args.settings}")
    bar = (size + ABOVE_FEATURES) / 1e9
    print(f"stage        {seconds / 60:6.1f} min (bar: {MINUTES}), {memory / 1e9:.2f} GB (bar: {bar:.2f})")
    again = [__file__, "--reference", features, "--classes", str(args.classes)]
    again += ["--iterations", str(args.iterations), "--threads", str(args.threads)]
    longer, more, said = measured(again)
    print(f"all vectors  {longer / 60:6.1f} min, {more / 1e9:.2f} GB: one start, {args.iterations} iterations")
    print(f"inertia      {ours / float(said):.5f} of that (bar: {INERTIA})")
    if seconds > 60 * MINUTES or memory > size + ABOVE_FEATURES or ours > INERTIA * float(said):
        sys.exit("below the bar")


def reference(features: Path, classes: int, iterations: int, threads: int) -> float:
    """Inertia of k-means over all vectors in memory."""
    faiss.omp_set_num_threads(threads)
    vectors = normalized(Features(features).take(np.arange(Features(features).count)))
    return fit_centroids(vectors, classes, iterations, 1, seed=1)[1][0]


def write_inputs(folder: Path, count: int, dim: int) -> tuple[Path, Path]:
    """features.h5 and images.csv as the stages before would write them."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(MODES, dim)).astype(np.float32) * rng.gamma(4, 0.25, (MODES, 1)).astype(np.float32)
    spread = rng.gamma(4, 0.3, MODES).astype(np.float32)
    weight = rng.dirichlet(np.full(MODES, 0.7))
    with write_features(folder / "features.h5", count, dim, {}) as writer:
        for start in tqdm(range(0, count, BLOCK), unit="block", disable=None):
            rows = np.arange(start, min(start + BLOCK, count))
            mode = rng.choice(MODES, len(rows), p=weight)
            noise = rng.standard_normal((len(rows), dim), np.float32)
            writer.append(centres[mode] + spread[mode, None] * noise, rows)
    images = [ListedFile("train", f"{i:07d}", f"{i:07d}.png", "", "") for i in range(count)]
    write_images(folder / "images.csv", to_list(folder, images, np.ones((count, 2), np.int64)))
    (folder / "summary.json").write_text(json.dumps({"root": "."}), encoding="utf-8")
    return folder / "features.h5", folder / "images.csv"


def measured(command: list[str | Path]) -> tuple[float, int, str]:
    """Seconds, the greatest resident memory in bytes, and the output of a Python process."""
    start = time.monotonic()
    process = subprocess.Popen([sys.executable, *map(str, command)], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{command[0]} failed")
    return time.monotonic() - start, usage.ru_maxrss * UNIT, said


if __name__ == "__main__":
    main()
