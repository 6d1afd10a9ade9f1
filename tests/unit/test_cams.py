"""SEAM: losses and modules against definitions written out in float64."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from luss_core.config import FinetuneConfig, SegmenterConfig
from luss_core.config.cams import SeamConfig
from luss_core.losses import cams
from luss_core.losses.contrast import in_parts
from luss_core.methods.base import Progress
from luss_core.methods.learners import build_segmenter
from luss_core.methods.seam import Seam
from luss_core.methods.segmenter import Segmented, Segmenter, only, pooled, present
from luss_core.models import correlation
from luss_core.models.encoder import Encoder, Maps
from tests.unit.test_finetune import NETWORK

E = 1e-5


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_soft_margin_is_that_of_torch_and_its_definition():
    logits, here = draw(5, 7), draw(5, 7, seed=1) > 0.5
    expected = [
        np.log1p(np.exp(-x)) if there else np.log1p(np.exp(x))
        for x, there in zip(logits.flatten().tolist(), here.flatten().tolist(), strict=True)
    ]
    assert cams.soft_margin(logits, here).item() == pytest.approx(np.mean(expected), rel=1e-12)
    torch.testing.assert_close(
        cams.soft_margin(logits, here), nn.functional.multilabel_soft_margin_loss(logits, here.double())
    )


def test_labels_alone():
    assert cams.alone(torch.tensor([2, 0]), 3).tolist() == [[False, False, True], [True, False, False]]
    logits, label = draw(4, 3), torch.tensor([0, 2, 2, 1])
    cross = -np.mean([logits[i].log_softmax(dim=0)[c].item() for i, c in enumerate(label)])
    assert cams.of_labels(logits, label, "cross-entropy").item() == pytest.approx(cross)
    margin = cams.soft_margin(logits, torch.eye(3).bool()[label])
    assert cams.of_labels(logits, label, "soft-margin") == margin


def unit_of(m: np.ndarray) -> np.ndarray:
    p = np.maximum(m, 0)
    return np.maximum(p - p.min() - E, 0) / (p.max() - p.min() + E)


def test_maps_from_zero_to_one():
    maps = draw(3, 2, 4, 5)
    maps[1, 0] = -1.0
    found = cams.unit(maps)
    for i in range(3):
        for k in range(2):
            assert np.allclose(found[i, k].numpy(), unit_of(maps[i, k].numpy()), rtol=1e-12)
    assert found[1, 0].eq(0).all()
    assert found.amax() == pytest.approx(1, abs=1e-4)


def test_what_is_spread_is_the_greatest_category_and_what_is_left():
    maps = draw(2, 3, 4, 4)
    maps[1, 2] = -5.0  # nowhere
    maps[1, 1] = -E  # where the published code would divide by zero
    background, shares = cams.competing(maps)
    for i in range(2):
        m = maps[i].numpy()
        top = np.maximum(m.max(axis=(1, 2), keepdims=True), 0) + E
        share = np.maximum(m - E, 0) / top
        assert np.allclose(background[i, 0], 1 - share.max(axis=0), rtol=1e-12)
        assert np.allclose(shares[i], np.where(share < share.max(axis=0), 0, share), rtol=1e-12)
    assert shares.isfinite().all()
    assert torch.equal(cams.with_background(shares)[:, 1:], shares)


@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize("share", [0.05, 0.2, 1.0])
def test_equivariance_and_hardest_differences_are_means_over_all_categories(k, share):
    """Over C maps, those of categories that an image does not have being zero, as the published code has them."""
    classes, (h, w) = 5, (3, 4)
    one, two, refined, other = (draw(2, n, h, w, seed=s).abs() for s, n in enumerate((k, k, k + 1, k + 1)))
    whole = np.zeros((2, classes, h, w))
    whole[:, :k] = (one - two).abs().numpy()
    assert cams.equivariance(one, two, classes).item() == pytest.approx(whole.mean(), rel=1e-12)
    expected = []
    for i in range(2):
        background, maps = other[i, 0].numpy(), other[i, 1:].numpy()
        target = np.stack([background, *np.where(maps < maps.max(axis=0), 0, maps)])
        difference = np.zeros((1 + classes, h, w))
        difference[: k + 1] = abs(target - refined[i].numpy())
        count = int(share * (1 + classes) * h * w)
        expected.append(np.sort(difference.ravel())[::-1][:count].mean())
    found = cams.hardest_difference(refined, other, share, classes)
    assert found.item() == pytest.approx(np.mean(expected), rel=1e-12)


def test_differences_teach_the_refined_map_alone():
    refined, other = draw(2, 2, 3, 3).requires_grad_(), draw(2, 2, 3, 3, seed=1).requires_grad_()
    cams.hardest_difference(refined, other, 0.2, 4).backward()
    assert refined.grad.abs().sum() > 0
    assert other.grad is None


def test_the_least_quarter():
    maps = draw(3, 2, 4, 4)
    expected = [np.sort(np.maximum(m.numpy().max(axis=0), 0).ravel())[:4].mean() for m in maps]
    assert cams.least_quarter(maps).item() == pytest.approx(np.mean(expected), rel=1e-12)


def correlated(f: np.ndarray, v: np.ndarray) -> np.ndarray:
    """(D, P) and (M, P) -> (M, P), position by position."""
    f = f / (np.linalg.norm(f, axis=0) + E)
    y = np.zeros_like(v)
    for j in range(f.shape[1]):
        alike = [max(float(f[:, i] @ f[:, j]), 0) for i in range(f.shape[1])]
        y[:, j] = sum(a * v[:, i] for i, a in enumerate(alike)) / (sum(alike) + E)
    return y


@pytest.mark.parametrize("held", [1 << 24, 60])
def test_the_correlation_module_in_one_part_or_in_many(held, monkeypatch):
    monkeypatch.setattr(correlation, "SCORES", held)
    calls = []
    monkeypatch.setattr(correlation, "in_parts", lambda rows, x, size: calls.append(size) or in_parts(rows, x, size))
    features, values = draw(2, 6, 3, 5).requires_grad_(), draw(2, 4, 3, 5, seed=1).abs()
    found = correlation.correlate(features, values)
    assert calls == [held // 30]  # rows of 15 positions of 2 images
    for i in range(2):
        expected = correlated(features[i].detach().flatten(1).numpy(), values[i].flatten(1).numpy())
        assert np.allclose(found[i].detach().flatten(1), expected, rtol=1e-4, atol=1e-6)
    found.square().sum().backward()
    assert features.grad.isfinite().all()
    monkeypatch.undo()
    again = features.detach().requires_grad_()
    correlation.correlate(again, values).square().sum().backward()
    torch.testing.assert_close(features.grad, again.grad, rtol=1e-4, atol=1e-6)


def test_positions_that_look_alike_get_the_same():
    torch.manual_seed(0)
    module = correlation.PixelCorrelation((4, 8, 16, 32))
    assert [tuple(layer.weight.shape[:2]) for layer in module.reduce] == [(64, 8), (128, 16)]
    images, halves = torch.zeros(1, 3, 16, 16), torch.zeros(1, 1, 4, 4)
    images[..., 8:] = 1.0
    halves[..., 2:] = 1.0
    stages = [halves.repeat(1, width, 1, 1) * 2 - 1 for width in (4, 8, 16, 32)]
    values = torch.rand(1, 2, 4, 4)
    found = module(images, stages, values)
    assert found.shape == (1, 2, 4, 4)
    assert found.var(dim=(2,)).max() < 1e-8
    assert (found[..., 0] - found[..., 3]).abs().max() > 0.01
    assert not any(stage.requires_grad for stage in stages)
    for stages in ([torch.rand(1, 4, 8, 8)], [torch.rand(1, 4, 8, 8), torch.rand(1, 6, 4, 4)]):
        few = correlation.PixelCorrelation([stage.shape[1] for stage in stages])
        assert few(images, stages, values).shape[-1] == (8 if len(stages) > 1 else 4)


class Pointwise(nn.Module):
    """An encoder whose maps are the image, moved by some pixels."""

    def __init__(self, shift: int):
        super().__init__()
        self.shift = shift
        self.backbone = SimpleBackbone()
        self.attention = self.decoder = None

    def width_of(self, source):  # noqa: ARG002
        return 3

    def forward(self, images):
        z = torch.roll(images, self.shift, dims=3)
        return Maps(z, (z, z, z, z), None)


class SimpleBackbone(nn.Module):
    widths, strides = (3, 3, 3, 3), (1, 1, 1, 1)


@pytest.mark.parametrize("shift", [0, 3])
def test_equivariance_is_zero_where_maps_follow_the_image(shift):
    """A square whose edges half the resolution keeps; who moves it by three positions in either does not follow."""
    torch.manual_seed(0)
    cfg = SegmenterConfig(encoder="trained", attend=False)
    method = Seam(cfg, Pointwise(shift), 3, method=SeamConfig(scale=0.5))
    nn.init.eye_(method.head.weight[:, :, 0, 0])
    images = torch.zeros(2, 3, 32, 32)
    images[:, :, 8:24, 8:24] = 1.0
    er = method.losses(images, torch.tensor([0, 2]))["er"]
    assert er < 1e-6 if shift == 0 else er > 0.01


def seam(**settings: object) -> Seam:
    torch.manual_seed(0)
    cfg = SegmenterConfig(encoder="trained", attend=False)
    return Seam(cfg, Encoder(NETWORK), 4, method=SeamConfig(**settings))


def test_each_loss_of_seam_teaches_its_part():
    images, label = draw(3, 3, 40, 40).float(), torch.tensor([0, 3, 1])
    taught = {}
    for name in ("classification", "er", "least_quarter", "ecr"):
        method = seam().train()
        method.losses(images, label)[name].backward()
        parts = {n.partition(".")[0] for n, p in method.named_parameters() if p.grad is not None and p.grad.any()}
        taught[name] = parts
    assert taught["classification"] == taught["er"] == {"encoder", "head"}
    assert taught["least_quarter"] == taught["ecr"] == {"correlation"}


@pytest.mark.parametrize("batchnorm", ["frozen", "trained"])
def test_batchnorm_of_the_encoder_stays_as_it_was_or_learns(batchnorm):
    method = seam(batchnorm=batchnorm).train()
    before = {name: value.clone() for name, value in method.encoder.named_buffers()}
    parts = method.losses(draw(3, 3, 40, 40).float(), torch.tensor([0, 3, 1]))
    parts["classification"].backward()
    same = [torch.equal(before[name], value) for name, value in method.encoder.named_buffers()]
    assert all(same) if batchnorm == "frozen" else not any(same)
    layer = method.encoder.backbone.bn1
    assert (layer.weight.grad is None) == (batchnorm == "frozen")
    assert method.encoder.backbone.conv1.weight.grad.any()


@pytest.mark.parametrize("batchnorm", ["frozen", "trained"])
@pytest.mark.parametrize("rule", ["soft-margin", "cross-entropy"])
def test_plain_maps_can_learn_as_those_that_they_are_compared_with(rule, batchnorm):
    settings = {
        "method": {"name": "cam", "classification": rule, "batchnorm": batchnorm},
        "segmenter": {"attend": False, "encoder": "trained"},
    }
    method = build_segmenter(FinetuneConfig.model_validate(settings), Encoder(NETWORK), 4, np.zeros(3)).train()
    images, label = draw(3, 3, 40, 40).float(), torch.tensor([0, 3, 1])
    logits = method.activated(method.encoded(images)).maps.mean(dim=(2, 3))
    out = method([images], SimpleNamespace(label=label), Progress(0, 1, 1))
    torch.testing.assert_close(out.loss, cams.of_labels(logits, label, rule))
    out.loss.backward()
    assert (method.encoder.backbone.bn1.weight.grad is None) == (batchnorm == "frozen")
    assert method.encoder.backbone.bn1.training == (batchnorm == "trained")


def test_the_loss_of_seam_is_the_sum_that_was_published():
    method = seam().eval()
    images, label = draw(2, 3, 40, 40).float(), torch.tensor([0, 3])
    parts = method.losses(images, label)
    less = nn.functional.interpolate(images, (16, 16), mode="bilinear")  # 0.3 of 40, but two positions of 8 pixels
    logits = [method.activated(method.encoded(x)).maps.mean(dim=(2, 3)) for x in (images, less)]
    expected = sum(cams.of_labels(x, label, "soft-margin") for x in logits) / 2
    torch.testing.assert_close(parts["classification"], expected)
    assert method.head.bias is None
    total = sum(parts[name] for name in ("classification", "least_quarter", "er", "ecr"))

    class One:
        pass

    batch = One()
    batch.label = label
    torch.testing.assert_close(method([images], batch, Progress(0, 1, 1)).loss, total)


def test_masks_are_made_of_the_category_of_the_image():
    logits = torch.tensor([[1.0, 2.0, -1.0], [-1.0, -3.0, -2.0]])
    assert present(logits, "one").tolist() == [[False, True, False], [True, False, False]]
    assert present(logits, "several").tolist() == [[True, True, False], [True, False, False]]
    assert only(torch.rand(2, 3, 2, 2), present(logits, "one"))[0, 0].eq(-1).all()
    images = draw(2, 3, 40, 48).float()
    with torch.no_grad():
        for name in ("one", "several"):
            method = seam(present=name).eval()
            found, plain = method.segment(images), pooled(method.activated(method.encoded(images)))
            assert found.attention is None
            kept = present(plain, name)
            assert (found.maps.amin(dim=(2, 3)) >= 0).tolist() == kept.tolist()
            assert found.maps.argmax(dim=1).flatten(1)[kept.sum(dim=1) == 1].unique(dim=1).shape[1] <= 1
            assert found.maps.shape[2:] == (10, 12)  # of the finest of the stages that are compared
            assert found.maps.max() <= 1


def test_plain_maps_of_one_category():
    torch.manual_seed(0)
    settings = {"method": {"name": "cam", "present": "one"}, "segmenter": {"attend": False}}
    cfg = FinetuneConfig.model_validate(settings)
    method = build_segmenter(cfg, Encoder(NETWORK), 4, np.zeros(3, np.int32)).eval()
    images = draw(2, 3, 40, 40).float()
    found, raw = method.segment(images), method.activated(method.encoded(images))
    assert type(method) is Segmenter
    best = raw.maps.mean(dim=(2, 3)).argmax(dim=1)
    for i in range(2):
        assert np.allclose(found.maps[i, best[i]].detach(), unit_of(raw.maps[i, best[i]].detach().numpy()), atol=1e-6)
    assert (found.maps == -1).sum() == 2 * 3 * raw.maps[0, 0].numel()
    plain = Segmenter(cfg.segmenter, Encoder(NETWORK), 4)
    assert isinstance(plain.segment(images), Segmented)
    assert plain.head.bias is not None
