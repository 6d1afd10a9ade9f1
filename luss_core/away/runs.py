"""Where a mask begins and ends: the lengths of its runs, in the order that each program wants."""

import json
from collections.abc import Iterable
from typing import IO

import numpy as np


def run_lengths(flat: np.ndarray) -> np.ndarray:
    """(r,) int64 lengths of the runs of (n,) bool, beginning with those of False, 0 where it begins with True."""
    change = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    ends = np.concatenate([[0], change, [len(flat)]])
    lengths = np.diff(ends)
    return np.concatenate([[0], lengths]) if len(flat) and flat[0] else lengths


class Box:
    """The smallest box around the pixels of a mask."""

    def __init__(self, inside: np.ndarray) -> None:
        """Args:
        inside: (H, W) bool, True somewhere.
        """
        rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        self.top, self.left = int(rows[0]), int(columns[0])
        self.height, self.width = int(rows[-1]) - self.top + 1, int(columns[-1]) - self.left + 1

    def cut(self, inside: np.ndarray) -> np.ndarray:
        """(height, width) of it."""
        return inside[self.top : self.top + self.height, self.left : self.left + self.width]


def categories_in(ids: np.ndarray) -> list[int]:
    """Ids of a mask but other, ascending."""
    return np.flatnonzero(np.bincount(ids.ravel())).tolist()[int((ids == 0).any()) :]


def write_list(file: IO[str], values: Iterable[object]) -> None:
    """A JSON list, one value after the other, so that memory stays flat."""
    file.write("[")
    for number, value in enumerate(values):
        file.write((",\n" if number else "\n") + json.dumps(value, allow_nan=False))
    file.write("]")
