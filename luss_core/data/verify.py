"""Whether packed stores still hold what was written: every image against its checksum, in one sequential read."""

import argparse
import sys
import time
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from luss_core.data.hdf5 import open_hdf5
from luss_core.data.store import Store, fingerprint
from luss_core.errors import UserError
from luss_core.parallel import progress


def main(argv: list[str] | None = None) -> None:
    """Verify files and say how large they are and how fast they can be read."""
    parser = argparse.ArgumentParser(
        "luss check-store",
        description=__doc__,
        epilog="example:\n  luss check-store results/embedded/prepare/images.h5",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", type=Path, nargs="+", help="images.h5 of prepare, prior.h5 of prior")
    for path in parser.parse_args(argv).file:
        store = verify(path)
        sys.stdout.write(f"{path}: {len(store)} images as they were written, {describe(store)}\n")


def verify(path: Path) -> Store:
    """The store in a file, after reading it whole.

    Raises:
        UserError: missing, damaged, or without a checksum.
    """
    store = Store(path, "prior" if path.stem == "prior" else "prepare")
    remedy = f"delete it and run the stage {store.stage} again"
    shapes = store.shapes
    with open_hdf5(path, store.stage) as file:
        checksums, offset, place = file["checksum"][:], file["offset"][:], file["pixels"].id.get_offset()
        sizes = store.channels * shapes.prod(axis=1)
        if store.fingerprint != fingerprint(shapes, checksums) or not np.array_equal(offset, np.cumsum(sizes) - sizes):
            raise UserError(f"{path} is damaged: its index is not as it was written; {remedy}")
        with path.open("rb") as pixels:
            pixels.seek(place)
            rows = damaged(pixels, sizes, checksums, "images verified")
    if rows:
        raise UserError(
            f"{path} is damaged: {len(rows)} of {len(store)} images are not as they were written, the first in row"
            f" {rows[0]} (counted from 0); {remedy}"
        )
    return store


def damaged(file: BinaryIO, sizes: np.ndarray, checksums: np.ndarray, unit: str = "") -> list[int]:
    """Positions of the images whose bytes do not have their checksums.

    Args:
        file: at the first byte of the first image; read on to the end of the last.
        sizes: (n,) bytes of each image.
        checksums: (n,) CRC-32.
        unit: what the images are called in the log; '' for no log.
    """
    rows = []
    pairs = zip(sizes.tolist(), checksums.tolist(), strict=True)
    for row, (size, checksum) in enumerate(progress(pairs, len(sizes), unit) if unit else pairs):
        if zlib.crc32(file.read(size)) != checksum:
            rows.append(row)
    return rows


READS = 256


def describe(store: Store) -> str:
    """Size of a store, and the rate of reads in random order; what memory still holds of the file is fast."""
    rows = np.random.default_rng(0).integers(0, len(store), READS).tolist()
    start, size = time.perf_counter(), 0
    for row in rows:
        size += store.read(row).copy().nbytes
    seconds = time.perf_counter() - start
    return (
        f"{store.path.stat().st_size / 1e9:.3g} GB; read in random order: {READS / seconds:.0f} images/s,"
        f" {size / seconds / 1e6:.0f} MB/s"
    )
