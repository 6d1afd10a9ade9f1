"""classes: 1 finds one kind of object where something tells it from the rest, and is refused with advice elsewhere."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from segmented_run import Run

from luss_core import runs
from luss_core.config import EvaluateConfig
from luss_core.data.images import ImageList, write_images
from luss_core.data.masks import write_mask
from luss_core.errors import UserError
from luss_core.io import read_json, write_json
from luss_core.metrics.absent import absence
from luss_core.stages.evaluate import evaluate


@pytest.mark.parametrize("preset", ["shape", "foreground"])
def test_presets_with_attention_may_look_for_one(preset: str) -> None:
    assert runs.load({"classes": 1, "run": [preset]}).classes == 1


def test_without_attention_it_is_refused_with_advice() -> None:
    with pytest.raises(
        UserError, match=r"^config: classes = 1, but nothing in preset swav tells one kind .*: set run:"
    ):
        runs.load({"classes": 1, "run": ["shape", "swav"]})
    assert runs.load({"classes": 2, "run": ["swav"]}).classes == 2


@pytest.mark.parametrize("classes", [0, -3])
def test_none_is_refused(classes: int) -> None:
    with pytest.raises(
        UserError, match=rf"classes: found {classes}; allowed: how many kinds of objects to find, 1 or m"
    ):
        runs.load({"classes": classes})


def plain(root: Path, folders: list[str], largest: list[int], classes: int) -> dict[str, Any]:
    """scores.json of a plain folder whose masks were found as they are."""
    ids = [f"{folder}/{k}" for k, folder in enumerate(folders)]
    names = [f"{name}.png" for name in ids]
    size = np.full(len(ids), 12)
    listing = ImageList(root, ids, names, ["train"] * len(ids), size, size, folders, [f"masks/{n}" for n in names])
    write_images(root / "prepare" / "images.csv", listing)
    write_json(root / "prepare" / "summary.json", {"root": str(root)})
    for name, label in zip(names, largest, strict=True):
        mask = np.zeros((12, 12), np.int32)
        mask[3:9, 3:9] = label
        for place in (root / "masks" / name, root / "infer" / "masks" / "train" / name):
            write_mask(place, mask)
    write_json(root / "cluster" / "balance.json", {"nmi": 50.0, "accuracy": 60.0, "supervised": False, "warning": "w"})
    (root / "pretrain.jsonl").write_text('{"step": 0, "loss": 1, "code_entropy": 0.994}\n')
    arguments = Run(root, {}, {}).arguments() | {"scored": None, "threshold": None, "classes": classes}
    evaluate(EvaluateConfig(), **arguments, pretrain_log=root / "pretrain.jsonl")
    found: dict[str, Any] = read_json(root / "evaluate" / "scores.json")
    return found


def test_one_class_is_scored(tmp_path: Path) -> None:
    found = plain(tmp_path, ["a", "b"], [1, 1], 1)
    assert found["splits"]["train"]["automatic"]["mIoU"] == pytest.approx(100, abs=1e-6)
    assert (found["nmi"], found["no_folder_score"]) == (None, None)


def test_the_empty_class_of_truth_with_one_object_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = plain(tmp_path, ["a", "b"], [1, 1], 2)
    values = found["splits"]["train"]["automatic"]
    assert (values["mIoU"], values["mIoU_present"]) == (pytest.approx(200 / 3), pytest.approx(100))
    assert "1 of 2 classes does not occur in the truth and counts 0 in the mean: b." in str(
        absence(values, found["names"])
    )
    assert "train: 1 of 2 classes does not occur" in caplog.text
    assert str(found["no_folder_score"]).startswith("the 2 folders need not be categories: the ground truth does not")
    assert (found["nmi"], found["accuracy"]) == (None, None)


def test_truth_that_agrees_with_folders_makes_them_categories(tmp_path: Path) -> None:
    found = plain(tmp_path, ["a", "b"], [1, 2], 2)
    assert (found["nmi"], found["accuracy"], found["no_folder_score"]) == (50, 60, None)


def test_what_earlier_stages_warn_of_is_handed_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    learned, empty = plain(tmp_path, ["a", "b"], [1, 2], 2)["warnings"]
    assert learned.startswith(
        "nothing was learned in pre-training, so categories, masks and scores say little: the code"
    )
    assert empty == "w"
    assert learned in caplog.text
