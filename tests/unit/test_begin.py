"""A training that begins from the encoder of another preset, and the rates that it learns at."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from prior_data import prepared

from luss_core.config import PretrainConfig
from luss_core.digests import content
from luss_core.errors import UserError
from luss_core.models.encoder import load_encoder
from luss_core.models.tensor_file import foreign, read_about
from luss_core.stages.pretrain import lr_scale, pretrain
from luss_core.train.loop import Resources

WEIGHTS = {"layout": "timm", "source": "x", "digest": "0" * 64, "licence": "", "parts": ["backbone"]}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return prepared(tmp_path_factory.mktemp("data"))


def run(data: Path, out: Path, begin: Path | None = None, seed: int = 0, **changes: Any) -> Path:
    values = {
        "backbone": {"width": 8},
        "decoder": None,
        "attention": False,
        "method": {"name": "moco", "dim": 8, "queue": 20},
        "views": {"crops": [{"count": 2, "size": 24, "scale": [0.5, 1]}]},
        "train": {"epochs": 0, "batch_size": 2, "warmup_epochs": 0},
    }
    files = {"images": data / "prepare/images.csv", "store": data / "prepare/images.h5", "prior": None, "begin": begin}
    made = {"state": out / "state", "out": out / "encoder.safetensors", "log": out / "log.jsonl"}
    cfg = PretrainConfig.model_validate(values | changes)
    pretrain(cfg, **files, **made, seed=seed, resources=Resources(torch.device("cpu")))
    return made["out"]


def state(path: Path) -> dict[str, torch.Tensor]:
    return load_encoder(path).state_dict()


def test_it_has_the_weights_of_the_other_and_none_of_others(data, tmp_path):
    first = run(data, tmp_path / "first", seed=3)
    same = run(data, tmp_path / "same", first, weights_of="first")
    assert all(torch.equal(value, state(first)[name]) for name, value in state(same).items())
    assert not all(torch.equal(value, state(first)[name]) for name, value in state(run(data, tmp_path / "own")).items())
    about = read_about(same, "pretrain")
    assert foreign(about) is None  # it learned from these images alone
    assert about["provenance"]["settings"]["begin"]
    further = run(data, tmp_path / "more", first, weights_of="first", train={"epochs": 1, "batch_size": 2})
    assert not all(torch.equal(value, state(first)[name]) for name, value in state(further).items())


def test_another_first_encoder_is_another_training(data, tmp_path):
    firsts = [run(data, tmp_path / f"first{seed}", seed=seed) for seed in (3, 4)]
    train = {"epochs": 1, "batch_size": 2}
    made = [content(run(data, tmp_path / "run", first, weights_of="first", train=train)) for first in firsts]
    assert made[0] != made[1]  # in the same folder of states


def test_weights_of_others_stay_told(data, tmp_path, monkeypatch):
    first = run(data, tmp_path / "first")
    monkeypatch.setattr("luss_core.stages.pretrain.read_about", lambda *_: {"weights": WEIGHTS})
    assert foreign(read_about(run(data, tmp_path / "run", first, weights_of="first"), "pretrain")) == WEIGHTS


def test_its_backbone_learns_at_backbone_lr():
    values = {"weights_of": "first", "backbone_lr": 0.5, "decoder": None, "attention": False}
    cfg = PretrainConfig.model_validate(values | {"method": {"name": "moco"}})
    assert lr_scale(cfg) == {"encoder.backbone.": 0.5}


@pytest.mark.parametrize(("factor", "rate"), [({}, 0.03), ({"lr_factor": 1}, 0.01), ({"lr_factor": 0.5}, 0.005)])
def test_a_method_learns_at_its_multiple_of_the_learning_rate(data, tmp_path, factor, rate):
    method = {"name": "moco", "dim": 8, "queue": 20, **factor}
    train = {"epochs": 1, "batch_size": 2, "warmup_epochs": 0, "lr": 0.01}
    run(data, tmp_path, method=method, train=train)
    first = (tmp_path / "log.jsonl").read_text(encoding="utf-8").splitlines()[0]
    assert json.loads(first)["lr"] == pytest.approx(rate)


@pytest.mark.parametrize("factor", [0, -1, "fast"])
def test_a_multiple_is_above_zero(factor):
    with pytest.raises(ValueError, match="lr_factor"):
        PretrainConfig.model_validate({"method": {"name": "byol", "lr_factor": factor}})


@pytest.mark.parametrize(("given", "named"), [(True, None), (False, "first")])
def test_the_setting_and_the_file_go_together(data, tmp_path, given, named):
    first = run(data, tmp_path / "first") if given else None
    with pytest.raises(UserError, match="give encoder.safetensors of that preset as --begin, or neither"):
        run(data, tmp_path / "run", first, weights_of=named)
