"""COCO, the object detection form: one annotation for each category of an image, as lengths of runs.

The lengths are in plain numbers, which pycocotools and what is built on it read as well as their compressed form.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from luss_core.away.found import Found
from luss_core.away.legend import colours_of
from luss_core.away.runs import Box, categories_in, run_lengths, write_list
from luss_core.io import atomic
from luss_core.parallel import progress

NAMES = ("annotations.json",)


def write(found: Found, out: Path) -> None:
    """annotations.json; ``file_name`` is the path below the folder of the photographs."""
    colours = colours_of(found.categories)
    categories = [
        {"id": category.id, "name": category.name, "supercategory": "", "color": colour.tolist()}
        for category, colour in zip(found.categories, colours, strict=True)
        if category.id
    ]
    images = (
        {"id": number, "file_name": picture.path, "height": picture.height, "width": picture.width}
        for number, picture in enumerate(found, start=1)
    )
    with atomic(out / NAMES[0]) as partial, partial.open("w", encoding="utf-8") as file:
        file.write(
            f'{{"info": {{"description": "made by luss"}}, "licenses": [], "categories": {json.dumps(categories)},'
        )
        file.write('\n"images": ')
        write_list(file, images)
        file.write(',\n"annotations": ')
        write_list(file, _annotations(found))
        file.write("}\n")


def _annotations(found: Found) -> Iterator[dict[str, Any]]:
    number = 0
    for image, picture in enumerate(progress(found, found.count, "images"), start=1):
        ids = found.ids(picture)
        for category in categories_in(ids):
            inside = ids == category
            number += 1
            box = Box(inside)
            yield {
                "id": number,
                "image_id": image,
                "category_id": category,
                "iscrowd": 0,
                "area": int(inside.sum()),
                "bbox": [box.left, box.top, box.width, box.height],
                "segmentation": {"size": list(ids.shape), "counts": run_lengths(inside.ravel(order="F")).tolist()},
            }
