"""categories.csv, which `luss predict` and `luss export` write beside masks: what their ids are called."""

import csv
from collections.abc import Iterator
from pathlib import Path

from luss_core.errors import UserError

NAME, MASKS = "categories.csv", "masks"
COLUMNS = {"id", "name", "kind", "class"}
NAMED = "class"
"""The kind of what has a name of people; other names are numbers in words."""


def masks_in(folder: Path) -> Path:
    """Where the masks of a folder lie: in `masks` of what was predicted or exported, else in the folder itself."""
    return folder / MASKS if (folder / MASKS).is_dir() and (folder / NAME).is_file() else folder


def beside(masks: Path) -> Path | None:
    """The table of a folder of masks, or of a part of it; None where there is none."""
    absolute = masks.absolute()
    above = next((folder.parent for folder in (absolute, *absolute.parents) if folder.name == MASKS), None)
    found = [folder / NAME for folder in (absolute, above) if folder is not None]
    return next((file for file in found if file.is_file() and _is_one(file)), None)


def names_in(file: Path) -> dict[int, str]:
    """What people called ids.

    Raises:
        UserError: the table cannot be read.
    """
    return {int(row["id"]): row["name"] for row in _rows(file) if row["kind"] == NAMED}


def classes_in(file: Path) -> dict[int, int]:
    """The class in the ground truth of the run of each id that has one.

    Raises:
        UserError: the table cannot be read, or says it of no id.
    """
    found = {int(row["id"]): int(row["class"]) for row in _rows(file) if row["class"]}
    if not any(found.values()):
        raise UserError(
            f"{file} says of no id which class it is: the run had no ground truth; give --match auto, or a match.json"
        )
    return {0: 0, **found}


def _rows(file: Path) -> Iterator[dict[str, str]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            for row in csv.DictReader(lines):
                if not (row["id"].isdecimal() and (not row["class"] or row["class"].isdecimal())):
                    raise ValueError(f"{row['id']!r} and {row['class']!r} are not both numbers")
                yield row
    except (OSError, KeyError, ValueError, TypeError, AttributeError, csv.Error) as error:
        raise UserError(f"{file} is no table of categories with id, name, kind and class: {error}") from error


def _is_one(file: Path) -> bool:
    with file.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
        return set(next(csv.reader(lines), [])) >= COLUMNS
