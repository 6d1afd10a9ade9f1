"""Rates of a packed store that is larger than one would like to keep in memory; no bar.

    python benchmarks/store.py [--images 24000] [--folder /tmp]

Images of 256 x 340 pixels are packed as `prepare` does, but for the decoding: written in order, given an index and
verified. Then some are read in random order, after the system was asked to forget the file and from its memory: through
the memory map of the store, and with preadv instead. The file (6.3 GB) is deleted afterwards.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from memory import held, peak

from luss_core.data.hdf5 import open_hdf5
from luss_core.data.packing import Packed, Packing, packed
from luss_core.data.store import Store
from luss_core.data.verify import describe, verify
from luss_core.parallel import batches

SHAPE = 256, 340
PIXELS = np.random.default_rng(0).integers(0, 256, (*SHAPE, 3), np.uint8).tobytes()
BATCH = 32
READS, ROUNDS = 1500, 6


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=24_000)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where the file is written")
    args = parser.parse_args(argv)
    size = args.images * len(PIXELS)
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        path, work_folder = Path(folder) / "images.h5", Path(folder) / "state"
        work_folder.mkdir()
        packing = Packing(work_folder, path, size, {})
        start, before = time.perf_counter(), held()
        for _ in packing.run(work, batches(range(args.images), BATCH), 1, args.images, "images"):
            pass
        written = time.perf_counter()
        packing.complete({})
        packing.hand_over()
        completed = time.perf_counter()
        print(
            f"written at {size / (written - start) / 1e6:.0f} MB/s, completed in {completed - written:.1f} s;", end=" "
        )
        print(f"{before:.0f} MB held before, {peak():.0f} MB at most")
        print(describe(Store(path)))
        for repeat in range(ROUNDS):
            for kind in ("map", "preadv") if repeat % 2 else ("preadv", "map"):
                forget(path)
                rates = [f"{rate(path, kind, repeat):,.0f} images/s from {where}" for where in ("the disk", "memory")]
                print(f"{kind}: {', '.join(rates)}")
        forget(path)
        start = time.perf_counter()
        verify(path)
        print(f"verified from the disk at {size / (time.perf_counter() - start) / 1e6:.0f} MB/s")


def work(rows: list[int]) -> Packed:
    return packed(len(rows), [PIXELS] * len(rows), [SHAPE] * len(rows), {})


def rate(path: Path, kind: str, seed: int) -> float:
    """Images a second in random order, each of them whole in memory of its own."""
    store = Store(path)
    rows = np.random.default_rng(seed).permutation(len(store))[:READS].tolist()
    with open_hdf5(path, "prepare") as index:
        place, offset = index["pixels"].id.get_offset(), index["offset"][:].tolist()
    pixels = np.empty((*SHAPE, 3), np.uint8)
    with path.open("rb") as file:
        start = time.perf_counter()
        for row in rows:
            if kind == "map":
                pixels[:] = store.read(row)
            else:
                os.preadv(file.fileno(), [pixels], place + offset[row])
        return READS / (time.perf_counter() - start)


def forget(path: Path) -> None:
    """Ask the system to drop a file from its memory, where that is possible."""
    if hasattr(os, "posix_fadvise"):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


if __name__ == "__main__":
    main()
