"""Networks of timm as backbones: maps beside those of timm, sizes, normalisation, and what is refused."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import timm
import torch
import torch.nn.functional as F
from torch import nn

from luss_core.config import DecoderConfig, EncoderConfig, TimmConfig
from luss_core.data.normalization import MEAN, STD
from luss_core.data.whole import nearest_multiple, resize_short
from luss_core.errors import UserError
from luss_core.models.architectures import Architecture
from luss_core.models.count import count
from luss_core.models.encoder import Encoder, load_encoder
from luss_core.models.timm_backbone import TimmBackbone
from luss_core.models.weights import save_weights

NETWORKS = {
    "deit_tiny_patch16_224": 16,
    "vit_tiny_patch16_224": 16,  # another normalisation
    "vit_small_patch14_reg4_dinov2": 14,  # registers, another patch size
    "mobilenetv3_small_050": 32,  # a head of its own after pooling
    "tf_efficientnet_lite0": 32,  # a convolution after the last stage
    "test_resnet": 32,
    "swin_tiny_patch4_window7_224": 32,  # channels last
}
SIZES = [(224, 224), (97, 131), (9, 45)]


@pytest.fixture(scope="module", params=NETWORKS)
def backbone(request) -> TimmBackbone:
    torch.manual_seed(0)
    return TimmBackbone(TimmConfig(name=request.param)).eval()


def theirs(backbone: TimmBackbone, images: torch.Tensor) -> torch.Tensor:
    """What timm makes of the images in its own normalisation, as (B, D, h, w)."""
    net: Any = backbone.model
    cfg = net.pretrained_cfg
    pixels = images * torch.tensor(STD).view(3, 1, 1) + torch.tensor(MEAN).view(3, 1, 1)
    found = net.forward_features(
        (pixels - torch.tensor(cfg["mean"]).view(3, 1, 1)) / torch.tensor(cfg["std"]).view(3, 1, 1)
    )
    if found.ndim == 3:
        grid = [side // backbone.multiple for side in images.shape[-2:]]
        return found[:, net.num_prefix_tokens :].transpose(1, 2).unflatten(2, grid)
    return found.permute(0, 3, 1, 2) if getattr(net, "output_fmt", "NCHW") == "NHWC" else found


@pytest.mark.parametrize("size", SIZES)
def test_the_last_map_is_that_of_timm_at_any_size(backbone, size):
    patch = NETWORKS[backbone.cfg.name]
    images = torch.randn(2, 3, *size)
    near = tuple(max(1, round(side / patch)) * patch for side in size)
    with torch.inference_mode():
        maps = backbone(images)
        fitted = F.interpolate(images, near, mode="bilinear", antialias=True)
        torch.testing.assert_close(maps[-1], theirs(backbone, fitted), rtol=1e-3, atol=1e-4)
        again = backbone(fitted)
    assert all(torch.equal(a, b) for a, b in zip(maps, again, strict=True))
    assert (backbone.multiple, backbone.strides[-1]) == (patch, patch)
    assert tuple(m.shape[1] for m in maps) == backbone.widths
    assert [m.shape[-2:] for m in maps] == [tuple(s // stride for s in near) for stride in backbone.strides]


def test_maps_go_from_fine_to_coarse(backbone):
    assert list(backbone.strides) == sorted(backbone.strides)
    # A fifth where a CNN ends with a 1x1 convolution to other channels.
    assert len(backbone.strides) == len(backbone.widths) in (4, 5)
    if len(set(backbone.strides)) == 1:
        blocks = [f.cpu() for f in _blocks(backbone)]
        with torch.inference_mode():
            maps = backbone(torch.ones(1, 3, 64, 64))
        for found, block in zip(maps, blocks, strict=True):
            torch.testing.assert_close(found.flatten(2).transpose(1, 2), block, rtol=1e-3, atol=1e-4)


def _blocks(backbone: TimmBackbone) -> list[torch.Tensor]:
    """Normalised patch tokens after each quarter of the blocks, by hooks."""
    net, found = backbone.model, []
    quarter = len(net.blocks) // 4
    hooks = [net.blocks[k * quarter - 1].register_forward_hook(lambda _m, _i, y: found.append(y)) for k in range(1, 5)]
    with torch.inference_mode():
        backbone(torch.ones(1, 3, 64, 64))
        tokens = [net.norm(y)[:, net.num_prefix_tokens :] for y in found]
    for hook in hooks:
        hook.remove()
    return tokens


def test_position_embeddings_of_the_own_size_stay():
    backbone = TimmBackbone(TimmConfig(name="test_vit")).eval()
    net = backbone.model
    fixed = timm.create_model("test_vit", num_classes=0).eval()
    fixed.load_state_dict(net.state_dict())
    with torch.inference_mode():
        x = torch.randn(1, 3, 160, 160)
        torch.testing.assert_close(net.forward_features(x), fixed.forward_features(x), rtol=0, atol=0)


@pytest.mark.parametrize("side", [224, 448])
def test_a_whole_encoder_decodes_maps_of_patches_of_14_pixels(side):
    decoder = DecoderConfig(channels=8, low_level_channels=8, low_level_stage=2, aspp_stride=32, decoder_stride=16)
    cfg = EncoderConfig(backbone=TimmConfig(name="vit_tiny_patch16_224"), decoder=decoder, attention=True)
    encoder = Encoder(cfg).eval()
    encoder.backbone = Patches14()
    with torch.inference_mode():
        maps = encoder(torch.randn(1, 3, side, side))
    assert maps.output.shape[-2:] == maps.attention.shape[-2:] == (side // 16, side // 16)


class Patches14(nn.Module):
    """Maps as a ViT with patches of 14 pixels gives them."""

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (torch.randn(len(images), 192, images.shape[-2] // 14, images.shape[-1] // 14),) * 4


def test_output_stride_of_a_cnn_and_not_of_a_vit():
    assert TimmBackbone(TimmConfig(name="test_efficientnet", output_stride=8)).strides == (4, 8, 8, 8, 8)
    with pytest.raises(UserError, match="test_vit cannot be made with output_stride 16, set it to null"):
        TimmBackbone(TimmConfig(name="test_vit", output_stride=16))


def test_what_no_map_depends_on_does_not_learn():
    asleep = {
        name: [n for n, p in TimmBackbone(TimmConfig(name=name)).named_parameters() if not p.requires_grad]
        for name in ("mobilenetv3_small_050", "test_vit", "test_efficientnet")
    }
    assert [n.split(".")[1] for n in asleep["mobilenetv3_small_050"]] == ["conv_head", "conv_head"]
    assert asleep["test_vit"] == asleep["test_efficientnet"] == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("vit_tiny", "has no network 'vit_tiny'; did you mean vit_tiny_patch16_224"),
        ("resnet_18", "did you mean .*resnet18"),
        ("vit_small_patch14_dinov2.lvd", r"of vit_small_patch14_dinov2 it has vit_small_patch14_dinov2\.lvd142m"),
        ("mixer_s32_224", "gives no maps of an image of 96 x 128 pixels"),
        ("inception_v3", "(do not cover the whole image|has no forward_intermediates)"),
    ],
)
def test_what_cannot_be_used_is_named(name, words):
    with pytest.raises(UserError, match=rf"^pretrain\.backbone\.name: .*{words}"):
        TimmBackbone(TimmConfig(name=name))


def test_a_file_gives_the_network_back_without_a_download(tmp_path, monkeypatch):
    monkeypatch.setattr("timm.models._builder.load_pretrained", None)
    cfg = EncoderConfig(backbone=TimmConfig(name="test_vit.r160_in1k"), decoder=None, attention=True)
    encoder = Encoder(cfg).eval()
    save_weights(tmp_path / "e.safetensors", encoder, {"encoder": cfg.model_dump(mode="json")})
    again, images = load_encoder(tmp_path / "e.safetensors"), torch.randn(1, 3, 50, 70)
    with torch.inference_mode():
        assert torch.equal(encoder(images).output, again(images).output)


def test_costs_are_counted_without_memory():
    cost = count(Architecture(TimmConfig(name="deit_tiny_patch16_224")), 224)
    assert cost.parameters == sum(
        p.numel() for p in timm.create_model("deit_tiny_patch16_224", num_classes=0).parameters()
    )
    assert cost.macc == pytest.approx(1.26e9, rel=0.15)  # DeiT, arXiv:2012.12877, Table 5: 1.3 G
    assert count(Architecture(TimmConfig(name="tf_efficientnet_lite0")), 224).macc == pytest.approx(0.4e9, rel=0.05)


def test_timm_is_imported_only_where_it_is_asked_for():
    program = (
        "import sys; from luss_core.config import EncoderConfig; from luss_core.models.encoder import Encoder;"
        "import luss_core.stages.pretrain, luss_core.stages.infer;"
        "Encoder(EncoderConfig()); sys.exit('timm' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize(
    ("side", "multiple", "near"), [(97, 1, 97), (7, 14, 14), (21, 14, 28), (20, 14, 14), (518, 14, 518)]
)
def test_the_nearest_multiple(side, multiple, near):
    assert nearest_multiple(side, multiple) == near


def test_an_image_is_resized_once():
    image = np.zeros((97, 131, 3), np.uint8)
    assert resize_short(image, 97).shape == (3, 97, 131)
    assert resize_short(image, 97, 14).shape == (3, 98, 126)
    assert resize_short(image, 30, 32).shape == (3, 32, 32)
