"""The stage finetune: what it trains anew for, and what it does not."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from luss_core.config import EncoderConfig, FinetuneConfig
from luss_core.data.features import Change, Clusters, write_clusters
from luss_core.data.images import read_images
from luss_core.digests import content
from luss_core.methods.cams import load_segmenter
from luss_core.models.encoder import Encoder
from luss_core.models.tensor_file import read_about
from luss_core.models.weights import save_weights
from luss_core.stages.finetune import finetune
from luss_core.train.loop import Resources
from tests.unit.prior_data import prepared

NETWORK = EncoderConfig.model_validate({"backbone": {"width": 8}})
SETTINGS = FinetuneConfig.model_validate(
    {
        "segmenter": {"attend": False},
        "views": {"crops": [{"count": 1, "size": 24, "scale": [0.5, 1]}]},
        "train": {"epochs": 1, "batch_size": 2},
    }
)


def write_encoder(path: Path, seed: int, commit: str = "a") -> Path:
    torch.manual_seed(seed)
    about = {"encoder": NETWORK.model_dump(mode="json"), "provenance": {"commit": commit}}
    save_weights(path, Encoder(NETWORK), about)
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    root = prepared(tmp_path_factory.mktemp("data"))
    rows = read_images(root / "prepare/images.csv").rows("train")
    label = np.arange(len(rows), dtype=np.int32) % 2
    change = Change(True, np.empty((0, 4), np.float32), np.empty(0, np.float32), False)
    found = Clusters(np.zeros((2, 4), np.float32), rows, label, np.zeros(len(rows), np.float32), change)
    write_clusters(root / "clusters.h5", found, {})
    return root


def train(data: Path, out: Path, encoder: Path, settings: FinetuneConfig = SETTINGS) -> str:
    """Digest of the weights of the segmenter."""
    finetune(
        settings,
        store=data / "prepare/images.h5",
        encoder=encoder,
        clusters=data / "clusters.h5",
        classes=2,
        seed=0,
        state=out / "state",
        out=out / "segmenter.safetensors",
        log=out / "log.jsonl",
        resources=Resources(torch.device("cpu")),
    )
    return content(out / "segmenter.safetensors")


def test_another_encoder_trains_anew_and_the_same_one_does_not(data, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO")
    first = train(data, tmp_path, write_encoder(tmp_path / "one.safetensors", 1))
    steps = len((tmp_path / "log.jsonl").read_text().splitlines())
    assert json.loads((tmp_path / "log.jsonl").read_text().splitlines()[0])["step"] == 0
    assert "going on" not in caplog.text

    again = write_encoder(tmp_path / "again.safetensors", 1, commit="b")
    assert again.read_bytes() != (tmp_path / "one.safetensors").read_bytes()
    assert train(data, tmp_path, again) == first
    assert f"going on from step {steps} of {steps}" in caplog.text

    caplog.clear()
    other = train(data, tmp_path, write_encoder(tmp_path / "other.safetensors", 2))
    assert other != first
    assert "going on" not in caplog.text
    assert "was made with other settings or images (encoder " in caplog.text

    with monkeypatch.context() as patched:
        patched.setattr("luss_core.train.loop.train_step", None)
        assert train(data, tmp_path, again) == first
        assert train(data, tmp_path, tmp_path / "other.safetensors") == other


def test_what_is_trained_is_loaded_by_its_method(data, tmp_path):
    """And says no more than before where the method is the one that always was."""
    encoder, images = write_encoder(tmp_path / "encoder.safetensors", 1), torch.rand(1, 3, 40, 48)
    methods = {"cam": {}, "seam": {"scale": 0.5}, "sc-cam": {"subcategories": 2, "rounds": 1}}
    for name, own in methods.items():
        changes = {
            "method": {"name": name, **own},
            "segmenter": {"attend": False, "encoder": "trained"},
            "train": {"epochs": 2, "batch_size": 2},
        }
        settings = FinetuneConfig.model_validate(SETTINGS.model_dump() | changes)
        train(data, tmp_path / name, encoder, settings)
        file = tmp_path / name / "segmenter.safetensors"
        network = load_segmenter(file)
        about = read_about(file, "finetune")
        assert ("method" in about) == ("method" in about["provenance"]["settings"]["finetune"]) == (name != "cam")
        assert type(network).__name__ == ("Seam" if name == "seam" else "Segmenter")
        assert network.method == settings.method
        found = network.segment(images).maps
        assert found.isfinite().all()
        assert (found.amin(dim=(2, 3)) < 0).sum() == 1 or name == "cam"  # one of the two categories is not shown
        log = [json.loads(line) for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
        assert {"cam": "accuracy", "seam": "ecr", "sc-cam": "subcategory_loss"}[name] in log[-1]
