"""Mask files as annotation tools, image editors and optimisers write them."""

import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from folders import prepare, save
from PIL import Image

from luss_core import io
from luss_core.config import PrepareConfig
from luss_core.data.images import ImageList, read_images

SHAPE = (12, 18)


def drawn(value, dtype=np.uint8, inside=None) -> np.ndarray:
    """0 or black, with a block of ``value``, and in it a smaller one of ``inside``."""
    pixels = np.zeros(SHAPE + np.shape(value), dtype)
    pixels[2:8, 3:11] = value
    if inside is not None:
        pixels[4:6, 5:9] = inside
    return pixels


def write(path: Path, image: Image.Image | np.ndarray, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    image.save(path, **options)
    return path


def palette(indices: np.ndarray, colours: Sequence[Sequence[int]]) -> Image.Image:
    image = Image.fromarray(indices.astype(np.uint8), "L").convert("P")
    image.putdata(indices.ravel().tolist())
    image.putpalette([channel for colour in colours for channel in colour])
    return image


def optimised(pixels: np.ndarray) -> Image.Image:
    """A palette of the colours that occur, by how often they do, as optimisers of PNG make it."""
    colours, place, counts = np.unique(pixels.reshape(-1, 3), axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return palette(np.argsort(order)[place.ravel()].reshape(pixels.shape[:2]), colours[order].tolist())


def png(path: Path, depth: int, colour_type: int, rows: Sequence[bytes], width: int) -> Path:
    """A PNG file with samples of any depth, which Pillow does not write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, len(rows), depth, colour_type, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b""))
    return path


def photographs(root: Path, make: Callable[[int], Image.Image | np.ndarray], count=4, name="{}.png", **options) -> Path:
    """Photographs with a mask each, in masks/."""
    for i in range(count):
        save(root / f"{i}.jpg", *SHAPE, seed=i)
        write(root / "masks" / name.format(i), make(i), **options)
    return root


def prepared(root: Path, classes=2, **settings) -> tuple[ImageList, dict]:
    """The image list and summary.json of prepare."""
    out = root.with_name(f"{root.name}.out")
    prepare(PrepareConfig(masks="masks", **settings), root=root, out=out, threads=1, classes=classes)
    return read_images(out / "images.csv"), io.read_json(out / "summary.json")


def truth(root: Path, classes=2, **settings) -> np.ndarray:
    """The ids of the first mask as every later reader has them."""
    images, _ = prepared(root, classes, **settings)
    mask = images.truth(0)
    assert mask is not None
    return mask.read()
