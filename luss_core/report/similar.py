"""What the heads of runs find alike in two frames, as pictures: from the folders of examine."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from luss_core.data.images import ImageList
from luss_core.data.store import Store
from luss_core.io import read_json
from luss_core.report.intensity import read_intensity
from luss_core.report.panels import LONGEST, Layer, Panel
from luss_core.report.pictures import intensity_uri, photo_uri

NAME = "similarity.json"
OPACITY = 165
"""Of 255: what is alike is to be recognised beneath."""


@dataclass(frozen=True)
class Mark:
    """A frame with a marked point."""

    frame: Panel
    x: float
    """Pixels from the left."""
    y: float
    """And from the top."""
    caption: str


@dataclass(frozen=True)
class SimilarBlock:
    """A table of pictures: a row a marked point, a column a head or a run."""

    title: str
    columns: list[str]
    rows: list[tuple[Mark, list[Panel | None]]]
    """Each panel with one layer; None where a run has no such pair."""


def similar_frames(runs: Sequence[tuple[str, Path]], images: ImageList, pixels: Store) -> list[SimilarBlock]:
    """Of one run a block with a column for each head; of several a block for each head, with a column for each run.

    Args:
        runs: what each is called, and the folder that examine wrote; empty or missing where a run has no heads.
    """
    there = [(name, folder) for name, folder in runs if (folder / NAME).is_file()]
    if not there:
        return []
    found = {name: (folder, read_json(folder / NAME)) for name, folder in there}
    frames = _Frames(images, pixels)
    heads = list(dict.fromkeys(head for _, about in found.values() for head in about["heads"]))
    if len(runs) == 1:
        columns = [(head, *found[there[0][0]], head) for head in heads]
        return [_block("", columns, frames)]
    blocks = []
    for head in heads:
        columns = [(name, *found[name], head) for name in found if head in found[name][1]["heads"]]
        blocks.append(_block(head, columns, frames))
    return blocks


class _Frames:
    """Frames as panels; each photograph stands in the page once."""

    def __init__(self, images: ImageList, pixels: Store):
        self.images, self.pixels = images, pixels
        self.there: set[int] = set()

    def panel(self, row: int, layers: Sequence[Layer] = ()) -> Panel:
        photo = "" if row in self.there else photo_uri(self.pixels.read(row), longest=LONGEST)
        self.there.add(row)
        height, width = self.pixels.shapes[row].tolist()
        return Panel(f"frame-{row}", self.images.id[row], height, width, photo, list(layers))


def _block(title: str, columns: Sequence[tuple[str, Path, dict[str, Any], str]], frames: _Frames) -> SimilarBlock:
    """Args:
    columns: heading, folder of a run, what its similarity.json says, head.
    """
    rows = []
    for pair in columns[0][2]["pairs"]:
        mark = _mark(pair, frames)
        rows.append((mark, [_cell(pair["first"], *column[1:], frames) for column in columns]))
    return SimilarBlock(title, [column[0] for column in columns], rows)


def _mark(pair: dict[str, Any], frames: _Frames) -> Mark:
    frame = frames.panel(pair["first"])
    return Mark(frame, pair["x"] * frame.width, pair["y"] * frame.height, frame.id)


def _cell(first: int, folder: Path, about: dict[str, Any], head: str, frames: _Frames) -> Panel | None:
    """The later frame of the pair that begins with a row, under what a head finds alike."""
    for number, pair in enumerate(about["pairs"]):
        if pair["first"] == first:
            values = read_intensity(folder / str(number) / f"{head}.png")
            low, high = pair["cosines"][head]
            y, x = np.unravel_index(int(values.argmax()), values.shape)
            at = f"{(x + 0.5) / values.shape[1]:.0%} from the left, {(y + 0.5) / values.shape[0]:.0%} from the top"
            name = frames.images.id[pair["second"]]
            alt = f"{head} head: most alike in {name} is {at}; cosines from {low:.2f} to {high:.2f}"
            later = f"{pair['frames']} frames later" if pair["frames"] else "the same image"
            title = f"{later}, {low:.2f} to {high:.2f}"
            layer = Layer(title, intensity_uri(values, longest=LONGEST, opacity=OPACITY), None, alt)
            return frames.panel(pair["second"], [layer])
    return None
