"""Folders of masks: PNG with a palette for whoever looks at them, and the layout that FiftyOne reads."""

from pathlib import Path, PurePosixPath

import numpy as np

from luss_core.away.found import Found
from luss_core.away.legend import colours_of, write_categories
from luss_core.away.pictures import write_grey, write_indexed
from luss_core.io import atomic_folder, link_or_copy, write_json
from luss_core.parallel import progress


def write_png(found: Found, out: Path) -> None:
    """masks/<id>.png, where the value of a pixel is its id, and categories.csv, which says what each id is."""
    colours = np.zeros((1 + max(category.id for category in found.categories), 3), np.uint8)
    colours[[category.id for category in found.categories]] = colours_of(found.categories)
    with atomic_folder(out / "masks") as folder:
        for picture in progress(found, found.count, "images"):
            write_indexed(folder / f"{picture.id}.png", found.ids(picture), colours)
    write_categories(out / "categories.csv", found.categories)


def write_fiftyone(found: Found, out: Path) -> None:
    """data/ and labels/, an ImageSegmentationDirectory, and mask_targets.json: the name of each value.

    Photographs are second names of the same files where the disk allows it, and take no room. Masks have one grey
    channel, since FiftyOne would read colours of a palette for values.
    """
    with atomic_folder(out / "data") as data, atomic_folder(out / "labels") as labels:
        for picture in progress(found, found.count, "images"):
            suffix = PurePosixPath(picture.path).suffix
            link_or_copy(found.root / picture.path, data / f"{picture.id}{suffix}")
            write_grey(labels / f"{picture.id}.png", found.ids(picture))
    write_json(out / "mask_targets.json", {str(category.id): category.name for category in found.categories})
