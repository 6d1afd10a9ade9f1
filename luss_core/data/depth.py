"""Images of 16 bits: which value is white.

Cameras and microscopes store 10, 12 or 14 bits in files of 16, and no file says so. Read with 65535 as white they are
nearly black; stretched each by its own maximum, their brightness would no longer compare. So one value is white for the
whole data set: the largest of as many bits as the files use.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from luss_core.data.decode import FULL, samples
from luss_core.parallel import batches, ordered_map, progress

SAMPLE = 64
"""Files that are looked at first, evenly over all."""
BATCH = 16


def white_of(root: Path, paths: Sequence[str], threads: int, sample: int = SAMPLE) -> tuple[int, int]:
    """The value that becomes white, 2^bits - 1, and the largest that was found.

    Some files are enough where these need all 16 bits already; otherwise all are read, so that no later one exceeds it.

    Args:
        paths: files of 16 bits; what cannot be read is somebody else's business.
    """
    if not paths:
        return FULL, 0
    some = paths[:: -(-len(paths) // sample)]
    largest = _largest(root, some, threads)
    if bits_of(largest) < 16 and len(some) < len(paths):
        largest = _largest(root, paths, threads)
    return (1 << bits_of(largest)) - 1, largest


def bits_of(value: int) -> int:
    """As many as a value needs, at least 8."""
    return max(8, min(16, value.bit_length()))


def _largest(root: Path, paths: Sequence[str], threads: int) -> int:
    results = ordered_map(partial(_peak, root), batches(paths, BATCH), min(threads, 1 + len(paths) // 100))
    return max((max(found) for found in progress(results, len(paths), "files of 16 bits looked at", len)), default=0)


def _peak(root: Path, paths: list[str]) -> list[int]:
    return [_peak_of(root / path) for path in paths]


def _peak_of(path: Path) -> int:
    try:
        values = samples(path)
    except Exception:  # broken files raise anything, and are found again where they are decoded
        return 0
    colours = values[..., : 3 if values.shape[2:] in ((3,), (4,)) else 1] if values.ndim == 3 else values
    return int(colours.max(initial=0))
