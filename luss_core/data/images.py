"""The image list, its rows as columns, and images.csv."""

import csv
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from luss_core.data.coding import Coding
from luss_core.data.masks import PLAIN, MaskFile
from luss_core.errors import UserError
from luss_core.io import atomic, read_fields

SPLITS = ("train", "validation", "test")
READ_ROWS = 1 << 14
COLUMNS = ("id", "path", "split", "height", "width", "folder", "mask")


class ListedFile(NamedTuple):
    """One file that should be an image."""

    split: str
    id: str
    path: str
    folder: str
    mask: str


@dataclass(frozen=True)
class ImageList:
    """The rows of images.csv as columns; row i is row i of images.h5."""

    root: Path
    id: Sequence[str]
    """Path below the split's folder without suffix, but see luss_core/data/identity.py; unique within a split."""
    path: Sequence[str]
    """Below ``root``."""
    split: Sequence[str]
    height: np.ndarray
    """(N,) of the file, after EXIF rotation."""
    width: np.ndarray
    folder: Sequence[str]
    """Category folder, or ''."""
    mask: Sequence[str]
    """Below ``root``, or '' if there is none."""
    coding: Coding = PLAIN
    """Of the masks."""
    turned: Mapping[str, int] = field(default_factory=dict)
    """EXIF orientation of each mask that must be turned as its photograph is."""

    def truth(self, row: int) -> MaskFile | None:
        name = self.mask[row]
        return MaskFile(self.root / name, self.coding, self.turned.get(name, 1)) if name else None

    def __len__(self) -> int:
        return len(self.id)

    def rows(self, split: str) -> np.ndarray:
        """(n,) int64, the row numbers of a split."""
        return np.flatnonzero(self._split_number == (SPLITS.index(split) if split in SPLITS else -1))

    @property
    def splits(self) -> tuple[str, ...]:
        """Those that have images, in order."""
        return tuple(split for number, split in enumerate(SPLITS) if (self._split_number == number).any())

    def class_names(self, classes: int) -> list[str]:
        """Names of the ids 0..classes. ImageNet-S: id = 1-based position in the sorted train folders."""
        names = sorted({self.folder[row] for row in self.rows("train")} - {""})
        if len(names) != classes:
            names = [f"class {number}" for number in range(1, classes + 1)]
        return ["other", *names]

    @cached_property
    def _split_number(self) -> np.ndarray:
        number = {split: i for i, split in enumerate(SPLITS)}
        return np.fromiter((number[split] for split in self.split), np.int8, len(self.split))


def to_list(root: Path, images: Sequence[ListedFile], sizes: np.ndarray) -> ImageList:
    """The image list of some images.

    Args:
        sizes: (N, 2) height and width of the files.
    """
    split, ids, path, folder, mask = (
        [listed[column] for listed in images] for column in range(len(ListedFile._fields))
    )
    return ImageList(root, ids, path, split, sizes[:, 0], sizes[:, 1], folder, mask)


def write_images(path: Path, images: ImageList) -> None:
    """images.csv; names that are no UTF-8 keep their bytes."""
    columns = (getattr(images, name) for name in COLUMNS)
    write_csv(path, COLUMNS, zip(*columns, strict=True))


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A CSV file with all text in quotes: any file name survives, even one with line breaks."""
    with atomic(path) as partial, partial.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow(header)
        writer.writerows(rows)


def read_images(path: Path) -> ImageList:
    """The image list that prepare wrote; the data root is taken from summary.json beside it.

    Raises:
        UserError: missing, or no image list.
    """
    summary = read_fields(path.with_name("summary.json"), root=str)
    try:
        root = Path(path.parent, summary["root"]).resolve()
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            coding, turned = Coding.from_json(summary.get("mask_coding", {})), summary.get("turned_masks", {})
            return replace(_parse(csv.reader(file), path, root), coding=coding, turned=turned)
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist; run the stage prepare, which writes it") from error
    except (ValueError, csv.Error) as error:
        raise UserError(f"{path} is not whole ({error}); delete it and run the stage prepare again") from error


def read_expected(path: Path) -> dict[str, int]:
    """How many images each split of images.csv should have; more than it has where prepare.allow_missing was set."""
    summary = path.with_name("summary.json")
    counts: dict[str, int] = read_fields(summary).get("expected", {})
    if not isinstance(counts, dict) or not all(type(count) is int for count in counts.values()):
        raise UserError(f"{summary}: expected is not a number of images for each split; run the stage prepare again")
    return counts


def _parse(reader: Iterator[list[str]], path: Path, root: Path) -> ImageList:
    if tuple(next(reader, ())) != COLUMNS:
        raise UserError(f"{path}: the first line must be {','.join(COLUMNS)}; run the stage prepare again")
    text: dict[str, list[str]] = {name: [] for name in COLUMNS}
    sizes = [np.empty((2, 0), np.int64)]
    while block := list(islice(reader, READ_ROWS)):
        columns = dict(zip(COLUMNS, zip(*block, strict=True), strict=True))
        sizes.append(np.array([columns.pop("height"), columns.pop("width")], np.int64))
        for name, values in columns.items():
            text[name].extend(map(sys.intern, values) if name in ("split", "folder") else values)
    height, width = np.concatenate(sizes, axis=1)
    return ImageList(root, text["id"], text["path"], text["split"], height, width, text["folder"], text["mask"])
