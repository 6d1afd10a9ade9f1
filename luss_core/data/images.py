"""The image list: which files are images of which split, with which masks, and images.csv."""

import csv
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from operator import attrgetter
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from luss_core.data.coding import Coding
from luss_core.data.masks import PLAIN, MaskFile
from luss_core.errors import UserError
from luss_core.io import atomic, read_json

SPLITS = ("train", "validation", "test")
OTHER_FOLDERS = {f"{split}-segmentation" for split in (*SPLITS, "train-semi")} | {"train-semi", "train-full"}
"""What an ImageNet-S folder may hold besides the splits."""
SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif"})
SUFFIXES |= {".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".avif"}
"""Of images, in lower case; files with other suffixes are counted and left alone."""
READ_ROWS = 1 << 14
COLUMNS = ("id", "path", "split", "height", "width", "folder", "mask")


class ListedFile(NamedTuple):
    """One file that should be an image."""

    split: str
    id: str
    path: str
    folder: str
    mask: str


@dataclass
class Listing:
    """What a data folder holds."""

    images: list[ListedFile] = field(default_factory=list)
    """In the order of images.csv."""
    unmasked: list[ListedFile] = field(default_factory=list)
    """Images without a mask in splits that have masks."""
    stray_masks: list[str] = field(default_factory=list)
    """Masks without an image."""
    truth: frozenset[str] = frozenset()
    """Splits that have masks."""
    ignored: Counter[str] = field(default_factory=Counter)
    """Other files: how many of each suffix, and how many below each folder that is no split."""
    imagenet_s: bool = False
    """Whether the folders are those of ImageNet-S; otherwise all images are of the split train."""

    def split_of(self, path: str) -> str:
        """The split that a file or folder belongs to, be it image or mask; '' for none."""
        split = _top(path).removesuffix("-segmentation") if self.imagenet_s else "train"
        return split if split in SPLITS else ""

    def has_truth(self, path: str) -> bool:
        """Whether a file or folder belongs to a split with ground truth, and be it because it should hold masks."""
        split = self.split_of(path)
        return split in self.truth or (bool(split) and self.imagenet_s and _top(path) != split)


@dataclass(frozen=True)
class ImageList:
    """The rows of images.csv as columns; row i is row i of images.h5."""

    root: Path
    id: Sequence[str]
    """Path below the split's folder without suffix; unique within a split."""
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


def arrange(files: Iterable[str], masks: str | None = None) -> Listing:
    """Which files are images and masks, from their paths alone.

    ImageNet-S layout where there is a folder train/ and nothing but the folders that belong to it; any other folder of
    images is one split, train.

    Args:
        files: relative to the data root, with forward slashes.
        masks: folder of the masks of a plain folder of images, as a prefix of ``files``.

    Raises:
        UserError: the folders contradict each other.
    """
    files = list(files)
    imagenet_s = _is_imagenet_s({_top(name) for name in files if "/" in name and _is_image(name)}, masks)
    listing, mask_of = Listing(imagenet_s=imagenet_s), {}
    for name in files:
        split, below, is_mask = _place(name, masks, imagenet_s)
        if not split or not (name.lower().endswith(".png") if is_mask else _is_image(name)):
            listing.ignored[_kind(name, split)] += 1
        elif is_mask:
            mask_of[split, _stem(below)] = name
        else:
            folder = sys.intern(_top(below) if "/" in below else "")
            listing.images.append(ListedFile(split, _stem(below), name, folder, ""))
    _attach(listing, mask_of)
    return listing


def _attach(listing: Listing, mask_of: dict[tuple[str, str], str]) -> None:
    """Give the images their masks and sort them."""
    masked, images = frozenset(split for split, _ in mask_of), listing.images
    for row, listed in enumerate(images):
        if listed.split in masked and listed[:2] in mask_of:
            images[row] = listed._replace(mask=mask_of[listed[:2]])
    images.sort(key=attrgetter("path"))  # three times: keys of one field each take no memory
    images.sort(key=attrgetter("id"))
    images.sort(key=lambda listed: SPLITS.index(listed.split))
    listing.unmasked = [listed for listed in listing.images if listed.split in masked and not listed.mask]
    listing.truth = masked
    used = {listed.mask for listed in listing.images}
    listing.stray_masks = sorted(name for name in mask_of.values() if name not in used)


def _place(name: str, masks: str | None, imagenet_s: bool) -> tuple[str, str, bool]:
    """Split ('' if none), path below the split's folder, and whether it is a mask."""
    if not imagenet_s:
        if masks is not None and name.startswith(f"{masks}/"):
            return "train", name[len(masks) + 1 :], True
        return "train", name, False
    top, _, below = name.partition("/")
    split = top.removesuffix("-segmentation")
    return (sys.intern(split) if below and split in SPLITS else ""), below, split != top


def _is_imagenet_s(tops: set[str], masks: str | None) -> bool:
    known = tops & ({*SPLITS} | OTHER_FOLDERS)
    if "train" in tops and "val" in tops:
        raise UserError("the data folder has train/ and val/; rename val to validation (and its masks accordingly)")
    if "train" not in tops and any(name.endswith("-segmentation") for name in known):
        raise UserError(f"the data folder has {', '.join(sorted(known))} but no images in train/; add them")
    found = "train" in tops and (len(known) > 1 or tops == {"train"})
    if found and masks is not None:
        raise UserError(
            "prepare.masks is for a plain folder of images; this one has train/ in ImageNet-S layout, whose"
            " masks lie in <split>-segmentation/; set prepare.masks to null"
        )
    return found


def _is_image(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in SUFFIXES  # noqa: PTH122 - a million times faster than a Path each


def _stem(name: str) -> str:
    return os.path.splitext(name)[0]  # noqa: PTH122


def _top(name: str) -> str:
    return name.partition("/")[0]


def _kind(name: str, split: str) -> str:
    """How an ignored file is counted: by the folder that is no split, else by suffix."""
    if not split and "/" in name:
        return f"{_top(name)}/"
    return PurePosixPath(name).suffix.lower() or "no suffix"


def to_list(root: Path, images: Sequence[ListedFile], sizes: np.ndarray) -> ImageList:
    """The image list of some images.

    Args:
        sizes: (N, 2) height and width of the files.
    """
    split, ids, path, folder, mask = (
        [listed[column] for listed in images] for column in range(len(ListedFile._fields))
    )
    return ImageList(root, ids, path, split, sizes[:, 0], sizes[:, 1], folder, mask)


def list_files(root: Path) -> tuple[list[str], list[tuple[str, str]]]:
    """All files below a folder, sorted, relative and with forward slashes; and what could not be read, with reasons.

    Links are followed; hidden names and __MACOSX are left out.
    """
    files: list[str] = []
    problems: list[tuple[str, str]] = []
    waiting = [(root, "", frozenset({os.path.realpath(root)}))]
    while waiting:
        folder, prefix, above = waiting.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            problems.append((prefix.rstrip("/"), f"folder cannot be read: {error.strerror}"))
            continue
        for entry in entries:
            if entry.name.startswith(".") or entry.name == "__MACOSX":
                continue
            if entry.is_dir():
                real = os.path.realpath(entry.path) if entry.is_symlink() else entry.path
                if real not in above:
                    waiting.append((Path(entry.path), f"{prefix}{entry.name}/", above | {real}))
            elif entry.is_file():
                files.append(prefix + entry.name)
            elif entry.is_symlink():
                problems.append((prefix + entry.name, "link to a file that does not exist"))
    return sorted(files), problems


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
    summary = read_json(path.with_name("summary.json"))
    root = Path(path.parent, summary["root"]).resolve()
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            coding, turned = Coding.from_json(summary.get("mask_coding", {})), summary.get("turned_masks", {})
            return replace(_parse(csv.reader(file), path, root), coding=coding, turned=turned)
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist; run the stage prepare, which writes it") from error
    except (ValueError, csv.Error) as error:
        raise UserError(f"{path} is not whole ({error}); delete it and run the stage prepare again") from error


def read_expected(path: Path) -> dict[str, int]:
    """How many images each split of images.csv should have; more than it has where prepare.allow_missing was set."""
    counts: dict[str, int] = read_json(path.with_name("summary.json")).get("expected", {})
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
