"""Maps of a frozen encoder and the labels beside them: kept on disk while a linear probe learns, or made anew."""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from luss_core.data.annotated import AnnotatedImages
from luss_core.io import read_json, write_json, writing

log = logging.getLogger(__name__)

SAMPLE = 8
"""Images from which the space of all is estimated."""

Encode = Callable[[np.ndarray], np.ndarray]
"""(H, W, 3) uint8 -> (h, w, D) float16."""


class Cells(Protocol):
    """Map and labels of each image."""

    def __len__(self) -> int: ...

    def map(self, i: int) -> np.ndarray:
        """(h, w, D) float16."""

    def labels(self, i: int) -> np.ndarray:
        """(H, W) integers, IGNORE among them."""


class ComputedCells:
    """Made each time they are asked for."""

    def __init__(self, images: AnnotatedImages, size: int | None, encode: Encode):
        self.images, self.size, self.encode = images, size, encode

    def __len__(self) -> int:
        return len(self.images)

    def map(self, i: int) -> np.ndarray:
        return self.encode(self.images.image(i, self.size))

    def labels(self, i: int) -> np.ndarray:
        return self.images.mask(i)


class Shape(NamedTuple):
    """Of one image."""

    height: int
    width: int
    label_height: int
    label_width: int


class StoredCells:
    """Read from the files that ``store_cells`` wrote: memory does not grow with the number of images."""

    def __init__(self, folder: Path):
        about = read_json(folder / "cells.json")
        self.shapes = [Shape(*shape) for shape in about["shapes"]]
        table = np.array(about["shapes"], np.int64)
        self.starts = [np.concatenate([[0], np.cumsum(table[:, k] * table[:, k + 1])]).tolist() for k in (0, 2)]
        maps, labels = (
            np.memmap(folder / name, kind, "r") for name, kind in (("cells.f16", "f2"), ("labels.i16", "i2"))
        )
        self.cells, self.pixels = np.asarray(maps).reshape(-1, about["width"]), np.asarray(labels)

    def __len__(self) -> int:
        return len(self.shapes)

    def map(self, i: int) -> np.ndarray:
        shape, starts = self.shapes[i], self.starts[0]
        return self.cells[starts[i] : starts[i + 1]].reshape(shape.height, shape.width, -1)

    def labels(self, i: int) -> np.ndarray:
        shape, starts = self.shapes[i], self.starts[1]
        return self.pixels[starts[i] : starts[i + 1]].reshape(shape.label_height, shape.label_width)


def space(cells: Cells) -> int:
    """Bytes that the files of all would take, from an even sample."""
    chosen = np.unique(np.linspace(0, len(cells) - 1, SAMPLE).astype(int)).tolist()
    sizes = [2 * cells.map(i).size + 2 * cells.labels(i).size for i in chosen]
    return int(np.mean(sizes) * len(cells))


def store_cells(folder: Path, cells: Cells, key: str, over: Iterable[int]) -> StoredCells:
    """The same from files, which are written unless they are there.

    Args:
        key: all that decides what they hold; files with another one are replaced.
        over: positions of all images in order, perhaps with progress lines.

    Raises:
        UserError: the disk is full.
    """
    about = folder / "cells.json"
    if about.exists() and read_json(about).get("key") == key:
        log.info("features of an interrupted run are used: %s", folder)
        return StoredCells(folder)
    shapes, width = [], 0
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        about.unlink(missing_ok=True)  # first: it must not tell of files that are gone
        with (folder / "cells.f16").open("wb") as maps, (folder / "labels.i16").open("wb") as labels:
            for i in over:
                found, label = cells.map(i), cells.labels(i).astype(np.int16)
                maps.write(found.tobytes())
                labels.write(label.tobytes())
                width = found.shape[-1]
                shapes.append([*found.shape[:2], *label.shape])
        write_json(about, {"key": key, "width": width, "shapes": shapes})
    return StoredCells(folder)


def remove_cells(folder: Path) -> None:
    """Delete the files."""
    for name in ("cells.json", "cells.f16", "labels.i16"):
        (folder / name).unlink(missing_ok=True)
