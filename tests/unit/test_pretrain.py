"""The stage pretrain with a shape prior: what it needs, and what it refuses before it trains."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from luss_core.config import METHODS, PrepareConfig, PretrainConfig
from luss_core.data.images import read_images, write_images
from luss_core.errors import UserError
from luss_core.models.encoder import load_encoder
from luss_core.stages.prepare import prepare
from luss_core.stages.pretrain import pretrain
from luss_core.train.loop import Resources
from tests.unit.prior_data import make, prepared

SMALL = {
    "backbone": {"width": 8},
    "decoder": {"channels": 16, "low_level_channels": 8, "low_level_stage": 2, "aspp_stride": 8, "decoder_stride": 4},
    "train": {"epochs": 1, "batch_size": 2, "warmup_epochs": 0},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    root = prepared(tmp_path_factory.mktemp("data"))
    make(root, root / "prior")
    return root


def settings(crop: dict[str, Any] | None = None, look: int = 8, **method: Any) -> PretrainConfig:
    crop = {"count": 2, "size": 24, "scale": [0.5, 1]} if crop is None else crop
    small = {"prototypes": 4, "hidden": 8, "dim": 8, "grid": 3} if method.get("name") != "swav" else {}
    changed = {**SMALL, "views": {"crops": [crop]}, "method": small | method, "diagnose_every_epochs": look}
    return PretrainConfig.model_validate(changed)


def run(cfg: PretrainConfig, data: Path, out: Path, prior: Path | None, folders: bool | None = None) -> Path:
    pretrain(
        cfg,
        images=data / "prepare/images.csv",
        store=data / "prepare/images.h5",
        prior=prior,
        seed=0,
        state=out / "state",
        out=out / "encoder.safetensors",
        log=out / "log.jsonl",
        resources=Resources(torch.device("cpu")),
        folders=folders,
    )
    return out / "encoder.safetensors"


def test_the_whole_encoder_is_exported(data, tmp_path):
    encoder = load_encoder(run(settings(), data, tmp_path, data / "prior/prior.h5"))
    assert encoder.attention is not None
    assert encoder.decoder is not None
    with safe_open(tmp_path / "encoder.safetensors", "pt") as file:
        assert {name.partition(".")[0] for name in file.keys()} == {"backbone", "decoder", "attention"}  # noqa: SIM118
    assert '"attention"' in (tmp_path / "log.jsonl").read_text()


def test_no_maps_are_read_where_none_teach(data, tmp_path):
    assert run(settings(attention_target="none"), data, tmp_path, None).exists()


def test_maps_that_are_asked_for_must_be_given(data, tmp_path):
    with pytest.raises(UserError, match=r"shape needs the saliency maps of the stage prior: give --prior prior\.h5"):
        run(settings(), data, tmp_path, None)
    with pytest.raises(UserError, match=r"nowhere\.h5 does not exist.*stage prior"):
        run(settings(), data, tmp_path, tmp_path / "nowhere.h5")


def test_maps_of_other_images_are_refused(data, tmp_path):
    other = prepared(tmp_path / "other")
    prepare(
        PrepareConfig(short_side=30),
        root=other / "photographs",
        out=other / "prepare",
        state=other / "state",
        threads=1,
    )
    make(other, other / "prior")
    with pytest.raises(UserError, match=r"prior\.h5 was made of other images"):
        run(settings(), data, tmp_path, other / "prior/prior.h5")


def test_views_that_never_overlap_are_an_error_before_training(data, tmp_path):
    tiny = {"count": 2, "size": 24, "scale": [0.001, 0.002]}
    with pytest.raises(UserError, match=r"pretrain\.views\.crops: only \d+ % .* raise the scale \[0\.001, 0\.002\]"):
        run(settings(tiny), data, tmp_path, data / "prior/prior.h5")
    assert not (tmp_path / "log.jsonl").exists()
    assert run(settings(tiny, i2p_weight=0, p2p_weight=0), data, tmp_path, data / "prior/prior.h5").exists()


def test_every_method_is_a_section_with_its_name():
    for name in METHODS:
        parts = {"decoder": None if name == "cacl" else {}, "attention": name != "pixpro"}
        cfg = PretrainConfig.model_validate({"method": {"name": name}, **parts})
        assert cfg.method.name == name


def test_the_last_line_says_that_nothing_was_learned(data, tmp_path, caplog):
    caplog.set_level("INFO")
    run(settings(name="swav", epsilon=1.0, prototypes=4, hidden=8, dim=8), data, tmp_path, None)
    last = caplog.records[-1].getMessage()
    assert last.startswith(
        "pretrain: nothing was learned in pre-training, so categories, masks and scores say little: the"
    )
    assert "If the photographs are nearly the same, or very few, no setting helps" in last


@pytest.fixture(scope="module")
def in_folders(data, tmp_path_factory) -> Path:
    """The same images in two folders."""
    root = tmp_path_factory.mktemp("folders")
    shutil.copytree(data / "prepare", root / "prepare")
    listing = read_images(root / "prepare/images.csv")
    write_images(root / "prepare/images.csv", replace(listing, folder=["ab"[k % 2] for k in range(len(listing))]))
    return root


SWAV = {"name": "swav", "prototypes": 4, "hidden": 8, "dim": 8}


def test_how_often_it_is_looked_at_is_no_other_training(in_folders, tmp_path):
    one = run(settings(look=0, **SWAV), in_folders, tmp_path / "one", None)
    two = run(settings(look=1, **SWAV), in_folders, tmp_path / "two", None, folders=True)
    assert load_file(one).keys() == load_file(two).keys()
    assert all(torch.equal(value, load_file(two)[name]) for name, value in load_file(one).items())
    logs = [(file.parent / "log.jsonl").read_text() for file in (one, two)]
    assert "deviation" not in logs[0]
    assert {"deviation", "effective_rank", "cluster_use", "knn", "knn_guess"} <= json.loads(
        logs[1].splitlines()[-1]
    ).keys()
    run(settings(look=0, **SWAV), in_folders, tmp_path / "two", None)  # goes on from what there is
    assert (tmp_path / "two/log.jsonl").read_text() == logs[1]
    assert [path.name for path in (tmp_path / "two/state").glob("*.pt")] == ["last.pt"]


@pytest.mark.parametrize("asked", [None, False])
def test_categories_count_where_they_do_for_evaluate(in_folders, tmp_path, asked):
    run(settings(**SWAV), in_folders, tmp_path, None, folders=asked)
    assert ("knn" in (tmp_path / "log.jsonl").read_text()) == (asked is None)
