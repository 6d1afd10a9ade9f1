"""Training that begins from weights: files, what timm and torchvision publish, frozen stages, learning rates."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
import torchvision
from safetensors import safe_open
from safetensors.torch import save_file

from luss_core.config import METHODS, PretrainConfig
from luss_core.digests import content
from luss_core.errors import UserError
from luss_core.methods import build_method
from luss_core.models.encoder import load_encoder
from luss_core.models.initial import digest
from luss_core.models.tensor_file import foreign, read_about
from luss_core.stages.pretrain import initial_encoder, lr_scale, pretrain
from luss_core.train.loop import Resources
from luss_core.train.optim import make_optimizer
from tests.method.test_methods import TINY
from tests.unit.prior_data import make, prepared

PUBLISHED = {"arch": "resnet18", "width": 64, "stem": "imagenet", "strides": [1, 2, 2, 1], "dilations": [1, 1, 1, 2]}
NETWORKS: dict[str, dict[str, Any]] = {
    "resnet": PUBLISHED,
    "vit": {"family": "timm", "name": "test_vit"},
    "cnn": {"family": "timm", "name": "test_efficientnet"},
}


def settings(network: str, method: str = "swav", **changes: Any) -> PretrainConfig:
    size = 64 if method == "cacl" else 48  # a multiple of every stride
    values = {
        "backbone": NETWORKS[network],
        "decoder": None,
        "attention": method in ("foreground", "maskcontrast"),
        "method": TINY[method].model_dump() | ({"attention_target": "none"} if method == "shape" else {}),
        "views": {"crops": [{"count": METHODS[method].config.views, "size": size, "scale": [0.5, 1]}]},
        "train": {"epochs": 0, "batch_size": 2, "warmup_epochs": 0, "precision": "float32"},
    }
    if method == "foreground":
        values["method"] = {"name": method, "cues": ["norm"]}
    if method == "cacl":  # photographs have no later frame
        values["method"]["stride"] = 0
    if method == "deepcluster":
        values["method"] = {"name": method, "clusters": 2, "components": 2, "every_epochs": 1}
    if method == "odc":
        values["method"] |= {"clusters": 2, "smallest": 1}
    if method == "pcl":
        values["method"] |= {"clusters": [2]}
    return PretrainConfig.model_validate(values | changes)


def published(network: str, seed: int = 5) -> torch.nn.Module:
    """A network of torchvision or timm with random weights and statistics."""
    torch.manual_seed(seed)
    cfg = NETWORKS[network]
    net = timm.create_model(cfg["name"]) if "name" in cfg else torchvision.models.get_model(cfg["arch"])
    for name, value in net.state_dict().items():
        if name.endswith("running_mean"):
            value.normal_()
    return net.eval()


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    root = prepared(tmp_path_factory.mktemp("data"))
    make(root, root / "prior")
    return root


@pytest.fixture(scope="module", params=NETWORKS)
def network(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def file(network, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("weights") / f"{network}.safetensors"
    save_file(published(network).state_dict(), path)
    return path


def run(cfg: PretrainConfig, data: Path, out: Path) -> Path:
    files = {"images": data / "prepare/images.csv", "store": data / "prepare/images.h5"}
    files["prior"] = data / "prior/prior.h5" if "saliency" in cfg.method.needs else None
    made = {"state": out / "state", "out": out / "encoder.safetensors", "log": out / "log.jsonl"}
    pretrain(cfg, **files, **made, seed=0, resources=Resources(torch.device("cpu")))
    return made["out"]


def test_no_epochs_keep_the_weights_of_the_file(network, file, data, tmp_path):
    encoder = run(settings(network, weights=str(file)), data, tmp_path)
    backbone, theirs = load_encoder(encoder).backbone, published(network)
    ours = (backbone if network == "resnet" else backbone.model).state_dict()
    moved = [n for n, value in theirs.state_dict().items() if n not in ours or not torch.equal(value, ours[n])]
    assert {n.partition(".")[0] for n in moved} <= {"fc", "head", "classifier"}
    if network == "cnn":
        images = torch.randn(2, 3, 64, 64)
        with torch.inference_mode():
            expected = theirs.forward_features(images * backbone.scale + backbone.shift)
            torch.testing.assert_close(backbone(images)[-1], expected)
    about = foreign(read_about(encoder, "pretrain"))
    assert about is not None
    assert about["source"] == file.name
    assert about["digest"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert about["parts"] == ["backbone"]
    with safe_open(encoder, "pt") as written:
        made = json.loads(written.metadata()["luss"])["provenance"]["settings"]
    assert made["weights"] == about


@pytest.mark.parametrize("method", METHODS)
def test_every_method_goes_on_from_weights(method, network, file, data, tmp_path, monkeypatch):
    monkeypatch.setattr("luss_core.stages.pretrain.folder_labels", lambda _, rows: np.arange(len(rows)) % 2)
    cfg = settings(network, method, weights=str(file), frozen_stages=2)
    cfg = cfg.model_copy(update={"train": cfg.train.model_copy(update={"epochs": 1})})
    begun, _ = initial_encoder(cfg)
    after = load_encoder(run(cfg, data, tmp_path)).state_dict()
    assert all(value.isfinite().all() for value in after.values())
    moved = [n for n, value in begun.state_dict().items() if not torch.equal(value, after[n])]
    frozen = {n for n, p in begun.backbone.named_parameters() if not p.requires_grad}
    assert moved
    assert frozen
    assert not frozen & {n.removeprefix("backbone.") for n in moved}
    assert (tmp_path / "log.jsonl").read_text().count("\n") == 2


def test_another_file_is_another_training(network, file, data, tmp_path):
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(file.read_bytes())
    cfg = settings(network, weights=str(copy))
    first = content(run(cfg, data, tmp_path))
    assert content(run(cfg, data, tmp_path)) == first
    save_file(published(network, seed=6).state_dict(), copy)
    assert content(run(cfg, data, tmp_path)) != first


def test_a_backbone_with_weights_learns_more_slowly(network, file):
    cfg = settings(network, weights=str(file), backbone_lr=0.3, frozen_stages=1)
    assert lr_scale(settings(network)) == {}
    method = build_method(cfg.method, initial_encoder(cfg)[0], 40)
    groups = make_optimizer(method, cfg.train, lr_scale(cfg)).param_groups
    backbone = {id(p) for p in method.encoder.backbone.parameters() if p.requires_grad}
    scale = {id(p): group["scale"] for group in groups for p in group["params"]}
    assert {scale[p] for p in backbone} == {0.3}
    assert {scale[id(p)] for p in method.projector.parameters()} == {1.0}
    assert sum(p.requires_grad for p in method.encoder.backbone.parameters()) == len(backbone)


def test_a_frozen_resnet_stays_with_its_statistics():
    cfg = settings("resnet", weights="torchvision", frozen_stages=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "torchvision.models.WeightsEnum.get_state_dict", lambda *_, **__: published("resnet").state_dict()
        )
        backbone = initial_encoder(cfg)[0].backbone.train()
    asleep = {n.partition(".")[0] for n, p in backbone.named_parameters() if not p.requires_grad}
    assert asleep == {"conv1", "bn1", "layer1"}
    still = {n for n, m in backbone.named_modules() if isinstance(m, torch.nn.BatchNorm2d) and not m.training}
    assert {n.partition(".")[0] for n in still} == {"bn1", "layer1"}
    assert len(still) == 5


def test_what_torchvision_publishes(monkeypatch):
    theirs = published("resnet")
    monkeypatch.setattr("torchvision.models.WeightsEnum.get_state_dict", lambda *_, **__: theirs.state_dict())
    encoder, about = initial_encoder(settings("resnet", weights="torchvision"))
    assert about["source"] == "torchvision: ResNet18_Weights.IMAGENET1K_V1"
    assert about["digest"] == digest(encoder.backbone)
    assert all(torch.equal(v, theirs.state_dict()[n]) for n, v in encoder.backbone.state_dict().items())


@pytest.mark.parametrize("name", ["test_vit", "test_efficientnet.r160_in1k"])
def test_what_timm_publishes(monkeypatch, name):
    theirs = timm.create_model(name.partition(".")[0], num_classes=0)

    def load(model, **_):
        model.load_state_dict(theirs.state_dict())

    monkeypatch.setattr("timm.models._builder.load_pretrained", load)
    backbone = {"family": "timm", "name": name}
    encoder, about = initial_encoder(settings("vit", backbone=backbone, weights="timm"))
    assert about["source"] == f"timm: {name.partition('.')[0]}.r160_in1k"
    assert about["licence"] == "apache-2.0"
    assert all(torch.equal(v, theirs.state_dict()[n]) for n, v in encoder.backbone.model.state_dict().items())


@pytest.mark.parametrize(
    ("cfg", "place", "words"),
    [
        (
            settings("vit", weights="timm"),
            "timm.models._builder.load_pretrained",
            r"of test_vit .*huggingface\.co/timm/test_vit",
        ),
        (
            settings("resnet", weights="torchvision"),
            "torchvision.models.WeightsEnum.get_state_dict",
            r"of resnet18 .*pth",
        ),
    ],
)
def test_without_a_network_the_message_says_what_to_download(cfg, place, words, monkeypatch):
    def fail(*_, **__):
        raise OSError("Name or service not known")

    monkeypatch.setattr(place, fail)
    with pytest.raises(UserError, match=rf"pretrain\.weights: those {words}.* set pretrain\.weights to its path"):
        initial_encoder(cfg)


def test_weights_that_nobody_published():
    backbone = {"family": "timm", "name": "vit_tiny_r_s16_p8_224"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("luss_core.models.timm_backbone.published", _unpublished)
        with pytest.raises(UserError, match="timm publishes none for vit_tiny_r_s16_p8_224; set weights: null"):
            initial_encoder(settings("vit", backbone=backbone, weights="timm"))


def _unpublished(name: str) -> Any:
    cfg = timm.get_pretrained_cfg(name)
    cfg.url, cfg.hf_hub_id = "", None
    return cfg


TRAINED = {"train": {"epochs": 1, "batch_size": 2}}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"decoder": {"aspp_stride": 8, "decoder_stride": 16}}, r"aspp_stride 8 is finer .* every 16 pixels"),
        ({"decoder": {"aspp_stride": 16, "decoder_stride": 8}}, r"decoder_stride 8 is finer .* every 16 pixels"),
        ({"views": {"crops": [{"count": 2, "size": 16, "scale": [0.5, 1]}]}}, "a view of 16 has no 2x2 .* at least 17"),
    ],
)
def test_views_that_do_not_suit_the_network_stop_before_training(changes, words, data, tmp_path):
    with pytest.raises(UserError, match=rf"^pretrain: .*{words}"):
        run(settings("vit", **(TRAINED | changes)), data, tmp_path)
    assert not (tmp_path / "state").exists()


def test_views_do_not_matter_where_nothing_is_trained(data, tmp_path):
    assert run(settings("vit", views={"crops": [{"count": 2, "size": 16, "scale": [0.5, 1]}]}), data, tmp_path).exists()


def test_files_in_half_precision_have_a_digest(tmp_path):
    save_file({"w": torch.ones(3, dtype=torch.bfloat16)}, tmp_path / "a.safetensors")
    save_file({"w": torch.zeros(3, dtype=torch.bfloat16)}, tmp_path / "b.safetensors")
    assert content(tmp_path / "a.safetensors") != content(tmp_path / "b.safetensors")
