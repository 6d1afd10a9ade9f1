"""CVAT for images 1.1: XML with a mask for each category of an image, as lengths of runs inside its box."""

import re
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from luss_core.away.found import Found, Picture
from luss_core.away.runs import Box, categories_in, run_lengths
from luss_core.io import atomic
from luss_core.parallel import progress

NAMES = ("annotations.xml",)
NO_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML cannot hold, even escaped: control characters, and bytes that are no UTF-8."""


def write(found: Found, out: Path) -> None:
    """annotations.xml, for a task that has the photographs under their paths."""
    with atomic(out / NAMES[0]) as partial, partial.open("w", encoding="utf-8") as file:
        file.write(
            '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n<meta><task><labels>\n'
        )
        for category in found.categories[1:]:
            name, colour = escape(_plain(category.name)), category.colour
            file.write(f"<label><name>{name}</name><color>{colour}</color><type>mask</type><attributes/></label>\n")
        file.write("</labels></task></meta>\n")
        for number, picture in enumerate(progress(found, found.count, "images")):
            file.writelines(_image(found, number, picture))
        file.write("</annotations>\n")


def _image(found: Found, number: int, picture: Picture) -> Iterator[str]:
    ids, names = found.ids(picture), {category.id: category.name for category in found.categories}
    yield f'<image id="{number}" name={_quoted(picture.path)} width="{ids.shape[1]}" height="{ids.shape[0]}">\n'
    for category in categories_in(ids):
        inside = ids == category
        box = Box(inside)
        lengths = ", ".join(map(str, run_lengths(box.cut(inside).ravel()).tolist()))
        place = f'left="{box.left}" top="{box.top}" width="{box.width}" height="{box.height}" z_order="0"'
        label = _quoted(names[category])
        yield f'<mask label={label} source="auto" occluded="0" rle="{lengths}" {place}></mask>\n'
    yield "</image>\n"


def _quoted(text: str) -> str:
    return quoteattr(_plain(text))


def _plain(text: str) -> str:
    return NO_XML.sub("\ufffd", text)
