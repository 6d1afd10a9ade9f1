"""How many categories: the measures against other implementations, what they say of made-up features, and the stage."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import silhouette_score

from luss_core.config import SuggestConfig
from luss_core.data.features import write_features
from luss_core.errors import UserError
from luss_core.metrics.suggestion import (
    Tried,
    distances,
    numbers,
    prediction_strength,
    silhouette,
    suggest_number,
    together,
)
from luss_core.report.suggestion import heading, reasons
from luss_core.stages.suggest import main, place, suggest


def groups(count: int, each: int, spread: float, dim: int = 16) -> np.ndarray:
    """(count * each, dim) vectors around as many orthogonal directions."""
    rng = np.random.default_rng(0)
    vectors = np.repeat(np.eye(count, dim), each, axis=0) + spread * rng.normal(size=(count * each, dim))
    return vectors.astype(np.float32)


def features(path: Path, vectors: np.ndarray) -> Path:
    with write_features(path, len(vectors), vectors.shape[1], {}) as writer:
        writer.append(vectors, np.arange(len(vectors)))
    return path


def test_the_silhouette_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    vectors, label = rng.normal(size=(40, 5)), rng.integers(0, 4, 40)
    label[label == 2] = 3  # a number that no image has
    label[0] = 2  # and one that a single image has
    assert silhouette(distances(vectors), label) == pytest.approx(silhouette_score(vectors, label))
    assert silhouette(distances(vectors), np.zeros(40, int)) == 0


def test_prediction_strength_is_the_share_of_pairs_of_the_weakest_category():
    own, other = np.array([0, 0, 0, 0, 1, 1, 1]), np.array([5, 5, 5, 6, 6, 6, 6])
    assert prediction_strength(own, other) == 3 / 6  # of the first 3 of 6 pairs stay together, of the second all
    assert prediction_strength(own, own) == 1
    assert prediction_strength(np.array([0, 0, 1]), np.array([0, 0, 1])) == 0  # one image shows nothing


def test_numbers_that_are_tried():
    assert numbers(40, 10_000) == [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 18, 21, 24, 28, 32, 37]
    assert numbers(40, 20) == [2, 3, 4, 5]
    assert numbers(40, 7) == []
    assert numbers(3, 10_000) == [2, 3]


@pytest.mark.parametrize("count", [3, 6])
def test_separate_groups_are_counted(count):
    found = suggest_number(groups(count, 24, 0.12), numbers(9, 1000), 3, 0)
    assert (found.categories, found.low, found.high, found.sure) == (count, count, count, "clear")
    assert found.picks == {"strength": count, "both": count, "silhouette": count}
    best = found.tried[count - 2]
    assert (best.strength, best.error, best.stability) == (1, 0, 1)
    assert heading(found) == f"The features show {count} categories."


def test_one_cloud_has_no_number():
    found = suggest_number(groups(1, 120, 1.0), numbers(9, 1000), 3, 0)
    assert (found.picks["strength"], found.sure) == (None, "open")
    assert "no number of categories clearly" in heading(found)
    assert "No number has categories that are all found again" in reasons(found)[0]


def test_measures_that_disagree_give_a_range():
    tried = [
        Tried(4, 0.98, 0.0, 0.98, 0.20),
        Tried(5, 0.97, 0.0, 0.98, 0.22),
        Tried(7, 0.84, 0.02, 0.92, 0.22),
        Tried(8, 0.69, 0.05, 0.90, 0.23),
    ]
    found = together(tried)
    assert found[:5] == (7, 5, 8, {"strength": 7, "both": 5, "silhouette": 8}, "likely")
    middle = "7 is in the middle of what three measures pick."
    assert heading(found) == f"The features show between 5 and 8 categories; {middle}"
    assert together(tried[:2]).sure == "clear"


def test_the_page_and_the_file_say_the_same(tmp_path, caplog):
    path = features(tmp_path / "run" / "extract" / "features.h5", 3.0 * groups(4, 16, 0.1))
    cfg = SuggestConfig(largest=6, halves=3, components=8)
    out, table = tmp_path / "out" / "index.html", tmp_path / "out" / "suggest.json"
    with caplog.at_level("INFO"):
        suggest(cfg, features=[("swav, seed 0", path)], out=out, table=table)
    (run,) = json.loads(table.read_text())["runs"]
    assert (run["categories"], run["sure"], run["images"], run["looked"]) == (4, "clear", 64, 64)
    assert [one["categories"] for one in run["tried"]] == [2, 3, 4, 5, 6]
    page = out.read_text()
    assert "The features show 4 categories." in page
    assert "--config classes=4" in page
    assert "Nothing was set. To take it: --config classes=4" in caplog.text
    again = tmp_path / "again.html"
    suggest(cfg, features=[("swav, seed 0", path)], out=again, table=table)
    assert again.read_bytes() == out.read_bytes()


def test_the_command_takes_a_run_or_its_features(tmp_path):
    path = features(tmp_path / "frozen" / "seed0" / "extract" / "features.h5", groups(3, 12, 0.1))
    main([str(tmp_path / "frozen" / "seed0"), "--largest", "4"])
    found = json.loads((tmp_path / "frozen" / "seed0" / "suggest" / "suggest.json").read_text())
    assert (found["runs"][0]["run"], found["runs"][0]["categories"]) == ("frozen/seed0", 3)
    assert place(path) == (path.parent, path)
    with pytest.raises(UserError, match=r"is a folder without extract/features\.h5; give the folder of a run after"):
        place(tmp_path)
    with pytest.raises(UserError, match="none does not exist; give the folder of a run"):
        place(tmp_path / "none")


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (groups(3, 2, 0.1), "has 6 training images, 6 of which look different to the encoder: too few"),
        (np.ones((50, 4), np.float32), "has 50 training images, 1 of which look different to the encoder: too few"),
    ],
)
def test_too_few_images_are_refused(vectors, message, tmp_path):
    path = features(tmp_path / "features.h5", vectors)
    with pytest.raises(UserError, match=message):
        suggest(SuggestConfig(), features=[("a", path)], out=tmp_path / "a.html", table=tmp_path / "a.json")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["features.h5"]
