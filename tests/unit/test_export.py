"""The exported file segments as infer did, without any other file of the run and without torch where it is made."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from exported_run import CLASSES, make_run, score
from PIL import Image

from luss_core.config import ExportConfig
from luss_core.data.images import read_images, write_images
from luss_core.data.masks import read_mask
from luss_core.errors import UserError
from luss_core.io import read_json
from luss_core.methods.exported import Exported, load_exported
from luss_core.models.tensor_file import read_tensors
from luss_core.stages.export import export


@pytest.fixture(scope="module", params=[(True, "pixel"), (False, "pixel"), (True, "object")], ids=str)
def run(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> dict[str, Path]:
    """A segmenter with random weights, what infer and evaluate made with it, and what was exported."""
    attend, vote = request.param
    return make_run(tmp_path_factory.mktemp("export"), attention=attend, vote=vote)


def segmented(run: dict[str, Path], model: Exported) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of every image, most of which are larger than they were stored: the mask of infer, and that of the file."""
    listing, found = read_images(run["images"]), []
    for row in (row for split in ("validation", "test") for row in listing.rows(split)):
        with Image.open(listing.root / listing.path[row]) as image:
            pixels = np.asarray(image)
        found.append((read_mask(run["masks"] / listing.split[row] / f"{listing.id[row]}.png"), model.segment(pixels)))
    return found


def test_masks_are_those_of_infer_in_the_names_of_classes(run: dict[str, Path]) -> None:
    model = load_exported(run["model"])
    scores = read_json(run["scores"])
    pairs = segmented(run, model)
    assert len(pairs) == 5
    assert sum(min(theirs.shape) > model.short_side for theirs, _ in pairs) == 3
    assert sum(len(np.unique(ours)) > 1 for _, ours in pairs) > 0 or model.vote == "object"  # all are one piece
    names = np.array([scores["match"][str(k)] for k in range(CLASSES + 1)])
    for theirs, ours in pairs:
        assert ours.dtype == np.int32
        assert np.array_equal(names[theirs], ours)
    assert model.names == ["other", "class 1", "class 2", "class 3"]
    assert model.threshold == scores["threshold"]["automatic"]
    assert model.vote == read_json(run["threshold"])["vote"]


def test_without_truth_categories_stay_numbers(run: dict[str, Path], tmp_path: Path) -> None:
    listing = read_images(run["images"])
    summary = read_json(run["images"].with_name("summary.json")) | {"root": str(listing.root)}
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    write_images(tmp_path / "images.csv", replace(listing, mask=[""] * len(listing)))
    files = run | {"scores": tmp_path / "scores.json", "model": tmp_path / "model.safetensors"}
    score(files, tmp_path / "images.csv")
    model = load_exported(files["model"])
    assert (model.match, model.names) == (None, None)
    assert all(np.array_equal(*pair) for pair in segmented(run, model))


def test_the_file_says_what_it_is(run: dict[str, Path]) -> None:
    weights, about = read_tensors(run["model"], "pt", "export")
    theirs, _ = read_tensors(run["segmenter"], "pt", "finetune")
    assert all(torch.equal(weights[name], theirs[name]) for name in theirs)
    assert weights.keys() == theirs.keys()
    assert "load_exported" in about["what"]
    assert (about["size"], about["classes"], about["mean"]) == (40, CLASSES, [0.485, 0.456, 0.406])
    assert about["provenance"]["settings"].keys() == {
        *("prepare", "finetune", "seed", "infer", "evaluate", "classes", "export")
    }


def test_equal_inputs_make_equal_bytes(run: dict[str, Path], tmp_path: Path) -> None:
    given: dict[str, Any] = {name: run[name] for name in ("images", "segmenter", "threshold", "scores")}
    export(ExportConfig(), **given, out=tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == run["model"].read_bytes()


def test_what_is_no_image_is_refused(run: dict[str, Path]) -> None:
    model = load_exported(run["model"])
    for wrong in (np.zeros((8, 8), np.uint8), np.zeros((8, 8, 4), np.uint8), np.zeros((8, 8, 3))):
        with pytest.raises(UserError, match=r"cannot be segmented; give height x width x 3 values of uint8"):
            model.segment(wrong)


def test_other_and_damaged_files_are_named(run: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"segmenter\.safetensors holds no network that segments on its own"):
        load_exported(run["segmenter"])
    given: dict[str, Any] = {name: run[name] for name in ("images", "threshold", "scores")}
    (tmp_path / "cut.safetensors").write_bytes(run["segmenter"].read_bytes()[:-100])
    for name, message in (
        ("none", "does not exist; run the stage finetune"),
        ("cut", "is not a whole weight file of finetune"),
    ):
        with pytest.raises(UserError, match=message):
            export(ExportConfig(), **given, segmenter=tmp_path / f"{name}.safetensors", out=tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_imports_no_torch() -> None:
    code = "import sys; from workflow_scripts import export; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
