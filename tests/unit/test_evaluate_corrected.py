"""The stage evaluate where people corrected what was found: both sets of scores, and what a name matches."""

import json
import logging
import re
from pathlib import Path

import numpy as np
import official
import pytest
from fake_run import FakeRun, write_data, write_run
from segmented_run import AUTOMATIC, CLASSES, Run, make_run

from luss_core.config import ReportConfig
from luss_core.data.features import Change, Clusters, write_clusters
from luss_core.data.masks import at_threshold
from luss_core.edits import Edits
from luss_core.edits_file import mark, read_edits
from luss_core.io import write_json
from luss_core.metrics.corrected import by_name
from luss_core.metrics.joint import joint_histogram
from luss_core.metrics.matching import match_rest
from luss_core.stages.report import report

FOUND = {0: 0, 1: 2, 2: 3, 3: 1}
"""The class that each cluster of a made-up run is matched with."""


def scored(run: Run, text: str) -> dict:
    (run.root / "edits.yaml").write_text(text)
    return run.evaluate(edits=run.root / "edits.yaml")


def wanted(run: Run, split: str, edits: Edits, match: dict[int, int]) -> dict:
    """By the literal reference, of masks that are corrected one by one."""
    pairs, kept = [], 0
    for number, ((ids, bins), truth) in enumerate(zip(run.scored[split], run.truths[split], strict=True)):
        if truth is not None:
            name = f"{split}/f{number % CLASSES + 1}/{number:03d}"
            pairs.append((edits.apply_to_mask(at_threshold(ids, bins, AUTOMATIC), name), truth))
            kept += 1
    assert kept
    return official.evaluate(pairs, CLASSES, match)


def assert_near(found: dict, reference: dict) -> None:
    for key in ("mIoU", "mBIoU", "F", "img_acc"):
        assert found[key] == pytest.approx(reference[key], abs=1e-9), key


def test_both_scores_stand_beside_each_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    run = make_run(tmp_path, {"validation": 12, "test": 7})
    alone = run.evaluate()
    assert alone["corrected"] is None
    text = "background: [2]\nmoved:\n  test/f1/000: {3: 1}\n"
    both = scored(run, text)
    assert {key: both[key] for key in alone if key != "corrected"} == {
        k: v for k, v in alone.items() if k != "corrected"
    }
    edits = Edits(categories=CLASSES, background=(2,), moved={"test/f1/000": {3: 1}})
    found = both["corrected"]
    assert found["match"] == {"0": 0, "1": 2, "3": 1}
    for split in ("validation", "test"):
        assert_near(found["splits"][split], wanted(run, split, edits, FOUND))
    assert found["splits"]["test"]["IoU"][3] == 0
    assert "test, as people corrected it: mIoU" in caplog.text
    rows = [row for row in run.table() if row["rule"] == "corrected" and row["split"] == "test"]
    assert [(row["class"], row["cluster"]) for row in rows] == [("0", "0"), ("1", "3"), ("2", "1"), ("3", "")]
    assert float(rows[1]["IoU"]) == pytest.approx(found["splits"]["test"]["IoU"][1], abs=1e-4)


def test_a_category_that_is_called_as_a_class_is_that_class(tmp_path: Path) -> None:
    run = make_run(tmp_path, {"train": 9, "test": 7})
    found = scored(run, "names: {3: ' F2 ', 1: f2, 2: nothing known}")["corrected"]
    match = {0: 0, 1: 2, 2: 3, 3: 2}
    assert (found["named"], found["match"]) == ([1, 3], {str(k): v for k, v in match.items()})
    renamed = Edits(categories=CLASSES, merged={3: 1})
    assert_near(found["splits"]["test"], wanted(run, "test", renamed, {0: 0, 1: 2, 2: 3}) | _boundaries(found))


def _boundaries(found: dict) -> dict:
    """Of two categories that are one class boundaries stay those of the regions as they are."""
    return {"mBIoU": found["splits"]["test"]["mBIoU"]}


def write_clusters_of(root: Path) -> Path:
    path = root / "clusters.h5"
    numbers = np.arange(3)
    change = Change(True, np.eye(2, dtype=np.float32), np.zeros(2, np.float32), False)
    centroids = np.zeros((3, 2), np.float32)
    write_clusters(path, Clusters(centroids, numbers, numbers.astype(np.int32), np.ones(3, np.float32), change), {})
    return path


def test_edits_of_another_clustering_score_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run = make_run(tmp_path, {"test": 5})
    (tmp_path / "edits.yaml").write_text("clustering: abc\nmerged: {1: 2}\n")
    clusters = write_clusters_of(tmp_path)
    assert run.evaluate(edits=tmp_path / "edits.yaml", clusters=clusters)["corrected"] is None
    assert "belongs to another clustering" in caplog.text


def test_without_truth_there_is_nothing_to_score(tmp_path: Path) -> None:
    run = make_run(tmp_path, {}, {"train": 5})
    assert scored(run, "merged: {1: 2}")["corrected"] is None


def test_more_categories_than_classes_leave_some_without() -> None:
    truth, mask = np.array([[1, 1, 2, 2]]), np.array([[1, 3, 2, 4]])
    joints = [joint_histogram(mask, truth), joint_histogram(np.array([[0, 3, 4, 0]]), truth)]
    assert match_rest(joints, {}, [1, 2, 3, 4], 4, 2) == {0: 0, 3: 1, 4: 2}
    assert match_rest(joints, {1: 1}, [1, 2, 3, 4], 4, 2) == {0: 0, 1: 1, 3: 2}


def test_names_of_what_is_not_shown_match_nothing() -> None:
    edits = Edits(categories=3, names={1: "cow", 2: "cow", 3: "Dog"}, merged={1: 3}, background=(2,))
    assert by_name(edits, ["other", "cow", "dog", "dog"]) == {3: 2}


def test_the_mark_changes_with_what_is_corrected_alone(tmp_path: Path) -> None:
    file = tmp_path / "edits.yaml"
    assert mark(file) == ""
    file.write_text("# nothing\nrevision: 4\n")
    assert mark(file) == ""
    file.write_text("merged: {1: 2}\nrevision: 4\n")
    before = mark(file)
    file.write_text("revision: 9\nmerged: {1: 2} # as before\n")
    assert before == mark(file) != ""
    file.write_text("merged: {2: 1}\n")
    assert mark(file) != before
    assert read_edits(file).merged == {2: 1}


def test_the_page_has_both_and_the_classes_of_what_was_found(tmp_path: Path) -> None:
    fake = FakeRun(tmp_path, tmp_path / "swav" / "seed0", 3, True)
    write_data(fake)
    write_run(fake)
    out, folder = tmp_path / "index.html", fake.run / "evaluate"
    scores = json.loads((folder / "scores.json").read_text())
    better = {split: entry["automatic"] | {"mIoU": 87.7} for split, entry in scores["splits"].items()}
    write_json(folder / "scores.json", scores | {"corrected": {"match": {}, "named": [], "splits": better}})
    with (folder / "per_class.csv").open("a") as table:
        table.write("test,corrected,1,name000,99.1234,99.1234,,1,1\n")
    (fake.run / "edits.yaml").write_text("names: {1: moss}\n")
    report(ReportConfig(), **fake.arguments(), edits=fake.run / "edits.yaml", prior=None, out=out, title="x")
    text = out.read_text(encoding="utf-8")
    alone = scores["splits"]["test"]["automatic"]["mIoU"]
    plain = re.sub("<[^>]*>", "", text)
    assert f"As found, by the method alone: mIoU {alone:.1f} %. As corrected by people since: mIoU 87.7 %" in plain
    assert text.count("number-corrected") == 2
    assert "99.1234" not in text
