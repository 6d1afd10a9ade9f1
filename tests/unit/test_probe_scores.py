"""Scores of a probe by hand, and the file that holds them."""

import json

import numpy as np
import pytest

from luss_core.errors import UserError
from luss_core.metrics.probe import class_rows, probe_scores, scores_of_confusion

CONFUSION = np.array([[6, 2, 0, 1], [1, 3, 0, 0], [0, 0, 0, 0], [2, 0, 1, 4]])
"""Truth by prediction; class 2 does not occur but is predicted once."""
NAMES = ("road", "car", "train", "sky")


def test_means_are_over_the_classes_that_occur():
    found = scores_of_confusion(CONFUSION, NAMES)
    overlap, recall = [100 * 6 / 12, 100 * 3 / 6, 100 * 4 / 8], [100 * 6 / 9, 100 * 3 / 4, 100 * 4 / 7]
    assert found["mIoU"] == pytest.approx(sum(overlap) / 3, abs=1e-12)
    assert found["mAcc"] == pytest.approx(sum(recall) / 3, abs=1e-12)
    assert found["accuracy"] == pytest.approx(100 * 13 / 20, abs=1e-12)
    assert found["absent"] == ["train"]
    assert found["IoU"] == [*overlap[:2], None, overlap[2]]
    assert found["Acc"] == [*recall[:2], None, recall[2]]


def test_the_truth_itself_has_100():
    found = scores_of_confusion(np.diag([3, 0, 5]), NAMES[:3])
    assert (found["mIoU"], found["mAcc"], found["accuracy"], found["absent"]) == (100, 100, 100, ["car"])


def test_rows_of_the_table():
    rows = list(class_rows(scores_of_confusion(CONFUSION, NAMES), CONFUSION, np.array([9, 8, 0, 7]), NAMES))
    assert rows[0] == (0, "road", "50.0000", "66.6667", 9, 9, 9)
    assert rows[2] == (2, "train", "", "", 0, 1, 0)


def test_other_files_are_refused(tmp_path):
    (tmp_path / "scores.json").write_text(json.dumps({"classes": 8, "splits": {}}))
    with pytest.raises(UserError, match="holds no scores of a probe; give probes/linear/scores.json of a run"):
        probe_scores(tmp_path / "scores.json")
    with pytest.raises(UserError, match="does not exist"):
        probe_scores(tmp_path / "none.json")
