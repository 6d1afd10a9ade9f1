"""A made-up run up to infer: truth, masks, scored maps and threshold, for the stage evaluate."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import official

from luss_core.config import EvaluateConfig
from luss_core.data.images import ImageList, write_images
from luss_core.data.masks import at_threshold, resize_nearest, write_mask
from luss_core.data.scored import pack, write_scored
from luss_core.io import write_json
from luss_core.metrics.corrected import edits_of_clusters
from luss_core.stages.evaluate import evaluate

CLASSES, AUTOMATIC = 3, 30
ORDER = np.array([0, 3, 1, 2])
"""The cluster of each class."""


@dataclass
class Run:
    """A run folder up to infer."""

    root: Path
    scored: dict[str, list[tuple[np.ndarray, np.ndarray]]]
    truths: dict[str, list[np.ndarray | None]]
    names: Path | None = None
    """What the category folders are called."""

    def pairs(self, split: str, level: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """Masks at a threshold with their truth, where there is one."""
        both = zip(self.scored[split], self.truths[split], strict=True)
        return [(at_threshold(*image, level), truth) for image, truth in both if truth is not None]

    def curve(self, split: str) -> list[tuple[dict[int, int], float]]:
        kept = [(s, t) for s, t in zip(self.scored[split], self.truths[split], strict=True) if t is not None]
        return official.threshold_curve([s for s, _ in kept], [t for _, t in kept], CLASSES)

    def arguments(self) -> dict[str, Any]:
        infer, out = self.root / "infer", self.root / "evaluate"
        return {
            "images": self.root / "prepare" / "images.csv",
            "masks": infer / "masks",
            "scored": infer / "scored.h5",
            "threshold": infer / "threshold.json",
            "balance": self.root / "cluster" / "balance.json",
            "classes": CLASSES,
            "names": self.names,
            "out": out / "scores.json",
            "match": out / "match.json",
            "table": out / "per_class.csv",
            "threads": 1,
        }

    def write_scored(self) -> None:
        maps = [image for images in self.scored.values() for image in images]
        with write_scored(self.root / "infer" / "scored.h5", {}) as writer:
            for row, (ids, levels) in enumerate(maps):
                writer.append(row, *ids.shape, pack(ids, levels))

    def evaluate(self, without: tuple[str, ...] = (), **settings: Any) -> dict[str, Any]:
        edits = edits_of_clusters(settings.pop("edits", None), settings.pop("clusters", None), CLASSES)
        evaluate(EvaluateConfig(**settings), **(self.arguments() | dict.fromkeys(without)), edits=edits)
        return json.loads((self.root / "evaluate" / "scores.json").read_text())

    def table(self) -> list[dict[str, str]]:
        with (self.root / "evaluate" / "per_class.csv").open() as file:
            return list(csv.DictReader(file))


def make_run(root: Path, judged: dict[str, int], unjudged: dict[str, int] | None = None, confused: str = "") -> Run:
    """Truth of one class an image, found in part by its cluster.

    Args:
        judged, unjudged: images of each split with and without truth.
        confused: a split where each cluster stands for another class than in the others.
    """
    rng = np.random.default_rng(0)
    splits = [s for s in ("train", "validation", "test") if s in judged or s in (unjudged or {})]
    run = Run(root, {s: [] for s in splits}, {s: [] for s in splits})
    columns: dict[str, list[Any]] = {name: [] for name in ("id", "path", "split", "folder", "mask")}
    sizes = []
    for split in splits:
        known = judged.get(split, 0)
        for i in range(known + (unjudged or {}).get(split, 0)):
            label, shape = i % CLASSES + 1, (int(rng.integers(20, 40)), int(rng.integers(20, 40)))
            truth = resize_nearest(rng.choice([0, 0, label], (4, 5)), *shape)
            truth[0, :2] = label
            truth[-3:, -5:] = 1000
            cluster = (
                ORDER[label % CLASSES + 1 if split == confused else label]
                if i < 3 * CLASSES
                else rng.integers(1, CLASSES + 1)
            )
            ids = np.where(rng.random(shape) < 0.998, cluster, rng.integers(1, CLASSES + 1))
            bins = (rng.integers(0, 45, shape) + 35 * (truth == label)).astype(np.uint8)
            run.scored[split].append((ids, bins))
            run.truths[split].append(truth if i < known else None)
            key = f"f{label}/{i:03d}"
            write_mask(root / "infer" / "masks" / split / f"{key}.png", at_threshold(ids, bins, AUTOMATIC))
            mask = f"{split}-segmentation/{key}.png" if i < known else ""
            if mask:
                write_mask(root / "data" / mask, truth)
            for name, value in zip(columns, (key, f"{split}/{key}.jpg", split, f"f{label}", mask), strict=True):
                columns[name].append(value)
            sizes.append(shape)
    height, width = np.array(sizes).T
    write_images(root / "prepare" / "images.csv", ImageList(root / "data", height=height, width=width, **columns))
    write_json(root / "prepare" / "summary.json", {"root": str(root / "data")})
    run.write_scored()
    write_json(root / "infer" / "threshold.json", {"automatic": AUTOMATIC, "rule": "otsu"})
    write_json(root / "cluster" / "balance.json", {"nmi": 61.5, "accuracy": None, "supervised": True})
    return run
