"""The folder that predict writes: what belongs where, and whether it may be written there. Imports no torch."""

import csv
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from luss_core.away.legend import Category, write_categories
from luss_core.data.images import write_csv
from luss_core.errors import UserError
from luss_core.io import atomic, read_fields, write_json
from luss_core.predict.inputs import MANIFEST

MASKS, OVERLAYS = "masks", "overlays"
AREAS, IMAGES, CATEGORIES, REJECTED = "areas.csv", "images.csv", "categories.csv", "rejected.csv"
AREA_COLUMNS = ("image", "category", "name", "pixels", "share")
IMAGE_COLUMNS = ("image", "mask", "height", "width")
WHAT = "Made by luss predict: masks whose values are the ids of categories.csv"


class Made(NamedTuple):
    """An image whose mask is there."""

    image: str
    """Below the root of the images; of a frame its number behind the name of the video."""
    id: str
    """Of the mask, without suffix."""
    height: int
    width: int
    pixels: np.ndarray
    """(C + 1,) of each id."""


class Folder(NamedTuple):
    """Where outputs go."""

    out: Path

    def mask(self, name: str) -> Path:
        """The mask of an id."""
        return self.out / MASKS / f"{name}.png"

    def overlay(self, name: str) -> Path:
        """The photograph of an id with its categories laid over."""
        return self.out / OVERLAYS / f"{name}.jpg"

    def begin(self, about: dict[str, Any]) -> None:
        """Take the folder for outputs of one model; it may hold those of an earlier call, and whatever else.

        Args:
            about: ``model``, ``edits`` and ``root``; two calls that differ there would mix what does not belong
                together.

        Raises:
            UserError: it holds something of these names, or masks of another model, or of other images.
        """
        if self.out.exists() and not self.out.is_dir():
            raise UserError(f"{self.out} is a file; give a folder for the masks")
        manifest = self.out / MANIFEST
        if not manifest.exists():
            taken = [name for name in (MASKS, OVERLAYS, AREAS, IMAGES, CATEGORIES, REJECTED) if self._taken(name)]
            if taken:
                raise UserError(
                    f"{self.out} already holds {', '.join(taken)}, which predict did not write; give another folder"
                )
            write_json(manifest, {"what": WHAT, **about})
            return
        earlier = read_fields(manifest, model=str, root=str, edits=dict)
        for key, text in (
            ("model", "masks of another model"),
            ("edits", "masks of before names or categories were corrected"),
            ("root", f"masks of the images below {earlier['root']}"),
        ):
            if earlier[key] != json.loads(json.dumps(about[key])):
                raise UserError(f"{self.out} holds {text}; give another folder, or delete this one")

    def _taken(self, name: str) -> bool:
        path = self.out / name
        return any(path.iterdir()) if path.is_dir() else path.exists()

    @contextmanager
    def tables(self, legend: Sequence[Category]) -> Iterator["Tables"]:
        """areas.csv and images.csv, to be written image by image; both whole or not at all."""
        with ExitStack() as stack:
            areas, images = (stack.enter_context(_table(self.out / name)) for name in (AREAS, IMAGES))
            yield Tables(areas, images, legend)

    def finish(self, categories: Sequence[Category], rejected: Sequence[tuple[str, str]]) -> None:
        """Write what all images have in common, and which could not be read."""
        write_categories(self.out / CATEGORIES, categories)
        if rejected:
            write_csv(self.out / REJECTED, ("path", "reason"), rejected)
        else:
            (self.out / REJECTED).unlink(missing_ok=True)


class Tables:
    """Two tables with a header, which grow by image."""

    def __init__(self, areas: Any, images: Any, legend: Sequence[Category]) -> None:
        self._areas, self._images = areas, images
        self._names = [category.name for category in legend]
        areas.writerow(AREA_COLUMNS)
        images.writerow(IMAGE_COLUMNS)

    def add(self, made: Made) -> None:
        """The lines of one image: each id that it holds, with its share of the pixels in 0..1."""
        whole = made.height * made.width
        for k in np.flatnonzero(made.pixels).tolist():
            count = int(made.pixels[k])
            self._areas.writerow((made.image, k, self._names[k], count, round(count / whole, 6)))
        self._images.writerow((made.image, f"{MASKS}/{made.id}.png", made.height, made.width))


@contextmanager
def _table(path: Path) -> Iterator[Any]:
    """What writes the lines of a table, as ``write_csv`` does."""
    with atomic(path) as partial, partial.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        yield csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
