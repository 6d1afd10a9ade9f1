"""Images that are the same, pixel by pixel, as they are kept: copies of one file, under whatever names."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from luss_core.data.images import ListedFile


@dataclass(frozen=True)
class Identical:
    """Groups of rows of an image list that hold the same picture, in order; no group of one."""

    groups: list[list[int]] = field(default_factory=list)

    @property
    def copies(self) -> int:
        """How many images repeat another one."""
        return sum(len(rows) - 1 for rows in self.groups)

    def between(self, video: np.ndarray) -> "Identical":
        """Without the frames that repeat one of their own video: there nothing moved for a moment.

        Args:
            video: (N,) number of the video of each row; -1 for images of none.
        """
        groups = []
        for rows in self.groups:
            firsts: dict[int, int] = {}
            for row in rows:
                number = int(video[row])
                firsts.setdefault(number if number >= 0 else -1 - row, row)
            groups.append(list(firsts.values()))
        return Identical([rows for rows in groups if len(rows) > 1])

    def learned(self, images: Sequence[ListedFile]) -> list[tuple[str, str]]:
        """Images of other splits that are in train as well: path, and path of that in train."""
        found = []
        for rows in self.groups:
            train = next((images[row].path for row in rows if images[row].split == "train"), "")
            found += [(images[row].path, train) for row in rows if train and images[row].split != "train"]
        return found

    def pairs(self, images: Sequence[ListedFile]) -> list[tuple[str, str]]:
        """Path of every image that repeats another one, and path of the first."""
        return [(images[row].path, images[rows[0]].path) for rows in self.groups for row in rows[1:]]


def find_identical(shapes: np.ndarray, checksums: np.ndarray, read: Callable[[int], np.ndarray]) -> Identical:
    """Which of many images are the same.

    Sizes and checksums, which are there already, leave few candidates; only of these pixels are read.

    Args:
        shapes: (N, 2) height and width as they are kept.
        checksums: (N,) CRC-32 of the pixels.
        read: the pixels of a row.
    """
    keys = (checksums.astype(np.uint64) << np.uint64(32)) | (shapes[:, 0].astype(np.uint64) << np.uint64(16))
    keys |= shapes[:, 1].astype(np.uint64)
    values, counts = np.unique(keys, return_counts=True)
    groups: dict[tuple[int, bytes], list[int]] = {}
    for row in np.flatnonzero(np.isin(keys, values[counts > 1])).tolist():
        digest = hashlib.blake2b(read(row).tobytes(), digest_size=16).digest()
        groups.setdefault((int(keys[row]), digest), []).append(row)
    return Identical([rows for rows in groups.values() if len(rows) > 1])
