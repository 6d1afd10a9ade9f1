"""Weights of every published layout in our ResNet give what torchvision's network with the same weights gives."""

import hashlib
import zipfile
from functools import cache
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from luss_core.config import BackboneConfig, DecoderConfig, EncoderConfig
from luss_core.models.encoder import Encoder
from luss_core.models.foreign import load_file
from luss_core.models.weights import save_weights
from tests.unit import published

PUBLISHED = {"width": 64, "stem": "imagenet", "strides": (1, 2, 2, 2)}


@cache
def theirs(arch: str = "resnet18") -> nn.Module:
    return published.resnet(arch)


def ours(arch: str = "resnet18", **settings) -> Encoder:
    return Encoder(EncoderConfig(backbone=BackboneConfig(arch=arch, **{**PUBLISHED, **settings}))).eval()


def assert_same(encoder: Encoder, network: nn.Module) -> None:
    images = torch.randn(2, 3, 64, 96)
    with torch.inference_mode():
        found = encoder(images).output.mean(dim=(2, 3))
    torch.testing.assert_close(found, published.features(network, images))


@pytest.mark.parametrize("kind", published.RESNETS)
def test_a_published_layout_is_named_and_gives_what_torchvision_gives(kind, tmp_path):
    name, make = published.RESNETS[kind]
    path = tmp_path / "weights.pth.tar"
    torch.save(make(theirs()), path)
    encoder = ours()
    loaded = load_file(encoder, path)
    assert loaded.layout.startswith(name)
    assert loaded.source == "weights.pth.tar"
    assert loaded.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert loaded.parts == ("backbone",)
    assert_same(encoder, theirs())


def test_the_larger_network_fits_too(tmp_path):
    torch.save(published.moco(theirs("resnet50")), tmp_path / "moco.pth.tar")
    encoder = ours("resnet50")
    assert load_file(encoder, tmp_path / "moco.pth.tar").licence == "MIT"
    assert_same(encoder, theirs("resnet50"))


def test_a_file_of_an_old_torch_and_one_of_safetensors_are_read_alike(tmp_path):
    torch.save(published.moco(theirs()), tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert not zipfile.is_zipfile(tmp_path / "old.pth")
    save_file(dict(theirs().state_dict()), tmp_path / "new.safetensors")
    for name in ("old.pth", "new.safetensors"):
        encoder = ours()
        load_file(encoder, tmp_path / name)
        assert_same(encoder, theirs())


def test_half_precision_is_widened_and_counters_may_be_missing(tmp_path):
    state = {k: v.half() for k, v in theirs().state_dict().items() if not k.endswith("num_batches_tracked")}
    torch.save(state, tmp_path / "half.pth")
    encoder = ours()
    load_file(encoder, tmp_path / "half.pth")
    weight = encoder.backbone.state_dict()["layer4.1.conv2.weight"]
    assert weight.dtype == torch.float32
    torch.testing.assert_close(weight, state["layer4.1.conv2.weight"].float())


def test_padding_before_the_first_convolution_is_the_padding_in_it(tmp_path):
    """As SwAV, PASS and VICRegL have it."""
    torch.save(published.swav(theirs()), tmp_path / "swav.pth.tar")
    encoder = ours()
    load_file(encoder, tmp_path / "swav.pth.tar")
    padded = published.resnet()
    padded.load_state_dict(theirs().state_dict())
    padded.conv1 = nn.Sequential(nn.ConstantPad2d(1, 0.0), padded.conv1)
    padded.conv1[1].padding = (2, 2)
    assert_same(encoder, padded)


def test_other_strides_take_the_same_weights(tmp_path):
    torch.save(theirs().state_dict(), tmp_path / "weights.pth")
    encoder = ours(strides=(1, 2, 2, 1), dilations=(1, 1, 1, 2))
    load_file(encoder, tmp_path / "weights.pth")
    with torch.inference_mode():
        assert encoder(torch.randn(1, 3, 64, 64)).output.shape[-2:] == (4, 4)


DECODER = DecoderConfig(channels=16, low_level_channels=8, aspp_stride=32, decoder_stride=16)
PLAIN, WHOLE = EncoderConfig(), EncoderConfig(decoder=DECODER, attention=True)


def own(path: Path, cfg: EncoderConfig, weights: dict | None = None) -> Encoder:
    """As ``pretrain`` writes it."""
    encoder = Encoder(cfg)
    save_weights(path, encoder, {"encoder": cfg.model_dump(mode="json"), "weights": weights})
    return encoder


@pytest.mark.parametrize(
    ("saved", "wanted", "parts"),
    [
        (WHOLE, WHOLE, ("backbone", "decoder", "attention")),
        (WHOLE, PLAIN, ("backbone",)),
        (PLAIN, WHOLE, ("backbone",)),
    ],
)
def test_an_encoder_of_this_project_gives_all_that_the_settings_have(saved, wanted, parts, tmp_path):
    source = own(tmp_path / "encoder.safetensors", saved)
    encoder = Encoder(wanted)
    loaded = load_file(encoder, tmp_path / "encoder.safetensors")
    assert (loaded.layout, loaded.parts, loaded.licence) == ("this project's", parts, "")
    for part in parts:
        for one, two in zip(getattr(source, part).parameters(), getattr(encoder, part).parameters(), strict=True):
            assert torch.equal(one, two)


def test_the_licence_of_foreign_weights_is_passed_on(tmp_path):
    own(tmp_path / "encoder.safetensors", PLAIN, {"layout": "SwAV", "licence": "CC BY-NC 4.0"})
    assert load_file(Encoder(PLAIN), tmp_path / "encoder.safetensors").licence == "CC BY-NC 4.0"


def test_a_segmenter_of_this_project_gives_its_encoder(tmp_path):
    class Whole(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder, self.head = Encoder(PLAIN), nn.Conv2d(8, 3, 1)

    whole = Whole()
    save_weights(tmp_path / "segmenter.safetensors", whole, {"segmenter": {}})
    encoder = Encoder(PLAIN)
    assert load_file(encoder, tmp_path / "segmenter.safetensors").parts == ("backbone",)
    assert torch.equal(encoder.backbone.conv1.weight, whole.encoder.backbone.conv1.weight)
