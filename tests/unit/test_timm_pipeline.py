"""From images to the exported file with networks of timm: every stage, at sizes that do not suit the network."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from luss_core.config import (
    ClusterConfig,
    EvaluateConfig,
    ExamineConfig,
    ExportConfig,
    ExtractConfig,
    FinetuneConfig,
    InferConfig,
)
from luss_core.data.features import Features
from luss_core.data.images import read_images
from luss_core.data.masks import read_mask
from luss_core.io import read_json
from luss_core.methods.exported import load_exported
from luss_core.models.tensor_file import foreign, read_about
from luss_core.stages.cluster import cluster
from luss_core.stages.evaluate import evaluate
from luss_core.stages.examine import examine
from luss_core.stages.export import export
from luss_core.stages.extract import extract
from luss_core.stages.finetune import finetune
from luss_core.stages.infer import infer
from luss_core.train.loop import Resources
from tests.unit.prior_data import prepared
from tests.unit.test_initial import published, settings
from tests.unit.test_initial import run as pretrained

CPU, CLASSES = torch.device("cpu"), 2
DECODER = {"channels": 8, "low_level_channels": 8, "low_level_stage": 3, "aspp_stride": 32, "decoder_stride": 16}
WHOLE = {"attention": True, "decoder": DECODER, "train": {"epochs": 1, "batch_size": 2, "warmup_epochs": 0}}


@pytest.fixture(scope="module", params=["vit", "cnn", "vit whole", "cnn whole"])
def run(request, tmp_path_factory) -> Path:
    """The folder of a run: from weights that are not trained on, or with decoder and attention from random ones."""
    network, _, whole = request.param.partition(" ")
    root = prepared(tmp_path_factory.mktemp(network))
    save_file(published(network).state_dict(), root / "weights.safetensors")
    changes = WHOLE if whole else {"weights": str(root / "weights.safetensors")}
    pretrained(settings(network, **changes), root, root)
    stages(root, bool(whole))
    return root


def stages(root: Path, whole: bool) -> None:
    data = {"images": root / "prepare/images.csv", "store": root / "prepare/images.h5"}
    encoder, scored = root / "encoder.safetensors", {"masks": root / "masks", "scored": root / "scored.h5"}
    cut = {"threshold": root / "threshold.json"}
    examine(
        ExamineConfig(size=50, draws=1), **data, encoder=encoder, prior=None, classes=CLASSES,
        out=root / "examine.json", attention=root / "attention", similarity=root / "similarity", device=CPU,
    )  # fmt: skip
    extract(ExtractConfig(size=50, crop=41), **data, encoder=encoder, out=root / "features.h5", device=CPU)
    cluster(
        ClusterConfig(restarts=1), features=root / "features.h5", images=data["images"], classes=CLASSES, seed=0,
        out=root / "clusters.h5", balance=root / "balance.json", threads=1,
    )  # fmt: skip
    tuned = {
        "segmenter": {"attend": whole, "encoder": "frozen" if whole else "trained"},
        "views": {"crops": [{"count": 1, "size": 40, "scale": [0.5, 1]}]},
        "train": {"epochs": 1, "batch_size": 2},
    }
    finetune(
        FinetuneConfig.model_validate(tuned), store=data["store"], encoder=encoder, clusters=root / "clusters.h5",
        classes=CLASSES, seed=0, state=root / "state/finetune", out=root / "segmenter.safetensors",
        log=root / "finetune.jsonl", resources=Resources(CPU),
    )  # fmt: skip
    segmenter = root / "segmenter.safetensors"
    infer(InferConfig(size=45), **data, segmenter=segmenter, **scored, **cut, device=CPU, threads=1)
    evaluate(
        EvaluateConfig(), images=data["images"], **scored, **cut, balance=None, classes=CLASSES, names=None,
        out=root / "scores.json", match=root / "match.json", table=root / "table.csv", threads=1,
    )  # fmt: skip
    export(
        ExportConfig(), images=data["images"], segmenter=segmenter, **cut, scores=root / "scores.json",
        out=root / "model.safetensors",
    )  # fmt: skip


def test_features_are_of_every_image(run):
    features = Features(run / "features.h5")
    vectors = features.take(np.arange(features.count))
    assert features.count == 4
    assert np.isfinite(vectors).all()
    assert vectors.std(axis=0).max() > 0


def test_every_file_says_which_weights_it_began_from(run):
    weights = foreign(read_about(run / "encoder.safetensors", "pretrain"))
    for path, stage in (("segmenter", "finetune"), ("model", "export")):
        assert foreign(read_about(run / f"{path}.safetensors", stage)) == weights
    assert read_json(run / "scores.json")["weights"] == read_json(run / "threshold.json")["weights"] == weights
    named = read_about(run / "encoder.safetensors", "pretrain")["provenance"]["settings"]["pretrain"]["weights"]
    assert (weights is None) == (named is None)
    assert weights is None or weights["source"] == Path(named).name == "weights.safetensors"


def test_the_exported_file_segments_as_infer_did(run):
    model, listing = load_exported(run / "model.safetensors"), read_images(run / "prepare/images.csv")
    match = read_json(run / "scores.json")["match"]
    names = np.array([match[str(k)] for k in range(CLASSES + 1)])
    for row in [int(r) for split in ("validation", "test") for r in listing.rows(split)]:
        with Image.open(listing.root / listing.path[row]) as image:
            found = model.segment(np.asarray(image))
        mask = read_mask(run / "masks" / listing.split[row] / f"{listing.id[row]}.png")
        assert np.array_equal(names[mask], found)
