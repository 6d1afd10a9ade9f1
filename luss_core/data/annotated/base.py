"""An annotated data set: what every layout says of itself, and one of its splits as images and label maps."""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from luss_core.data.decode import decode
from luss_core.data.masks import IGNORE, read_mask
from luss_core.digests import content
from luss_core.errors import UserError

UNKNOWN = -1
WHOLE = 1 << 30
"""A shorter side that no image has."""
SHOWN = 5


class Pair(NamedTuple):
    """An image and its labels."""

    image: Path
    mask: Path


class Layout(Protocol):
    """One data set on disk, as its authors lay it out; made of its folder."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the ids 0..C-1."""

    @property
    def ids(self) -> Mapping[int, int]:
        """What a value of the masks means: a class, or IGNORE. Files hold no other values."""

    @property
    def colours(self) -> Sequence[int] | None:
        """In which their authors paint the classes, 0xRRGGBB; None where they do not say."""

    @property
    def splits(self) -> tuple[str, ...]:
        """What there are labels for."""

    @property
    def preferred(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Splits that are learned from and scored where none are named: the first of each that is there."""

    def pairs(self, split: str) -> list[Pair]:
        """The files of a split, in order, whether they exist or not."""


@dataclass(frozen=True)
class AnnotatedImages:
    """The images of one split and their labels."""

    root: Path
    split: str
    classes: tuple[str, ...]
    ids: Mapping[int, int]
    pairs: Sequence[Pair]
    colours: Sequence[int] | None = None
    """0xRRGGBB of each class, in which the authors paint them; None where they do not say."""

    def __len__(self) -> int:
        return len(self.pairs)

    def take(self, positions: Iterable[int]) -> "AnnotatedImages":
        """Some of them."""
        return replace(self, pairs=[self.pairs[i] for i in positions])

    def image(self, i: int, short_side: int | None = None) -> np.ndarray:
        """(H, W, 3) uint8, upright; its shorter side at most ``short_side`` pixels.

        Raises:
            UserError: broken, or no image.
        """
        path = self.pairs[i].image
        try:
            return decode(path, short_side or WHOLE).pixels
        except Exception as error:  # what Pillow raises for broken files is not limited to a few types
            raise UserError(f"{path} cannot be read as an image: {error}; write it again or take it out") from error

    def mask(self, i: int) -> np.ndarray:
        """(H, W) int32 classes 0..C-1, and IGNORE.

        Raises:
            UserError: broken, or values that are no class.
        """
        path = self.pairs[i].mask
        values = read_mask(path)
        found = self._table[np.clip(values, 0, IGNORE + 1)]
        if (found == UNKNOWN).any():
            strange = np.unique(values[found == UNKNOWN])
            names = ", ".join(map(str, strange[:SHOWN])) + (" ..." if len(strange) > SHOWN else "")
            raise UserError(f"{path} holds {names}, which {self.allowed}")
        return found

    @property
    def allowed(self) -> str:
        """Values of the masks, in words."""
        known = sorted(self.ids)
        spans = f"{known[0]} to {known[-1]}" if known == list(range(known[0], known[-1] + 1)) else "others"
        return f"is no label here: allowed are {spans}, and 255 (1000 in two bytes) for pixels that do not count"

    @cached_property
    def fingerprint(self) -> str:
        """Of the names of the files and what they hold: other files are another data set."""
        found = hashlib.sha256(repr((self.split, self.classes, sorted(self.ids.items()))).encode())
        for pair in self.pairs:
            for path in pair:
                name = os.path.relpath(path, self.root)
                found.update(f"{name}\0{content(path)}\0".encode(errors="surrogateescape"))
        return found.hexdigest()

    @cached_property
    def _table(self) -> np.ndarray:
        """(IGNORE + 2,) what each value means; the last stands for all that are larger."""
        table = np.full(IGNORE + 2, UNKNOWN, np.int32)
        table[IGNORE] = IGNORE
        for value, label in self.ids.items():
            table[value] = label
        return table
