"""The stage evaluate: its three files against the literal reference, splits with and without truth, refusals."""

import csv
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import official
import pytest

from luss_core.config import EvaluateConfig
from luss_core.data.images import ImageList, write_images
from luss_core.data.masks import at_threshold, resize_nearest, write_mask, write_scored
from luss_core.errors import UserError
from luss_core.io import write_json
from luss_core.stages.evaluate import evaluate

CLASSES, AUTOMATIC = 3, 30
ORDER = np.array([0, 3, 1, 2])
"""The cluster of each class."""
SCORES = {"mIoU", "mBIoU", "F", "img_acc", "S", "MS", "ML", "L", "mBIoU_S", "mBIoU_MS", "mBIoU_ML", "mBIoU_L"}


@dataclass
class Run:
    """A run folder up to infer."""

    root: Path
    scored: dict[str, list[tuple[np.ndarray, np.ndarray]]]
    truths: dict[str, list[np.ndarray | None]]

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
            "scored": infer / "scored",
            "threshold": infer / "threshold.json",
            "balance": self.root / "cluster" / "balance.json",
            "classes": CLASSES,
            "out": out / "scores.json",
            "match": out / "match.json",
            "table": out / "per_class.csv",
            "threads": 1,
        }

    def evaluate(self, **settings: Any) -> dict[str, Any]:
        evaluate(EvaluateConfig(**settings), **self.arguments())
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
            write_scored(root / "infer" / "scored" / split / f"{key}.png", ids, bins)
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
    write_json(root / "infer" / "threshold.json", {"automatic": AUTOMATIC, "rule": "otsu"})
    write_json(root / "cluster" / "balance.json", {"nmi": 61.5, "accuracy": None})
    return run


def assert_scores(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert set(found) == SCORES | {"IoU", "BIoU"}
    for key, value in wanted.items():
        assert found[key] == (None if value is None else pytest.approx(value, abs=1e-9)), key


def test_scores_of_both_thresholds_equal_the_reference(tmp_path: Path) -> None:
    run = make_run(tmp_path, {"train": 9, "validation": 12, "test": 7}, confused="test")
    found = run.evaluate()
    curve = run.curve("validation")
    best = int(np.argmax([miou for _, miou in curve]))
    assert found["curve"]["validation"] == pytest.approx([miou for _, miou in curve], abs=1e-9)
    assert found["threshold"] == {"automatic": 30, "rule": "otsu", "oracle": best, "oracle_split": "validation"}
    assert best != AUTOMATIC
    assert found["matched_on"] == "validation"
    assert found["match"] == {str(k): v for k, v in curve[AUTOMATIC][0].items()} == {"0": 0, "1": 2, "2": 3, "3": 1}
    assert json.loads((tmp_path / "evaluate" / "match.json").read_text()) == found["match"]
    for split, images in (("train", 9), ("validation", 12), ("test", 7)):
        assert found["splits"][split]["images"] == found["splits"][split]["of"] == images
        for rule, level in (("automatic", AUTOMATIC), ("oracle", best)):
            wanted = official.evaluate(run.pairs(split, level), CLASSES, curve[level][0])
            assert_scores(found["splits"][split][rule], wanted)
        on_curve = [official.evaluate(run.pairs(split, k), CLASSES, curve[k][0])["mIoU"] for k in (0, 41, 80)]
        assert [found["curve"][split][k] for k in (0, 41, 80)] == pytest.approx(on_curve, abs=1e-9)
        assert found["curve"][split][AUTOMATIC] == pytest.approx(found["splits"][split]["automatic"]["mIoU"], abs=1e-9)
    assert (found["nmi"], found["accuracy"]) == (61.5, None)
    assert found["provenance"]["settings"]["evaluate"]["match"] == "auto"


def test_confusion_foreground_and_table(tmp_path: Path) -> None:
    run = make_run(tmp_path, {"validation": 9, "test": 7})
    found = run.evaluate()
    names = np.array([found["match"][str(i)] for i in range(CLASSES + 1)])
    wanted = np.zeros((CLASSES + 1, CLASSES + 1), int)
    for prediction, truth in run.pairs("test", AUTOMATIC):
        kept = truth != 1000
        np.add.at(wanted, (truth[kept], names[prediction[kept]]), 1)
    assert found["confusion"] == {"split": "test", "counts": wanted.tolist()}
    masks = [at_threshold(*image, AUTOMATIC) for image in run.scored["test"]]
    share = sum((m > 0).sum() for m in masks) / sum(m.size for m in masks)
    assert found["foreground"]["test"] == pytest.approx(share)
    rows = run.table()
    assert len(rows) == 2 * 2 * (CLASSES + 1)
    row = next(r for r in rows if (r["split"], r["rule"], r["class"]) == ("test", "automatic", "2"))
    scores = found["splits"]["test"]["automatic"]
    assert (row["name"], row["cluster"]) == ("class 2", "1")
    assert float(row["IoU"]) == pytest.approx(scores["IoU"][2], abs=1e-4)
    assert float(row["BIoU"]) == pytest.approx(scores["BIoU"][2], abs=1e-4)
    assert (int(row["truth_pixels"]), int(row["predicted_pixels"])) == (wanted[2].sum(), wanted[:, 2].sum())


def test_classes_are_named_after_the_train_folders(tmp_path: Path) -> None:
    run = make_run(tmp_path, {"train": 6})
    run.evaluate()
    assert [row["name"] for row in run.table()[:4]] == ["other", "f1", "f2", "f3"]


def test_only_train_is_matched_on_itself(tmp_path: Path) -> None:
    run = make_run(tmp_path, {"train": 9})
    found = run.evaluate()
    assert (found["matched_on"], found["threshold"]["oracle_split"]) == ("train", "train")
    assert found["match"] == {"0": 0, "1": 2, "2": 3, "3": 1}
    assert list(found["splits"]) == ["train"]


def test_validation_without_truth_leaves_the_matching_to_test(tmp_path: Path) -> None:
    run = make_run(tmp_path, {"test": 9}, {"validation": 4})
    found = run.evaluate()
    assert (found["matched_on"], list(found["splits"]), list(found["curve"])) == ("test", ["test"], ["test"])
    assert set(found["foreground"]) == {"validation", "test"}
    unjudged = [row for row in run.table() if row["split"] == "validation"]
    assert [row["cluster"] for row in unjudged] == ["0", "1", "2", "3"]
    masks = [at_threshold(*image, AUTOMATIC) for image in run.scored["validation"]]
    assert [int(row["predicted_pixels"]) for row in unjudged] == [sum((m == i).sum() for m in masks) for i in range(4)]


def test_images_without_truth_are_not_scored(tmp_path: Path) -> None:
    run = make_run(tmp_path, {"validation": 6}, {"validation": 5})
    write_json(tmp_path / "prepare" / "summary.json", {"root": str(tmp_path / "data"), "expected": {"validation": 12}})
    found = run.evaluate()
    assert (found["splits"]["validation"]["images"], found["splits"]["validation"]["of"]) == (6, 12)
    wanted = official.evaluate(run.pairs("validation", AUTOMATIC), CLASSES, {0: 0, 1: 2, 2: 3, 3: 1})
    assert_scores(found["splits"]["validation"]["automatic"], wanted)


def test_without_truth_only_what_needs_none(tmp_path: Path) -> None:
    run = make_run(tmp_path, {}, {"train": 5})
    for path in (tmp_path / "infer" / "scored").rglob("*.png"):
        path.unlink()  # not needed
    found = run.evaluate()
    assert found["truth"] is False
    assert found["splits"] == found["curve"] == {}
    assert found["threshold"] == {"automatic": 30, "rule": "otsu", "oracle": None, "oracle_split": None}
    assert found["matched_on"] is found["confusion"] is None
    assert 0 < found["foreground"]["train"] < 1
    assert json.loads((tmp_path / "evaluate" / "match.json").read_text()) == {str(i): i for i in range(4)}
    assert len(run.table()) == CLASSES + 1


def test_identity_matches_nothing(tmp_path: Path) -> None:
    run = make_run(tmp_path, {"validation": 7})
    found = run.evaluate(match="identity", absent="zero")
    assert found["match"] == {str(i): i for i in range(4)}
    assert found["matched_on"] is None
    wanted = official.evaluate(run.pairs("validation", AUTOMATIC), CLASSES, absent="zero")
    assert_scores(found["splits"]["validation"]["automatic"], wanted)
    on_curve = [official.evaluate(run.pairs("validation", k), CLASSES)["mIoU"] for k in (0, 50)]
    assert [found["curve"]["validation"][k] for k in (0, 50)] == pytest.approx(on_curve, abs=1e-9)


def test_script_reads_settings_and_runs(tmp_path: Path) -> None:
    run = make_run(tmp_path, {"test": 6})
    options = [part for name, value in run.arguments().items() for part in (f"--{name}", str(value))]
    script = [sys.executable, Path(__file__).parents[2] / "workflow_scripts" / "evaluate.py", *options, "--settings"]
    done = subprocess.run([*script, '{"match": "identity"}'], capture_output=True, text=True, timeout=120, check=True)
    assert json.loads((tmp_path / "evaluate" / "scores.json").read_text())["matched_on"] is None
    assert "test, automatic threshold 0.30: mIoU" in done.stderr
    wrong = subprocess.run([*script, '{"matc": "identity"}'], capture_output=True, text=True, timeout=120, check=False)
    assert wrong.returncode == 1
    assert "evaluate.matc: unknown key; did you mean match" in wrong.stderr


def damage(run: Run, what: str) -> None:
    mask, scored = (run.root / "infer" / kind / "test" / "f1" / "000.png" for kind in ("masks", "scored"))
    truth = run.root / "data" / "test-segmentation" / "f1" / "000.png"
    ids, bins = run.scored["test"][0]
    above = np.where(ids == ids[0, 0], 7, ids)
    actions = {
        "mask missing": lambda: mask.unlink(),
        "scored missing": lambda: scored.unlink(),
        "truth missing": lambda: truth.unlink(),
        "mask of another size": lambda: write_mask(mask, ids[1:]),
        "truth of another size": lambda: write_mask(truth, np.zeros((99, 3), int)),
        "truth with ids above C": lambda: write_mask(truth, above),
        "mask with ids above C": lambda: write_mask(mask, above),
        "scored with ids above C": lambda: write_scored(scored, above, bins),
        "scored with id 0": lambda: write_scored(scored, np.where(ids == ids[0, 0], 0, ids), bins),
        "scored above 80": lambda: write_scored(scored, ids, bins + np.uint8(100)),
        "truth cut short": lambda: truth.write_bytes(truth.read_bytes()[:-60]),
    }
    actions[what]()


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("mask missing", r"1 of 18 masks.*masks/test/f1/000\.png does not exist"),
        ("scored missing", r"scored/test/f1/000\.png does not exist"),
        ("truth missing", r"test-segmentation/f1/000\.png does not exist"),
        ("mask of another size", r"masks/test/f1/000\.png is \d+ x \d+ \(height x width\), its image \d+ x \d+"),
        ("truth of another size", r"test-segmentation/f1/000\.png is 99 x 3"),
        ("truth with ids above C", r"1 of 6 masks.*test-segmentation/f1/000\.png has ids above 3, .*: 7"),
        ("mask with ids above C", r"masks/test/f1/000\.png has ids above 3, .*: 7"),
        ("scored with ids above C", r"scored/test/f1/000\.png has clusters outside 1\.\.3: 7"),
        ("scored with id 0", r"scored/test/f1/000\.png has clusters outside 1\.\.3: 0"),
        ("scored above 80", r"scored/test/f1/000\.png has scores above 80 hundredths"),
        ("truth cut short", r"test-segmentation/f1/000\.png cannot be read as a mask"),
    ],
)
def test_bad_files_are_named_and_nothing_is_written(tmp_path: Path, what: str, message: str) -> None:
    run = make_run(tmp_path, {"test": 6})
    damage(run, what)
    with pytest.raises(UserError, match=f"(?s){message}"):
        run.evaluate()
    assert not (tmp_path / "evaluate").exists()


def test_unknown_mask_ids_may_be_dropped(tmp_path: Path) -> None:
    run = make_run(tmp_path, {"test": 6})
    damage(run, "mask with ids above C")
    with pytest.raises(UserError, match="ids above 3"):
        run.evaluate()
    found = run.evaluate(unknown="drop")["splits"]["test"]["automatic"]
    pairs = run.pairs("test", AUTOMATIC)
    ids = run.scored["test"][0][0]
    pairs[0] = (np.where(ids == ids[0, 0], 7, ids), pairs[0][1])
    match = {0: 0, 1: 2, 2: 3, 3: 1, 7: 7}
    assert_scores(found, official.evaluate(pairs, CLASSES, match))


def test_masks_must_be_there(tmp_path: Path) -> None:
    run = make_run(tmp_path, {"test": 6})
    (tmp_path / "infer" / "masks" / "test").rename(tmp_path / "infer" / "masks" / "other")
    with pytest.raises(UserError, match="no folder of any of the splits test; run the stage infer"):
        run.evaluate()
