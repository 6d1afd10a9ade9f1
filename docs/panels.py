"""The picture of the README: test images, truth and what a run found.

python docs/panels.py results/embedded/shape/seed0 docs/panels.png
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from luss_core.colours import class_colours
from luss_core.data.images import read_images
from luss_core.data.masks import IGNORE, read_mask, resize_nearest
from luss_core.data.spread import panel_rows
from luss_core.data.store import Store
from luss_core.io import read_json

SIDE, GAP, COLUMNS = 128, 6, 8


def coloured(image: np.ndarray, mask: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """(SIDE, SIDE, 3): the image with its mask laid over it."""
    ids = resize_nearest(np.where(mask == IGNORE, 0, mask), SIDE, SIDE)
    share = np.where(ids > 0, 0.65, 0.0)[..., None]
    return (image * (1 - share) + colours[ids] * share).astype(np.uint8)


def main(run: Path, out: Path) -> None:
    data = run.parents[1] / "prepare"
    images, store = read_images(data / "images.csv"), Store(data / "images.h5")
    scores = read_json(run / "evaluate" / "scores.json")
    match = np.zeros(scores["classes"] + 1, int)
    for cluster, label in scores["match"].items():
        match[int(cluster)] = label
    colours = class_colours(scores["classes"])
    canvas = np.full((3 * (SIDE + GAP) - GAP, COLUMNS * (SIDE + GAP) - GAP, 3), 255, np.uint8)
    for column, row in enumerate(panel_rows(images, "test", True, COLUMNS)):
        picture = np.asarray(Image.fromarray(store.read(row)).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
        truth = read_mask(images.root / images.mask[row])
        found = match[read_mask(run / "infer" / "masks" / "test" / f"{images.id[row]}.png")]
        left = column * (SIDE + GAP)
        for line, tile in enumerate((picture, coloured(picture, truth, colours), coloured(picture, found, colours))):
            top = line * (SIDE + GAP)
            canvas[top : top + SIDE, left : left + SIDE] = tile
    Image.fromarray(canvas).save(out, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
