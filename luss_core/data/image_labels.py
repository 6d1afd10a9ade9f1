"""A file that says which categories images show: CSV with the columns image and category, a line for each label."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np

from luss_core.errors import UserError

COLUMNS = ("image", "category")
SHOWN = 10
"""Names in a message."""
EXAMPLE = "image,category\ncats/photo 1.jpg,cat\ncats/photo 1.jpg,sofa"


@dataclass(frozen=True)
class ImageLabels:
    """The lines of such a file, as columns."""

    path: Path
    image: list[str]
    """(n,) the images that it names, each once, in order."""
    categories: list[tuple[int, ...]]
    """(n,) numbers of the categories of each, each once, in order; equal ones are one object, since images are many."""
    names: list[str]
    """(C,) of the categories, sorted: number k is names[k]."""

    @property
    def several(self) -> int:
        """How many images have more than one category."""
        return sum(len(own) > 1 for own in self.categories)

    def check_classes(self, classes: int) -> None:
        """Raises:
        UserError: there are more or fewer categories.
        """
        found = len(self.names)
        if found != classes:
            shown = ", ".join(map(repr, self.names[:SHOWN])) + (", ..." if found > SHOWN else "")
            what = f"{found} categor{'y' if found == 1 else 'ies'}"
            raise UserError(
                f"config: cluster.labels: {self.path} has {what} ({shown}), but classes = {classes}; set classes to"
                f" {found}, or see whether a name is spelled in several ways"
            )


def read_labels(path: Path) -> ImageLabels:
    """The labels in a file.

    Raises:
        UserError: it is missing, or not in this form; the message names the line.
    """
    found: dict[str, tuple[str, ...]] = {}
    held: dict[tuple[str, ...], tuple[str, ...]] = {}
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            for image, category in _lines(path, csv.reader(file, skipinitialspace=True)):
                before = found.get(image, ())
                own = before if category in before else (*before, category)
                found[image] = held.setdefault(own, own)
    except OSError as error:
        raise UserError(f"config: cluster.labels: {path} cannot be read: {error.strerror}") from error
    if not found:
        raise UserError(f"config: cluster.labels: {path} has no labels; it should look like this:\n{EXAMPLE}")
    names = sorted({name for own in held for name in own})
    number = {name: k for k, name in enumerate(names)}
    numbers = {own: tuple(number[name] for name in own) for own in held}
    return ImageLabels(path, list(found), [numbers[own] for own in found.values()], names)


def _lines(path: Path, reader: Iterator[list[str]]) -> Iterator[tuple[str, str]]:
    """Image and category of each line behind the first."""
    header: list[str] = []
    places: tuple[int, int] | None = None
    try:
        for row in reader:
            line = getattr(reader, "line_num")  # noqa: B009 - of csv readers alone
            _check_text(path, line, row)
            if places is None:
                header = [name.strip() for name in row]
                places = _places(path, header)
            elif row:
                yield _label(path, line, row, header, places)
    except csv.Error as error:
        line = getattr(reader, "line_num")  # noqa: B009
        raise UserError(f"config: cluster.labels: {path}, line {line}: {error}; write it as CSV") from error


def _check_text(path: Path, line: int, row: Sequence[str]) -> None:
    text = "".join(row)
    try:
        text.isascii() or text.encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f"config: cluster.labels: {path}, line {line}, is no UTF-8 text; save the file as CSV in UTF-8"
        ) from error


def _places(path: Path, header: Sequence[str]) -> tuple[int, int]:
    """Where the columns stand."""
    if any(header.count(name) != 1 for name in COLUMNS):
        raise UserError(
            f"config: cluster.labels: {path}: the first line must be {','.join(COLUMNS)}, and is"
            f" {','.join(header)[:80]!r}; columns are separated by commas"
        )
    return header.index(COLUMNS[0]), header.index(COLUMNS[1])


def _label(path: Path, line: int, row: Sequence[str], header: Sequence[str], at: tuple[int, int]) -> tuple[str, str]:
    if len(row) != len(header):
        raise UserError(
            f"config: cluster.labels: {path}, line {line}: {len(row)} values, but the first line has {len(header)};"
            " write each label in a line of its own, and a name that has a comma in double quotes"
        )
    image, category = row[at[0]], row[at[1]].strip()
    if not image.strip() or not category:
        what = "category" if image.strip() else "image"
        raise UserError(f"config: cluster.labels: {path}, line {line}: no {what}; fill it in, or delete the line")
    return image.removeprefix("./"), category


def check_loss(classification: str, several: int, images: int, where: str = "") -> None:
    """Raises:
    UserError: images have several labels, and the loss lets one category exclude the others.
    """
    if several and classification == "cross-entropy":
        raise UserError(
            f"finetune.method.classification{where}: cross-entropy lets one category exclude the others, and"
            f" {several} of {images} labelled images have several; set classification: soft-margin (and a higher"
            " learning rate, see docs/wsss.md), or give each image one label"
        )


class Matched(NamedTuple):
    """The labels of images of a data set."""

    kept: np.ndarray
    """(m,) ascending positions of the images that have labels."""
    labels: np.ndarray
    """(m, K) int32 numbers of their categories, in the order of the file, and -1 behind the last."""
    unknown: list[str]
    """Images in the file that are none of them."""


def matched(found: ImageLabels, paths: Sequence[str]) -> Matched:
    """Find images by their paths, or by their paths without suffix, where no path is the same with it.

    Args:
        paths: (n,) of the images, below the data folder.

    Raises:
        UserError: labels for none of the images; a name without suffix that several have.
    """
    owner = _owners(found, paths)
    kept = np.array([k for k, lines in enumerate(owner) if lines], np.int64)
    if not len(kept):
        raise UserError(
            f"config: cluster.labels: {found.path} has labels for none of the {len(paths)} training images: it names"
            f" {found.image[0]!r}, for instance, and they have paths such as {paths[0]!r}; write paths below the data"
            " folder, with or without their ending"
        )
    own = [_united([found.categories[line] for line in lines]) for lines in owner if lines]
    labels = np.full((len(kept), max(map(len, own))), -1, np.int32)
    for row, categories in zip(labels, own, strict=True):
        row[: len(categories)] = categories
    known = np.zeros(len(found.image), bool)
    known[[line for lines in owner for line in lines]] = True
    return Matched(kept, labels, [found.image[line] for line in np.flatnonzero(~known).tolist()])


def _united(categories: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """Each once, in order."""
    return categories[0] if len(categories) == 1 else tuple(dict.fromkeys(chain(*categories)))


def without_suffix(path: str) -> str:
    """The path of a file without its last ending."""
    folder, slash, name = path.rpartition("/")
    stem, _, _ = name.rpartition(".")
    return folder + slash + (stem or name)


def _owners(found: ImageLabels, paths: Sequence[str]) -> list[tuple[int, ...]]:
    """Of each path which names in the file mean it, in order: none, one, or one with and one without suffix."""
    line = {name: k for k, name in enumerate(found.image)}
    owner: list[tuple[int, ...]] = [(line[path],) if path in line else () for path in paths]
    whole = {paths[k] for k, lines in enumerate(owner) if lines}
    meant: dict[str, str] = {}
    for k, path in enumerate(paths):
        stem = without_suffix(path)
        if stem in line and stem not in whole:
            if stem in meant:
                raise UserError(
                    f"config: cluster.labels: {found.path}: {stem!r} can be {meant[stem]!r} and {path!r}; write it with"
                    " its ending"
                )
            meant[stem] = path
            owner[k] = tuple(sorted((*owner[k], line[stem])))
    return owner
