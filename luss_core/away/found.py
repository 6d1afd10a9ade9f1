"""What is taken away: the masks of a run, or those that predict wrote, one image after the other. Imports no torch."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from luss_core.away.corrections import edits_of_run
from luss_core.away.legend import COLUMNS, Category, corrected, make_legend, shown
from luss_core.away.pictures import read_indexed
from luss_core.data.images import read_images
from luss_core.data.kinds import stem_of
from luss_core.data.masks import read_mask
from luss_core.edits import Edits
from luss_core.errors import UserError
from luss_core.io import read_fields

PREDICTED = "predict.json"
SCORES, MASKS = "evaluate/scores.json", "infer/masks"


class Picture(NamedTuple):
    """An image with its mask."""

    id: str
    """Of the mask, without suffix; unique."""
    path: str
    """Of the photograph below the root, with forward slashes."""
    mask: Path
    height: int
    """Upright."""
    width: int


@dataclass(frozen=True)
class Found:
    """Masks, and what their ids mean."""

    root: Path
    """Of the photographs."""
    categories: Sequence[Category]
    """Those that masks hold, other first."""
    count: int
    edits: Edits
    origin: Path

    def __iter__(self) -> Iterator[Picture]:
        """In order; their masks are read only by ``ids``."""
        return _predicted(self.origin) if self.predicted else _of_run(self.origin)

    @property
    def predicted(self) -> bool:
        """Whether predict wrote the masks; what was corrected is in them by then."""
        return (self.origin / PREDICTED).exists()

    def ids(self, picture: Picture) -> np.ndarray:
        """(H, W) int32, as a person corrected them.

        Raises:
            UserError: the mask is missing or damaged.
        """
        if self.predicted:
            found = read_indexed(picture.mask)
            if found is None:
                raise UserError(f"{picture.mask} is missing or not whole; call luss predict as before, which makes it")
            return found.astype(np.int32)
        ids = read_mask(picture.mask)
        return self.edits.apply_to_mask(ids, picture.id)


def find(origin: Path) -> Found:
    """What a run found, or predict.

    Args:
        origin: folder of a run, results/<data set>/<preset>/seed<k>, or one that predict wrote.

    Raises:
        UserError: neither, or it is not finished.
    """
    if (origin / PREDICTED).exists():
        return _find_predicted(origin)
    missing = [name for name in (SCORES, MASKS) if not (origin / name).exists()]
    if missing:
        raise UserError(
            f"{origin}: found no {' and no '.join(missing)} in it; give the folder of a finished run, such as"
            " results/photographs/frozen/seed0, or one that luss predict wrote"
        )
    result = read_fields(origin / SCORES, classes=int, truth=bool, match=(dict, type(None)), names=(list, type(None)))
    match, names = (result["match"], result["names"]) if result["truth"] else (None, None)
    edits = edits_of_run(origin, result["classes"])
    legend = corrected(make_legend(result["classes"], match, names), edits)
    root = read_images(_images_of(origin)).root
    return Found(root, shown(legend, edits), sum(1 for _ in _of_run(origin)), edits, origin)


def _images_of(run: Path) -> Path:
    return run.resolve().parents[1] / "prepare" / "images.csv"


def _of_run(run: Path) -> Iterator[Picture]:
    """The images of the splits that infer segmented."""
    listing = read_images(_images_of(run))
    for split in (split for split in listing.splits if (run / MASKS / split).is_dir()):
        for row in listing.rows(split).tolist():
            name = f"{split}/{listing.id[row]}"
            size = int(listing.height[row]), int(listing.width[row])
            yield Picture(name, listing.path[row], run / MASKS / f"{name}.png", *size)


def _find_predicted(folder: Path) -> Found:
    root = Path(read_fields(folder / PREDICTED, root=str)["root"])
    try:
        with (folder / "categories.csv").open(encoding="utf-8", newline="") as file:
            categories = [_category(row) for row in csv.DictReader(file)]
        count = sum(1 for _ in _predicted(folder))
    except (OSError, KeyError, ValueError) as error:
        raise UserError(
            f"{folder} is not finished (categories.csv or images.csv: {error}); call luss predict as before, which goes"
            " on from there"
        ) from error
    return Found(root, categories, count, Edits(), folder)


def _category(row: dict[str, str]) -> Category:
    values = {**row, "id": int(row["id"]), "class": int(row["class"]) if row["class"] else None}
    return Category(*(values[column] for column in COLUMNS))  # type: ignore[arg-type]


def _predicted(folder: Path) -> Iterator[Picture]:
    with (folder / "images.csv").open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        for row in csv.DictReader(file):
            name = stem_of(row["mask"]).partition("/")[2]
            size = int(row["height"]), int(row["width"])
            yield Picture(name, row["image"], folder / row["mask"], *size)
