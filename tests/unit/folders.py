"""Folders of images with masks, and the stage prepare run on them."""

import csv
from pathlib import Path

import numpy as np
from picture_files import picture

from luss_core.config import PrepareConfig
from luss_core.data.masks import write_mask
from luss_core.stages import prepare as stage

OUTPUTS = ["files.jsonl", "images.csv", "images.h5", "rejected.csv", "summary.json"]
PATIENT = PrepareConfig(max_rejected_fraction=1, allow_missing=True)


def prepare(cfg: PrepareConfig, *, out: Path, **more) -> None:
    stage.prepare(cfg, out=out, state=out.with_name(f"{out.name}.state"), **more)


def save(path: Path, height=60, width=90, seed=0, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(height, width, seed).save(path, **options)
    return path


def put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def rejected(out: Path, name="rejected.csv") -> dict[str, str]:
    with (out / name).open(newline="", errors="surrogateescape") as file:
        header, *rows = csv.reader(file)
    assert header == ["path", "reason"]
    assert len({path for path, _ in rows}) == len(rows)
    return dict(map(tuple, rows))


def imagenet_s(root: Path) -> Path:
    """Two categories, three splits, masks for two of them."""
    for split, count in (("train", 3), ("validation", 2), ("test", 2)):
        for folder in ("cat", "dog"):
            for i in range(count):
                save(root / split / folder / f"{i}.jpg", 90 + i, 120, seed=i)
                if split != "train":
                    ids = np.zeros((90 + i, 120), np.uint16)
                    ids[20:40, 30:60], ids[40:42, 30:60] = 1 + (folder == "dog"), 1000
                    write_mask(root / f"{split}-segmentation" / folder / f"{i}.png", ids)
    return root
