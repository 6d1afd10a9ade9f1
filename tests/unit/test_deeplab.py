"""The DeepLabV3+ head against a written-out definition, dilation against torchvision, strides that clash."""

import pytest
import torch
import torch.nn.functional as F
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st

from luss_core import runs
from luss_core.config import BackboneConfig, DecoderConfig, PretrainConfig
from luss_core.errors import UserError
from luss_core.models.backbone import ResNet
from luss_core.models.deeplab import DeepLabHead, _positions, _resize

SMALL = BackboneConfig(width=8, strides=(1, 2, 1, 2))
TINY = DecoderConfig(channels=16, low_level_channels=8, aspp_stride=8, decoder_stride=4)
PUBLISHED = {"width": 64, "stem": "imagenet"}


def encoder(backbone=SMALL, decoder=TINY):
    torch.manual_seed(0)
    resnet = ResNet(backbone)
    head = DeepLabHead(decoder, resnet.widths)
    for module in (*resnet.modules(), *head.modules()):
        if isinstance(module, torch.nn.BatchNorm2d):  # no parameter may hide behind 0 or 1
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.1, 0.1)
    return resnet, head


def test_the_head_is_its_definition():
    head = encoder(decoder=DecoderConfig(**{**TINY.model_dump(), "low_level_stage": 2}))[1].eval().double()
    w = head.state_dict()

    def block(x, conv, norm, dilation=1):
        weight = w[f"{conv}.weight"]
        x = F.conv2d(x, weight, padding=dilation * (weight.shape[-1] // 2), dilation=dilation)
        mean, var = w[f"{norm}.running_mean"][:, None, None], w[f"{norm}.running_var"][:, None, None]
        scale, shift = w[f"{norm}.weight"][:, None, None], w[f"{norm}.bias"][:, None, None]
        return ((x - mean) / (var + 1e-5).sqrt() * scale + shift).clamp(min=0)

    maps = tuple(torch.randn(2, c, n, n, dtype=torch.float64) for c, n in ((8, 32), (16, 16), (32, 16), (64, 8)))
    deep = maps[3]
    branches = [block(deep, "aspp.convs.0.0", "aspp.convs.0.1")]
    branches += [block(deep, f"aspp.convs.{i}.0", f"aspp.convs.{i}.1", i) for i in (1, 2, 3)]
    pooled = block(deep.mean(dim=(2, 3), keepdim=True), "aspp.convs.4.1", "aspp.convs.4.2")
    joint = block(torch.cat([*branches, pooled.expand(-1, -1, 8, 8)], dim=1), "aspp.project.0", "aspp.project.1")
    large = F.interpolate(joint, scale_factor=2, mode="bilinear")
    x = torch.cat([large, block(maps[1], "low_level.0", "low_level.1")], dim=1)
    expected = block(block(x, "decoder.0.0", "decoder.0.1"), "decoder.1.0", "decoder.1.1")
    torch.testing.assert_close(head(maps, (64, 64)), expected)


@pytest.mark.parametrize("size", [(72, 96), (65, 97), (33, 40)])
@pytest.mark.parametrize(("aspp", "decoder", "stage"), [(8, 4, 1), (16, 8, 2), (8, 8, 4), (16, 2, 1), (8, 16, 3)])
def test_the_map_has_the_resolution_asked_for_at_any_size(size, aspp, decoder, stage):
    cfg = DecoderConfig(
        channels=16, low_level_channels=8, low_level_stage=stage, aspp_stride=aspp, decoder_stride=decoder
    )
    resnet, head = encoder(decoder=cfg)
    with torch.inference_mode():
        z = head(resnet(torch.randn(2, 3, *size)), size)
    assert z.shape == (2, head.width, -(-size[0] // decoder), -(-size[1] // decoder))


def test_evaluation_takes_one_image_and_gives_the_same_each_time():
    resnet, head = encoder()
    resnet.eval().double(), head.eval().double()
    x = torch.randn(3, 3, 48, 48, dtype=torch.float64)
    with torch.inference_mode():
        together = head(resnet(x), (48, 48))
        assert torch.equal(together, head(resnet(x), (48, 48)))
        torch.testing.assert_close(head(resnet(x[:1]), (48, 48)), together[:1])


def test_training_has_no_dropout():
    resnet, head = encoder()
    maps = resnet(torch.randn(2, 3, 48, 48))
    assert torch.equal(head(maps, (48, 48)), head(maps, (48, 48)))


def test_every_parameter_learns():
    resnet, head = encoder()
    z = head(resnet(torch.randn(4, 3, 48, 48)), (48, 48))
    (z * torch.randn_like(z)).sum().backward()
    still = [n for m in (resnet, head) for n, p in m.named_parameters() if p.grad is None or not p.grad.any()]
    assert still == []


@given(st.integers(1, 400), st.sampled_from([2, 4, 8, 16]), st.sampled_from([2, 4, 8, 16, 32, 64]))
@settings(deadline=None)
def test_averaging_ends_at_the_size_that_convolutions_leave(side, fine, coarse):
    x = torch.zeros(1, 1, *_positions((side, side), fine))
    target = _positions((side, side), coarse)
    assert _resize(x, target).shape[-2:] == target


def test_resizing_keeps_positions_where_they_are_in_the_image():
    row = torch.arange(0.5, 16)[None, None, None].expand(1, 1, 16, 16)  # centres in units of the fine map
    torch.testing.assert_close(_resize(row, (4, 4))[0, 0, 0], torch.tensor([2.0, 6, 10, 14]))
    torch.testing.assert_close(_resize(_resize(row, (8, 8)), (16, 16))[0, 0, 0, 1:-1], row[0, 0, 0, 1:-1])


@pytest.mark.parametrize(
    ("replaced", "strides", "dilations"),
    [([False, False, True], (1, 2, 2, 1), (1, 1, 1, 2)), ([False, True, True], (1, 2, 1, 1), (1, 1, 2, 4))],
)
def test_dilation_in_place_of_a_stride_is_that_of_torchvision(replaced, strides, dilations):
    theirs = torchvision.models.resnet50(replace_stride_with_dilation=replaced).eval()
    ours = ResNet(BackboneConfig(arch="resnet50", strides=strides, dilations=dilations, **PUBLISHED)).eval()
    ours.load_state_dict({k: v for k, v in theirs.state_dict().items() if not k.startswith("fc.")})
    theirs.fc = torch.nn.Identity()
    x = torch.randn(1, 3, 72, 65)
    with torch.inference_mode():
        torch.testing.assert_close(ours(x)[3].mean(dim=(2, 3)), theirs(x))


@pytest.mark.parametrize("arch", ["resnet18", "resnet50"])
def test_dilation_leaves_the_values_that_the_stride_kept(arch):
    plain = ResNet(BackboneConfig(arch=arch, width=8, strides=(1, 2, 2, 2))).eval()
    fine = ResNet(BackboneConfig(arch=arch, width=8, strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4))).eval()
    fine.load_state_dict(plain.state_dict())
    x = torch.randn(1, 3, 64, 80)
    with torch.inference_mode():
        torch.testing.assert_close(fine(x)[3][..., ::4, ::4], plain(x)[3])


@pytest.mark.parametrize("arch", ["resnet18", "resnet50"])
@pytest.mark.parametrize(("strides", "stem"), [((1, 2, 1, 4), "imagenet"), ((4, 1, 2, 2), "small")])
def test_the_backbone_has_the_strides_that_the_settings_compute(arch, strides, stem):
    cfg = BackboneConfig(arch=arch, width=8, stem=stem, strides=strides)
    maps = ResNet(cfg)(torch.randn(2, 3, 130, 128))
    assert [m.shape[2:] for m in maps] == [_positions((130, 128), pixels) for pixels in cfg.pixels]


def pretrain(size=48, **changes):
    return {"pretrain": {"views": {"crops": [{"count": 2, "size": size, "scale": [0.3, 1]}]}, **changes}}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (pretrain(backbone={"strides": [1, 2, 4, 4]}), ["backbone.strides [1, 2, 4, 4]", "view of 48", "at least 65"]),
        (pretrain(backbone={"strides": [1, 2, 3, 2]}), ["pretrain.backbone.strides.2", "1, 2 or 4, found 3"]),
        (pretrain(backbone={"dilations": [1, 1, 1, 9]}), ["pretrain.backbone.dilations.3", "found 9"]),
        (pretrain(decoder={"aspp_stride": 4}), ["decoder.aspp_stride 4 is finer", "set aspp_stride to 8 or more"]),
        (
            pretrain(decoder={"decoder_stride": 2, "low_level_stage": 2}),
            ["decoder.decoder_stride 2", "low_level_stage 2", "set decoder_stride to 4 or more"],
        ),
        (pretrain(decoder={"aspp_stride": 64}), ["decoder.aspp_stride 64", "view of 48 pixels", "at least 65"]),
        (pretrain(50, decoder={}), ["views.crops.size 50", "multiple of decoder.decoder_stride 16", "to 48 or 64"]),
        (pretrain(40, decoder={}), ["views.crops.size 40", "set the size to 48"]),
        (pretrain(decoder={"aspp_stride": 12}), ["pretrain.decoder.aspp_stride", "found 12"]),
        (pretrain(decoder={"rate": [1, 2, 3]}), ["pretrain.decoder.rate", "did you mean rates?"]),
    ],
)
def test_strides_that_do_not_fit_are_named_with_the_remedy(values, words):
    with pytest.raises(UserError) as error:
        runs.load(values)
    assert all(word in str(error.value) for word in words), error.value


@pytest.mark.parametrize(("positions", "target"), [((16, 16), (14, 14)), ((32, 21), (28, 20)), ((7, 16), (7, 14))])
def test_cells_that_do_not_divide_are_averaged_as_they_overlap(positions, target):
    x = torch.randn(2, 3, *positions)
    found = _resize(x, target)
    assert found.shape[-2:] == target
    for i in range(target[0]):
        for k in range(target[1]):
            (top, bottom), (left, right) = (
                (n * whole // cells, -(-(n + 1) * whole // cells))
                for n, whole, cells in ((i, positions[0], target[0]), (k, positions[1], target[1]))
            )
            expected = x[..., top:bottom, left:right].mean(dim=(2, 3))
            torch.testing.assert_close(found[..., i, k], expected)


def test_the_crops_of_the_papers_fit():
    crops = [{"count": 2, "size": 224, "scale": [0.14, 1]}, {"count": 6, "size": 96, "scale": [0.05, 0.14]}]
    for strides, decoder in (((1, 2, 1, 4), {}), ((1, 2, 2, 2), None), ((1, 2, 2, 1), {"aspp_stride": 16})):
        backbone = {"strides": strides, **PUBLISHED}
        cfg = PretrainConfig.model_validate({"backbone": backbone, "decoder": decoder, "views": {"crops": crops}})
        assert (cfg.decoder is None) == (decoder is None)
