"""Label Studio: tasks with brush labels as predictions, and the labelling interface that they fit.

A brush is a picture of four equal channels, 0 or 255, as bits: its number of values (32), the bits of a value less one
(5), four sizes of lengths in bits less one (4 each), then the runs. A run here is a bit that says so, which of the four
sizes its length has (2), the length less one, and the value (8).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import numpy as np

from luss_core.away.found import Found, Picture
from luss_core.away.runs import categories_in, run_lengths, write_list
from luss_core.io import atomic, write_text
from luss_core.parallel import progress

NAMES = ("tasks.json", "label-config.xml")
SIZES = (3, 4, 8, 16)
"""Bits of a length; the last is used for all."""
LONGEST = 1 << SIZES[-1]
VALUE_BITS, CHANNELS = 8, 4


def write(found: Found, out: Path) -> None:
    """tasks.json, to be imported, and label-config.xml, to be pasted as the labelling interface."""
    labels = "".join(
        f"    <Label value={quoteattr(category.name)} background={quoteattr(category.colour)}/>\n"
        for category in found.categories
        if category.id
    )
    write_text(
        out / NAMES[1],
        '<View>\n  <Image name="image" value="$image" zoom="true"/>\n'
        f'  <BrushLabels name="category" toName="image">\n{labels}  </BrushLabels>\n</View>\n',
    )
    with atomic(out / NAMES[0]) as partial, partial.open("w", encoding="utf-8") as file:
        write_list(file, (_task(found, picture) for picture in progress(found, found.count, "images")))


def _task(found: Found, picture: Picture) -> dict[str, Any]:
    path = quote(picture.path, errors="surrogateescape")
    result = list(_brushes(found, picture))
    return {
        "data": {"image": f"/data/local-files/?d={path}"},
        "predictions": [{"model_version": "luss", "result": result}],
    }


def _brushes(found: Found, picture: Picture) -> Iterator[dict[str, Any]]:
    ids, names = found.ids(picture), {category.id: category.name for category in found.categories}
    for category in categories_in(ids):
        yield {
            "id": f"category{category}",
            "type": "brushlabels",
            "from_name": "category",
            "to_name": "image",
            "original_width": ids.shape[1],
            "original_height": ids.shape[0],
            "image_rotation": 0,
            "value": {"format": "rle", "rle": brush(ids == category), "brushlabels": [names[category]]},
        }


def brush(inside: np.ndarray) -> list[int]:
    """The bytes of a brush over (H, W) bool."""
    lengths = CHANNELS * run_lengths(inside.ravel())
    values = 255 * (np.arange(len(lengths)) % 2)
    pieces = -(-lengths // LONGEST)  # of a run that is longer than a length can be
    values, last = np.repeat(values, pieces), lengths - (pieces - 1) * LONGEST
    lengths = np.full(pieces.sum(), LONGEST)
    lengths[np.cumsum(pieces)[pieces > 0] - 1] = last[pieces > 0]
    head = _bits([(CHANNELS * inside.size, 32), (VALUE_BITS - 1, 5), *((size - 1, 4) for size in SIZES)])
    fields = (np.ones_like(lengths), 1), (np.full_like(lengths, len(SIZES) - 1), 2), (lengths - 1, SIZES[-1])
    runs = np.concatenate([_columns(numbers, bits) for numbers, bits in (*fields, (values, VALUE_BITS))], axis=1)
    return np.packbits(np.concatenate([head, runs.ravel()])).tolist()


def _bits(numbers: list[tuple[int, int]]) -> np.ndarray:
    return np.concatenate([_columns(np.array([number]), bits)[0] for number, bits in numbers])


def _columns(numbers: np.ndarray, bits: int) -> np.ndarray:
    """(n,) numbers -> (n, bits) uint8, the highest bit first."""
    return (numbers[:, None] >> np.arange(bits - 1, -1, -1) & 1).astype(np.uint8)
