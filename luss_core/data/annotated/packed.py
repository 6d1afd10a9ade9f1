"""Annotated images decoded once: pixels and labels in two files, of which a training reads any at random."""

import logging
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from luss_core.data.annotated.base import AnnotatedImages
from luss_core.data.annotated.read import Labels, Photographs
from luss_core.data.loader import Images
from luss_core.io import read_json, write_json, writing
from luss_core.metrics.files import each

log = logging.getLogger(__name__)

RGB = 3
LABEL = "<i2"
SAMPLE = 8
"""Images from which the space of all is estimated."""
ABOUT, SHAPES, PIXELS, LABELS = "packed.json", "shapes.npy", "pixels.u8", "labels.i16"


class Annotations(NamedTuple):
    """What a training reads: images and their labels, by position."""

    images: Images
    labels: Images


class _Decoded(NamedTuple):
    pixels: np.ndarray
    """(H, W, 3) uint8, reduced."""
    labels: np.ndarray
    """(H, W) int16."""


class _One(NamedTuple):
    """An image that another process decodes."""

    images: AnnotatedImages
    short_side: int | None


class Packed:
    """(H, W, channels) of each row of one of the files, through a memory map that every process opens for itself."""

    def __init__(self, folder: Path, name: str, dtype: str, channels: int, fingerprint: str):
        self.folder, self.name, self.dtype, self.channels = folder, name, dtype, channels
        self.fingerprint = fingerprint

    def read(self, row: int) -> np.ndarray:
        height, width = (int(side) for side in self._shapes[row])
        start = int(self._starts[row]) * self.channels
        return self._values[start : start + height * width * self.channels].reshape(height, width, self.channels)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if not key.startswith("_")}

    @cached_property
    def _shapes(self) -> np.ndarray:
        found: np.ndarray = np.load(self.folder / SHAPES)
        return found

    @cached_property
    def _starts(self) -> np.ndarray:
        """Pixels before each."""
        sizes: np.ndarray = self._shapes.prod(axis=1)
        return np.cumsum(sizes) - sizes

    @cached_property
    def _values(self) -> np.ndarray:
        return np.asarray(np.memmap(self.folder / self.name, self.dtype, "r"))


def unpacked(images: AnnotatedImages, short_side: int | None) -> Annotations:
    """The same, decoded each time they are asked for."""
    return Annotations(Photographs(images, short_side), Labels(images))


def opened(folder: Path, fingerprint: str) -> Annotations:
    """What ``pack`` wrote."""
    return Annotations(Packed(folder, PIXELS, "u1", RGB, fingerprint), Packed(folder, LABELS, LABEL, 1, fingerprint))


def sample_shapes(images: AnnotatedImages, short_side: int | None) -> np.ndarray:
    """(n, 2) heights and widths of a few images, evenly over all, as they are read."""
    chosen = np.unique(np.linspace(0, len(images) - 1, SAMPLE).astype(int)).tolist()
    return np.array([images.image(i, short_side).shape[:2] for i in chosen], np.int64)


def space(shapes: np.ndarray, count: int) -> int:
    """Bytes that the files of so many images would take, by the shapes of some of them."""
    return int(shapes.prod(axis=1).mean() * count * (RGB + np.dtype(LABEL).itemsize))


def pack(folder: Path, images: AnnotatedImages, short_side: int | None, key: str, threads: int) -> None:
    """Decode all images and labels into the files of a folder, unless they are there.

    Args:
        short_side: pixels to which the shorter side of larger images is reduced, and their labels with them.
        key: all that decides what the files hold; those with another one are replaced.

    Raises:
        UserError: files that cannot be read, or a full disk.
    """
    about = folder / ABOUT
    if about.exists() and read_json(about).get("key") == key:
        log.info("images decoded by an interrupted run are used: %s", folder)
        return
    shapes = []
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        about.unlink(missing_ok=True)  # first: it must not tell of files that are gone
        with (folder / PIXELS).open("wb") as pixels, (folder / LABELS).open("wb") as labels:
            for found in _decoded(images, short_side, threads):
                pixels.write(found.pixels.tobytes())
                labels.write(found.labels.tobytes())
                shapes.append(found.labels.shape)
        np.save(folder / SHAPES, np.array(shapes, np.int64))
        write_json(about, {"key": key})


def remove(folder: Path) -> None:
    """Delete the files."""
    for name in (ABOUT, SHAPES, PIXELS, LABELS):
        (folder / name).unlink(missing_ok=True)


def _decoded(images: AnnotatedImages, short_side: int | None, threads: int) -> Iterator[_Decoded]:
    jobs = [_One(images.take([i]), short_side) for i in range(len(images))]
    yield from each(_decode, jobs, threads)


def _decode(one: _One) -> _Decoded:
    pixels, labels = one.images.image(0, one.short_side), one.images.mask(0)
    rows, columns = (
        ((np.arange(n) + 0.5) * m / n).astype(np.int64) for n, m in zip(pixels.shape[:2], labels.shape, strict=True)
    )
    return _Decoded(pixels, labels[rows[:, None], columns].astype(LABEL))
