"""The backbone against torchvision, and weight files that are damaged."""

import pytest
import torch
import torchvision

from luss_core.config import SMALL_DECODER, BackboneConfig, EncoderConfig
from luss_core.errors import UserError
from luss_core.models.backbone import ResNet
from luss_core.models.encoder import Encoder, load_encoder
from luss_core.models.tensor_file import read_tensors
from luss_core.models.weights import save_weights

PUBLISHED = {"width": 64, "stem": "imagenet", "strides": (1, 2, 2, 2)}


@pytest.mark.parametrize("arch", ["resnet18", "resnet50"])
def test_published_shape_takes_torchvision_weights_and_gives_the_same_maps(arch):
    ours = ResNet(BackboneConfig(arch=arch, **PUBLISHED)).eval()
    theirs = torchvision.models.get_model(arch).eval()
    ours.load_state_dict({k: v for k, v in theirs.state_dict().items() if not k.startswith("fc.")})
    theirs.fc = torch.nn.Identity()
    x = torch.randn(2, 3, 64, 96)
    with torch.inference_mode():
        maps = ours(x)
        torch.testing.assert_close(maps[-1].mean(dim=(2, 3)), theirs(x))
    assert tuple(m.shape[1] for m in maps) == ours.widths


@pytest.mark.parametrize(("strides", "overall"), [((1, 2, 2, 1), 8), ((1, 2, 2, 2), 16), ((1, 1, 1, 1), 2)])
def test_strides_decide_the_size_of_the_maps(strides, overall):
    maps = ResNet(BackboneConfig(width=8, strides=strides))(torch.randn(1, 3, 64, 48))
    assert maps[-1].shape[-2:] == (64 // overall, 48 // overall)


def test_weights_round_trip_with_what_they_are(tmp_path):
    cfg = EncoderConfig(backbone=BackboneConfig(width=8), decoder=SMALL_DECODER, attention=True)
    encoder = Encoder(cfg).eval()
    save_weights(tmp_path / "b.safetensors", encoder, {"encoder": cfg.model_dump(mode="json"), "note": "é"})
    again = load_encoder(tmp_path / "b.safetensors")
    assert all(
        torch.equal(a, b) for a, b in zip(encoder.state_dict().values(), again.state_dict().values(), strict=True)
    )
    assert read_tensors(tmp_path / "b.safetensors", "pt", "pretrain")[1]["note"] == "é"
    assert [p.name for p in tmp_path.iterdir()] == ["b.safetensors"]


def test_damaged_and_missing_weights_are_named(tmp_path):
    path = tmp_path / "b.safetensors"
    with pytest.raises(UserError, match=r"b\.safetensors does not exist"):
        load_encoder(path)
    save_weights(path, ResNet(BackboneConfig(width=8)), {"encoder": {}})
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"b\.safetensors is not a whole weight file"):
        load_encoder(path)
    path.write_bytes(b"not weights at all")
    with pytest.raises(UserError, match="not a whole weight file"):
        load_encoder(path)
