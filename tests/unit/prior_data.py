"""Prepared images, and the stage prior run on them."""

from pathlib import Path

import numpy as np
from PIL import Image

from luss_core.config import PrepareConfig, PriorConfig
from luss_core.data.masks import write_mask
from luss_core.stages.prepare import prepare
from luss_core.stages.prior import prior

SIZES = ((40, 60), (50, 50), (64, 48))


def draw(height: int, width: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A bright rectangle before noise, and where it is."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(60, 100, (height, width, 3))
    truth = np.zeros((height, width), np.uint16)
    top, left = rng.integers(8, 14, 2)
    truth[top : top + 20, left : left + 18] = 1 + seed % 2
    pixels[truth > 0] += [110, 60, 0]
    truth[top - 1, left : left + 18] = 1000
    return pixels.astype(np.uint8), truth


def prepared(root: Path) -> Path:
    """Prepared images of three splits: the same ids in train and validation, masks for validation and test."""
    for split, count in (("train", 4), ("validation", 3), ("test", 2)):
        for i in range(count):
            pixels, truth = draw(*SIZES[i % 3], seed=i + len(split))
            path = root / "photographs" / split / "cat" / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
            if split != "train":
                write_mask(root / "photographs" / f"{split}-segmentation" / "cat" / f"{i}.png", truth)
    prepare(
        PrepareConfig(short_side=44), root=root / "photographs", out=root / "prepare", state=root / "state", threads=1
    )
    return root


def make(data: Path, out: Path, threads: int = 1, **settings) -> Path:
    cfg = PriorConfig(**settings)
    files = {"images": data / "prepare/images.csv", "store": data / "prepare/images.h5"}
    prior(cfg, **files, out=out, state=state_of(out), threads=threads)
    return out


def state_of(out: Path) -> Path:
    """Folder of the work in progress that make() uses."""
    return out.with_name(f"{out.name}.state")


def save_map(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
