"""X-AnyLabeling, and labelme, whose form it extends: a JSON file for each image, with polygons."""

from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Any

from luss_core.away.found import Found, Picture
from luss_core.away.outlines import outlines
from luss_core.away.runs import categories_in
from luss_core.data.kinds import stem_of
from luss_core.io import atomic_folder, write_json
from luss_core.parallel import progress

NAMES = ("annotations",)
VERSION = "2.4.0"
"""Of the form; X-AnyLabeling reads older ones."""


def write(found: Found, out: Path) -> None:
    """annotations/, a file beside each photograph once the folder is copied over theirs."""
    often = Counter(stem_of(picture.path) for picture in found)
    with atomic_folder(out / NAMES[0]) as folder:
        for picture in progress(found, found.count, "images"):
            name = stem_of(picture.path) if often[stem_of(picture.path)] == 1 else picture.path
            write_json(folder / f"{name}.json", _file(found, picture))


def _file(found: Found, picture: Picture) -> dict[str, Any]:
    ids, names = found.ids(picture), {category.id: category.name for category in found.categories}
    shapes = [
        {
            "label": names[category],
            "points": ring.tolist(),
            "group_id": None,
            "description": "",
            "shape_type": "polygon",
            "flags": {},
            "score": None,
            "difficult": False,
            "attributes": {},
        }
        for category in categories_in(ids)
        for ring in outlines(ids == category)
    ]
    return {
        "version": VERSION,
        "flags": {},
        "shapes": shapes,
        "imagePath": PurePosixPath(picture.path).name,
        "imageData": None,
        "imageHeight": ids.shape[0],
        "imageWidth": ids.shape[1],
    }
