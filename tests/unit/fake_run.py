"""Writes every file that report and compare read, with made-up content: a run without training."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from stores import write_store

from luss_core.data.features import Change, Clusters, write_clusters
from luss_core.data.images import ImageList, read_images, write_csv, write_images
from luss_core.data.masks import write_mask
from luss_core.data.store import Store

ABOUT = {"luss": "0.1", "commit": "abc1234+", "libraries": {"torch": "2.9", "numpy": "2.3"}, "settings": {"seed": 0}}
COLUMNS = ("split", "rule", "class", "name", "IoU", "BIoU", "cluster", "truth_pixels", "predicted_pixels")
METRICS = ("mIoU", "mBIoU", "F", "img_acc", "S", "MS", "ML", "L", "mBIoU_S", "mBIoU_MS", "mBIoU_ML", "mBIoU_L")


@dataclass
class FakeRun:
    """Where things are, and what was written."""

    data: Path
    run: Path
    classes: int
    truth: bool = True
    names: list[str] = field(default_factory=list)
    per_class: int = 3
    seed: int = 0
    attention: bool = False
    """Whether the run has attention; write_prior() writes saliency."""

    @property
    def images(self) -> Path:
        return self.data / "prepare" / "images.csv"

    @property
    def store(self) -> Path:
        return self.data / "prepare" / "images.h5"

    @property
    def prior(self) -> Path:
        return self.data / "prior" / "prior.h5"

    @property
    def videos(self) -> Path:
        return self.images.with_name("videos.csv")

    def arguments(self) -> dict[str, Path | None]:
        """Inputs of report(), but for the prior."""
        return {
            "images": self.images,
            "store": self.store,
            "examine": self.run / "examine" / "examine.json",
            "attention": self.run / "examine" / "attention",
            "similarity": self.run / "examine" / "similarity",
            "videos": self.videos if self.videos.exists() else None,
            "pretrain_log": self.run / "pretrain" / "log.jsonl",
            "finetune_log": self.run / "finetune" / "log.jsonl",
            "clusters": self.run / "cluster" / "clusters.h5",
            "balance": self.run / "cluster" / "balance.json",
            "threshold": self.run / "infer" / "threshold.json",
            "masks": self.run / "infer" / "masks",
            "scores": self.run / "evaluate" / "scores.json",
            "table": self.run / "evaluate" / "per_class.csv",
        }


def write_data(fake: FakeRun) -> None:
    """prepare/: images of coloured boxes, and their truth."""
    rng = np.random.default_rng(0)
    fake.names = fake.names or [f"name{k:03d}" for k in range(fake.classes)]
    columns: dict[str, list[Any]] = {name: [] for name in ("id", "path", "split", "folder", "mask")}
    sizes, pictures = [], []
    for split in ("train", "validation", "test"):
        for label, name in enumerate(sorted(fake.names), start=1):
            for i in range(fake.per_class):
                height, width = (int(side) for side in rng.integers(24, 40, 2))
                mask = np.zeros((height, width), np.int32)
                mask[4 : height // 2, 5 : width - 6] = label
                mask[-2:] = 1000
                key = f"{label:03d}/{i}"
                for column, value in zip(columns, (key, f"{split}/{key}.png", split, name, ""), strict=True):
                    columns[column].append(value)
                if fake.truth:
                    columns["mask"][-1] = f"{split}-segmentation/{key}.png"
                    (fake.data / columns["mask"][-1]).parent.mkdir(parents=True, exist_ok=True)
                    write_mask(fake.data / columns["mask"][-1], mask)
                picture = (
                    rng.integers(0, 255, 3) + rng.integers(-20, 20, (height, width, 3)) + 40 * (mask > 0)[..., None]
                )
                pictures.append(picture.clip(0, 255).astype(np.uint8))
                sizes.append((height, width))
    fake.images.parent.mkdir(parents=True, exist_ok=True)
    shapes = np.array(sizes)
    write_images(fake.images, ImageList(root=fake.data, height=shapes[:, 0], width=shapes[:, 1], **columns))
    write_store(fake.store, pictures, ABOUT)
    summary = {"root": str(fake.data), "rejected": 1, "noted": 1}
    fake.images.with_name("summary.json").write_text(json.dumps(summary))
    fake.images.with_name("rejected.csv").write_text("path,reason\na.jpg,empty file\nb.png,mask missing\n")


def write_prior(fake: FakeRun) -> None:
    """prior/: a bright square in the middle of every image."""
    maps = []
    for height, width in Store(fake.store).shapes.tolist():
        maps.append(np.zeros((height, width, 1), np.uint8))
        maps[-1][height // 4 : -height // 4, width // 4 : -width // 4] = 230
    write_store(fake.prior, maps, ABOUT)


def write_run(fake: FakeRun) -> dict[str, Any]:
    """Everything below seed<k>/; returns what is in scores.json."""
    rng = np.random.default_rng(fake.seed + 1)
    for name in ("pretrain", "examine/attention", "cluster", "finetune", "infer", "evaluate"):
        (fake.run / name).mkdir(parents=True, exist_ok=True)
    _write_logs(fake)
    _write_clusters(fake, rng)
    _write_masks(fake, rng)
    _write_examine(fake)
    scores = _scores(fake, rng)
    (fake.run / "evaluate" / "scores.json").write_text(json.dumps(scores))
    if fake.truth:
        _write_table(fake, scores)
    return scores


def write_videos(fake: FakeRun, rate: float = 10) -> None:
    """prepare/videos.csv: the training images of a folder are frames of one video."""
    images = read_images(fake.images)
    rows = images.rows("train").tolist()
    write_csv(
        fake.videos,
        ("row", "video", "frame", "ms"),
        ((row, images.folder[row], row % fake.per_class, 1000 / rate * (row % fake.per_class)) for row in rows),
    )


def write_similarity(fake: FakeRun, heads: tuple[str, ...], pairs: tuple[tuple[int, int], ...]) -> None:
    """examine/similarity: most alike, in every map, is the second place of the third row."""
    folder = fake.run / "examine" / "similarity"
    values = np.zeros((4, 5), np.uint8)
    values[2, 1] = 255
    for number in range(len(pairs)):
        (folder / str(number)).mkdir(parents=True, exist_ok=True)
        for head in heads:
            Image.fromarray(values).save(folder / str(number) / f"{head}.png")
    about = [
        {"video": "v", "first": a, "second": b, "frames": b - a, "y": 0.25, "x": 0.5}
        | {"cosines": dict.fromkeys(heads, [-0.1, 0.9])}
        for a, b in pairs
    ]
    (folder / "similarity.json").write_text(json.dumps({"heads": heads, "pairs": about}))


def _write_logs(fake: FakeRun) -> None:
    for name, logs in (("pretrain", {"code_entropy": 0.97, "prototypes_used": 0.9}), ("finetune", {})):
        lines = [
            {"step": k, "epoch": k / 20, "loss": 4 * 0.995**k, "lr": 0.001, **logs, "seconds": 0.3} for k in range(640)
        ]
        for k in (*range(0, 640, 160), 639) if name == "pretrain" else ():
            lines[k] |= {"deviation": 0.1 + k / 1600, "effective_rank": 10 + k / 64, "cluster_use": 0.2 + k / 1000}
            lines[k] |= {"knn": 0.25 + k / 1000, "knn_guess": 0.14}
        (fake.run / name / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def _write_clusters(fake: FakeRun, rng: np.random.Generator) -> None:
    row = np.arange(fake.classes * fake.per_class)
    label = np.where(rng.random(len(row)) < 0.7, row // fake.per_class, rng.integers(0, fake.classes, len(row)))
    distance = rng.random(len(row)).astype(np.float32)
    change = Change(True, np.empty((0, 4), np.float32), np.empty(0, np.float32), False)
    found = Clusters(np.zeros((fake.classes, 4), np.float32), row, label.astype(np.int32), distance, change)
    write_clusters(fake.run / "cluster" / "clusters.h5", found, ABOUT)
    sizes = np.bincount(label, minlength=fake.classes).tolist()
    balance = {
        "sizes": sizes,
        "empty": sizes.count(0),
        "distinct": len(row),
        "warning": None,
        "entropy": 0.93,
        "inertia": 10.0,
        "restarts": [10.0],
        "nmi": 61.25,
        "accuracy": 70.5,
        "supervised": False,
    }
    (fake.run / "cluster" / "balance.json").write_text(json.dumps(balance | {"provenance": ABOUT}))
    histogram = np.histogram(rng.normal(0.35, 0.15, 9000).clip(0, 0.8), bins=81, range=(0, 0.81))[0].tolist()
    threshold = {"automatic": 31, "rule": "otsu", "histogram": histogram, "score_max": 9.5, "provenance": ABOUT}
    (fake.run / "infer" / "threshold.json").write_text(json.dumps(threshold))


def _write_masks(fake: FakeRun, rng: np.random.Generator) -> None:
    images = read_images(fake.images)
    for split in ("validation", "test"):
        for row in images.rows(split):
            mask = np.zeros((images.height[row], images.width[row]), np.int32)
            mask[3:14, 3:14] = rng.integers(1, fake.classes + 1)
            path = fake.run / "infer" / "masks" / split / f"{images.id[row]}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_mask(path, mask)


def _write_examine(fake: FakeRun) -> None:
    rng, images = np.random.default_rng(fake.seed + 7), read_images(fake.images)
    for row in [row for split in ("validation", "test") for row in images.rows(split) if fake.attention]:
        path = fake.run / "examine" / "attention" / images.split[row] / f"{images.id[row]}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (6, 7), np.uint8)).save(path)
    found = {
        "view_cos": round(float(rng.uniform(0.5, 1)), 4),
        "cat_cos": round(float(rng.uniform(0.5, 1)), 4) if fake.truth else None,
        "split": "validation",
        "images": 9,
        "pairs": 36,
        "categories": fake.classes if fake.truth else 0,
        "attention": {"lowest": 0.11, "mean": 0.3, "highest": 0.87, "images": 18} if fake.attention else None,
        "attention_F": 52.5 if fake.attention and fake.truth else None,
        "prior_F": 47.25 if fake.attention and fake.truth and fake.prior.exists() else None,
        "F_rule": "adaptive",
        "F_images": 9,
        "provenance": ABOUT,
    }
    (fake.run / "examine" / "examine.json").write_text(json.dumps(found))


def _scores(fake: FakeRun, rng: np.random.Generator) -> dict[str, Any]:
    foreground = {"validation": 0.31, "test": 0.29}
    common = {"classes": fake.classes, "truth": fake.truth, "foreground": foreground, "nmi": 61.25, "accuracy": 70.5}
    common |= {"names": ["other", *sorted(fake.names)], "no_folder_score": None, "warnings": []}
    threshold = {"automatic": 31, "rule": "otsu", "oracle": None, "oracle_split": "validation"}
    if not fake.truth:
        return common | {"threshold": threshold, "provenance": ABOUT}

    def measured() -> dict[str, Any]:
        values: dict[str, Any] = {key: round(float(rng.uniform(5, 60)), 4) for key in METRICS}
        values |= {"mIoU_present": values["mIoU"], "mBIoU_present": values["mBIoU"], "absent_classes": []}
        return values | {key: rng.uniform(0, 80, fake.classes + 1).round(4).tolist() for key in ("IoU", "BIoU")}

    counts = rng.integers(0, 40, (fake.classes + 1, fake.classes + 1)) + 400 * np.eye(fake.classes + 1, dtype=int)
    images = fake.classes * fake.per_class
    return common | {
        "splits": {
            s: {"images": images, "of": images, "automatic": measured(), "oracle": measured()} for s in foreground
        },
        "threshold": threshold | {"oracle": 24},
        "curve": {s: (40 - (np.arange(81) - 24) ** 2 / 60).clip(2).tolist() for s in foreground},
        "matched_on": "validation",
        "match": {"0": 0, **{str(k): k % fake.classes + 1 for k in range(1, fake.classes + 1)}},
        "confusion": {"split": "test", "counts": counts.tolist()},
        "provenance": ABOUT,
    }


def _write_table(fake: FakeRun, scores: dict[str, Any]) -> None:
    names = ["other", *sorted(fake.names)]
    rows = [
        [split, rule, k, name, entry[rule]["IoU"][k], entry[rule]["BIoU"][k], k, 1000, 900]
        for split, entry in scores["splits"].items()
        for rule in ("automatic", "oracle")
        for k, name in enumerate(names)
    ]
    write_csv(fake.run / "evaluate" / "per_class.csv", COLUMNS, rows)
