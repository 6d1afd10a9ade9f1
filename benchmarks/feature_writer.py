"""Memory and rate of the writer of extraction at the size of ImageNet (bar: memory does not grow with the rows).

    python benchmarks/feature_writer.py [--rows 1280000] [--dim 512] [--folder /tmp]

Random rows go to features.h5 in batches, as `extract` writes them; the file is deleted afterwards. What the process
holds is compared between a tenth of the rows and the end.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from memory import held, peak

from luss_core.data.features import write_features

BAR = 16.0
"""MB that memory may grow by between a tenth of the rows and the end, while gigabytes are written."""


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_280_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where the file is written")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        path = Path(folder) / "features.h5"
        start = time.perf_counter()
        early, late = write(path, args.rows, args.dim, args.batch)
        seconds, size = time.perf_counter() - start, path.stat().st_size / 1e6
    print(f"{args.rows} x {args.dim} in {seconds:.1f} s: {size:.0f} MB, {size / seconds:.0f} MB/s")
    print(f"held: {early:.0f} MB after a tenth, {late:.0f} MB at the end, peak {peak():.0f} MB   (bar: + {BAR:g} MB)")
    if late - early > BAR:
        sys.exit(f"FAIL: memory grew by {late - early:.0f} MB")
    print("PASS")


def write(path: Path, rows: int, dim: int, batch: int) -> tuple[float, float]:
    """MB held after a tenth of the rows and after the last."""
    features = np.random.default_rng(0).standard_normal((batch, dim), np.float32)
    early = 0.0
    with write_features(path, rows, dim, {}) as writer:
        for first in range(0, rows, batch):
            count = min(batch, rows - first)
            writer.append(features[:count], np.arange(first, first + count))
            if not early and first >= rows / 10:
                early = held()
        return early, held()


if __name__ == "__main__":
    main()
