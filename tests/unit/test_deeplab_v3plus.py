"""DeepLabV3+ as published: its parameters counted by hand, its maps, and backbones whose strides are changed."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from luss_core.config import DeepLabV3PlusConfig, EncoderConfig
from luss_core.errors import UserError
from luss_core.models.backbone import Backbone
from luss_core.models.deeplab_v3plus import DeepLabV3Plus, padded
from luss_core.models.encoder import Encoder
from luss_core.models.restride import restrided, with_stride

R50 = {"arch": "resnet50", "width": 64, "stem": "imagenet", "strides": [1, 2, 2, 2]}
SMALL = {"arch": "resnet18", "width": 8}


def encoder(backbone: dict[str, object], **other: object) -> Encoder:
    return Encoder(EncoderConfig.model_validate({"backbone": backbone, **other}))


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def norm(channels: int) -> int:
    """Scale and shift of a BatchNorm."""
    return 2 * channels


def separable(inputs: int, outputs: int) -> int:
    """3x3 a channel, then 1x1, a BatchNorm behind each."""
    return 9 * inputs + norm(inputs) + inputs * outputs + norm(outputs)


def plain(inputs: int, outputs: int, side: int = 3) -> int:
    return side * side * inputs * outputs + norm(outputs)


@pytest.mark.parametrize(("kind", "millions"), [(separable, 26.7), (plain, 40.4)])
def test_with_resnet50_it_has_as_many_parameters_as_published(kind, millions):
    with torch.device("meta"):
        network = encoder(R50)
    backbone = 25_557_032 - (2048 * 1000 + 1000)  # torchvision's ResNet-50 without its classifier
    assert parameters(network.backbone) == backbone
    with torch.device("meta"):
        found = DeepLabV3Plus(DeepLabV3PlusConfig(separable=kind is separable), network.backbone, 21)
    aspp = plain(2048, 256, 1) + 3 * kind(2048, 256) + plain(2048, 256, 1) + plain(5 * 256, 256, 1)
    decoder = plain(256, 48, 1) + kind(256 + 48, 256) + kind(256, 256)
    assert parameters(found.head) == aspp + decoder + 256 * 21 + 21
    assert parameters(found) / 1e6 == pytest.approx(millions, abs=0.05)


def test_the_head_looks_where_the_paper_says():
    network = DeepLabV3Plus(DeepLabV3PlusConfig(separable=False), restrided(encoder(SMALL), 16, "x"), 5)
    rates = [branch[0].dilation for branch in network.head.aspp.branches]
    assert rates == [(1, 1), (6, 6), (12, 12), (18, 18)]
    assert network.head.aspp.dropout.p == 0.1
    assert DeepLabV3PlusConfig(output_stride=8).dilations == (12, 24, 36)


@pytest.mark.parametrize("size", [(64, 96), (50, 33), (97, 97)])
def test_logits_are_those_of_the_image_whatever_its_sides(size):
    torch.manual_seed(0)
    network = DeepLabV3Plus(
        DeepLabV3PlusConfig(channels=16, low_level_channels=8), restrided(encoder(SMALL), 16, "x"), 5
    )
    image = torch.randn(2, 3, *size)
    network.eval()
    logits = network(image)
    assert logits.shape == (2, 5, *size)
    below, right = (-side % 16 for side in size)
    whole = network(F.pad(image, (0, right, 0, below)))
    assert torch.equal(whole[..., : size[0], : size[1]], logits)
    assert padded(image, 16).shape[-2] % 16 == 0


def test_the_decoder_sees_the_map_at_a_quarter():
    """The second stage of a small stem, the first of the published one."""
    small, published = (restrided(encoder(cfg), 16, "x") for cfg in (SMALL, SMALL | {"stem": "imagenet"}))
    cfg = DeepLabV3PlusConfig(channels=8, low_level_channels=8)
    assert [DeepLabV3Plus(cfg, one, 2).low for one in (small, published)] == [1, 0]
    assert (small.strides, published.strides) == ((2, 4, 8, 16), (4, 8, 16, 16))


IMAGENET = {"arch": "resnet18", "width": 8, "stem": "imagenet"}


@pytest.mark.parametrize(
    ("strides", "dilations", "to", "wanted"),
    [
        ((1, 2, 2, 2), (1, 1, 1, 1), 16, ((1, 2, 2, 1), (1, 1, 1, 2))),
        ((1, 2, 2, 2), (1, 1, 1, 1), 8, ((1, 2, 1, 1), (1, 1, 2, 4))),
        ((1, 2, 2, 1), (1, 1, 1, 2), 16, ((1, 2, 2, 1), (1, 1, 1, 2))),
        ((1, 2, 1, 1), (1, 1, 2, 4), 16, ((1, 2, 2, 1), (1, 1, 1, 2))),
        ((1, 2, 1, 4), (1, 1, 1, 1), 16, ((1, 2, 1, 2), (1, 1, 1, 2))),
    ],
)
def test_dilations_take_the_place_of_strides_as_in_deeplab(strides, dilations, to, wanted):
    network = EncoderConfig.model_validate({"backbone": IMAGENET | {"strides": strides, "dilations": dilations}})
    found = with_stride(network, to, "x").backbone
    assert (found.strides, found.dilations) == wanted
    assert found.pixels[-1] == to


@pytest.mark.parametrize(
    "backbone",
    [SMALL, IMAGENET | {"strides": [2, 2, 1, 2]}, {"family": "timm", "name": "test_efficientnet"}],
    ids=["small stem", "shortcut in the first stage", "timm"],
)
def test_the_weights_stay_and_the_stride_is_as_asked(backbone):
    network = encoder(backbone, attention=True)
    for stride in (16, 8):
        found = restrided(network, stride, "x")
        own = network.backbone.state_dict()
        assert found.strides[-1] == stride
        assert found.state_dict().keys() == own.keys()
        assert all(torch.equal(value, own[name]) for name, value in found.state_dict().items())
        assert found(torch.zeros(1, 3, 64, 64))[-1].shape[-2:] == (64 // stride, 64 // stride)


def test_positions_of_the_dilated_map_hold_those_of_the_strided_one():
    """Every second position of stage 4 at stride 16 is one at stride 32: convolutions look at the same pixels."""
    torch.manual_seed(0)
    network = encoder(IMAGENET | {"strides": [1, 2, 2, 2]}).eval()
    image = torch.randn(1, 3, 128, 128)
    with torch.inference_mode():
        strided, dilated = network.backbone(image)[-1], restrided(network, 16, "x").eval()(image)[-1]
    torch.testing.assert_close(dilated[..., ::2, ::2], strided, rtol=1e-4, atol=1e-5)


def test_an_encoder_whose_stride_cannot_become_16_is_refused():
    vit = encoder({"family": "timm", "name": "test_vit"})
    assert restrided(vit, 16, "mine") is vit.backbone
    with pytest.raises(UserError, match="of mine, test_vit.*cannot have one position every 8 pixels.*output_stride"):
        restrided(vit, 8, "mine")
    coarse = EncoderConfig.model_validate({"backbone": IMAGENET | {"strides": [4, 2, 2, 2]}})
    with pytest.raises(UserError, match="stage 3 has one every 16 pixels already"):
        with_stride(coarse, 8, "mine")


def test_a_vit_of_the_right_patch_has_its_first_map_enlarged():
    class Patches(Backbone):
        widths, strides = (6, 7), (16, 16)

        def forward(self, images):
            return tuple(F.avg_pool2d(images, 16)[:, :1].repeat(1, width, 1, 1) for width in self.widths)

    network = DeepLabV3Plus(DeepLabV3PlusConfig(channels=8, low_level_channels=8), Patches(), 4)
    assert network.low == 0
    assert network(torch.randn(2, 3, 48, 32)).shape == (2, 4, 48, 32)
