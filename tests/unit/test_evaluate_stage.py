"""The stage evaluate: its three files against the literal reference, splits with and without truth, masks alone."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import official
import pytest
from segmented_run import AUTOMATIC, CLASSES, make_run

from luss_core.data.masks import at_threshold
from luss_core.errors import UserError
from luss_core.io import write_json

SCORES = {"mIoU", "mBIoU", "F", "img_acc", "S", "MS", "ML", "L", "mBIoU_S", "mBIoU_MS", "mBIoU_ML", "mBIoU_L"}
PRESENT = {"mIoU_present", "mBIoU_present", "absent_classes"}


def assert_scores(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert set(found) == SCORES | PRESENT | {"IoU", "BIoU"}
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
    assert (found["nmi"], found["accuracy"], found["supervised"]) == (61.5, None, True)
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


def test_a_file_of_names_says_what_the_folders_are_called(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run = make_run(tmp_path, {"train": 6})
    run.names = tmp_path / "names.txt"
    run.names.write_text("f1 goldfish, Carassius auratus\nf3\tgreat white shark\nf9 heron\n")
    found = run.evaluate()
    assert found["names"] == ["other", "goldfish", "f2", "great white shark"]
    assert [row["name"] for row in run.table()[:4]] == found["names"]
    assert "1 of 3 classes have no line" in caplog.text


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
    options = [part for name, value in run.arguments().items() if value for part in (f"--{name}", str(value))]
    script = [sys.executable, Path(__file__).parents[2] / "workflow_scripts" / "evaluate.py", *options, "--settings"]
    done = subprocess.run([*script, '{"match": "identity"}'], capture_output=True, text=True, timeout=120, check=True)
    assert json.loads((tmp_path / "evaluate" / "scores.json").read_text())["matched_on"] is None
    assert "test, automatic threshold 0.30: mIoU" in done.stderr
    wrong = subprocess.run([*script, '{"matc": "identity"}'], capture_output=True, text=True, timeout=120, check=False)
    assert wrong.returncode == 1
    assert "evaluate.matc: unknown key; did you mean match" in wrong.stderr


def test_masks_alone_are_scored_as_they_are(tmp_path: Path) -> None:
    """Where they come from neither k-means nor activation maps; the matching is that of the masks."""
    run = make_run(tmp_path, {"validation": 12, "test": 7})
    whole, rows = run.evaluate(), run.table()
    alone = run.evaluate(without=("scored", "threshold", "balance"))
    assert alone["threshold"] == dict.fromkeys(("automatic", "rule", "oracle", "oracle_split"))
    assert (alone["curve"], alone["nmi"], alone["accuracy"]) == ({}, None, None)
    for split in ("validation", "test"):
        assert alone["splits"][split] == whole["splits"][split] | {"oracle": None}
    for key in ("match", "matched_on", "confusion", "foreground", "truth"):
        assert alone[key] == whole[key]
    assert run.table() == [row for row in rows if row["rule"] == "automatic"]
    assert run.evaluate(without=("scored", "threshold", "balance"), match="identity")["matched_on"] is None


def test_scored_maps_need_no_clusters_but_their_threshold(tmp_path: Path) -> None:
    run = make_run(tmp_path, {"test": 7})
    assert run.evaluate() == run.evaluate(without=("balance",)) | {"nmi": 61.5, "supervised": True}
    with pytest.raises(UserError, match=r"scored\.h5 needs the threshold\.json"):
        run.evaluate(without=("threshold",))


def test_labels_of_a_file_are_told_from_those_of_folders(tmp_path: Path) -> None:
    run = make_run(tmp_path, {"test": 7})
    found, (file,) = run.evaluate(), tmp_path.rglob("balance.json")
    write_json(file, json.loads(file.read_text()) | {"labels_file": True})
    assert run.evaluate() == found | {"labels_file": True}
