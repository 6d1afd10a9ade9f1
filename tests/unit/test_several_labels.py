"""Images of several labels: losses of cam, seam and sc-cam against definitions over all categories, as published."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from luss_core.config import FinetuneConfig
from luss_core.kmeans import around_means
from luss_core.losses import cams
from luss_core.methods.base import Progress
from luss_core.methods.learners import build_segmenter
from luss_core.methods.sc_cam import SCCam, within_categories
from luss_core.methods.seam import Seam
from luss_core.methods.segmenter import Segmenter, pooled
from luss_core.models.encoder import Encoder, pool
from tests.unit.test_cams import draw
from tests.unit.test_finetune import NETWORK
from tests.unit.test_sc_cam import features

SEVERAL = np.array([[2, 0], [1, -1], [3, 1], [0, -1], [-1, -1]], np.int32)
HERE = torch.tensor([[1, 0, 1, 0], [0, 1, 0, 0], [0, 1, 0, 1], [1, 0, 0, 0], [0, 0, 0, 0]]).bool()
FIRST = Progress(0, 4, 1)


def method_of(name: str, labels: np.ndarray, **settings: object) -> Segmenter:
    torch.manual_seed(0)
    values = {
        "method": {"name": name, "classification": "soft-margin"} | settings,
        "segmenter": {"attend": False, "encoder": "trained"},
    }
    return build_segmenter(FinetuneConfig.model_validate(values), Encoder(NETWORK), 4, labels).eval()


def batch(*index: int, label: np.ndarray | None = None) -> SimpleNamespace:
    at = torch.tensor(index)
    return SimpleNamespace(index=at, label=None if label is None else torch.from_numpy(label).long()[at])


def test_labels_of_several():
    logits = draw(5, 4)
    label = torch.from_numpy(SEVERAL).long()
    expected = F.binary_cross_entropy_with_logits(logits, HERE.double())
    assert cams.of_labels(logits, label, "soft-margin") == expected
    right = [bool(HERE[i, int(row.argmax())]) for i, row in enumerate(logits)]
    assert cams.accuracy(logits, label).item() == pytest.approx(np.mean(right))
    assert cams.accuracy(logits[:4], label[:4, 0]).item() == pytest.approx(
        np.mean([int(row.argmax()) == SEVERAL[i, 0] for i, row in enumerate(logits[:4])])
    )


@pytest.mark.parametrize("name", ["cam", "seam", "sc-cam"])
def test_one_label_each_is_the_same_in_both_ways(name):
    label = np.array([2, 0, 3], np.int32)
    padded = np.stack([label, np.full(3, -1)], axis=1).astype(np.int32)
    images = draw(3, 3, 40, 40).float()
    one, several = (method_of(name, labels) for labels in (label, padded))
    last = Progress(3, 4, 1)  # with sub-categories
    out = one([images], batch(0, 1, 2, label=label), last)
    other = several([images], batch(0, 1, 2), last)
    torch.testing.assert_close(other.loss, out.loss)
    for key, value in out.logs.items():
        torch.testing.assert_close(other.logs[key], value)


def test_maps_of_several_categories():
    images = draw(3, 3, 40, 40).float()
    method = method_of("cam", SEVERAL[:4])
    out = method([images, images.flip(3)], batch(0, 3, 2), FIRST)
    logits = torch.cat([pooled(method.activated(method.encoded(x))) for x in (images, images.flip(3))])
    here = HERE[[0, 3, 2]].repeat(2, 1)
    torch.testing.assert_close(out.loss, cams.soft_margin(logits, here))
    best = logits.argmax(dim=1)
    assert out.logs["accuracy"].item() == pytest.approx(here[torch.arange(6), best].double().mean().item())
    assert "several" not in method.state_dict()


def resized(x: Tensor, side: int) -> Tensor:
    return F.interpolate(x, (side, side), mode="bilinear", align_corners=False)


def published(method: Seam, images: Tensor, here: Tensor) -> dict[str, Tensor]:
    """All C maps and the background, multiplied with the labels, as the code of SEAM has them."""
    whole = torch.cat([torch.ones(len(here), 1), here], dim=1)[:, :, None, None]
    logits, found, refined = [], [], []
    for x in (images, resized(images, 16)):
        maps = method.encoded(x)
        cam = method.activated(maps).maps
        values = torch.cat(cams.competing(cam.detach()), dim=1)
        logits.append(cam.mean(dim=(2, 3)))
        found.append(cam)
        refined.append(method.correlation(x, maps.stages, values * whole))
    side = (40, 16)
    one, two = (cams.unit(resized(cam, s)) * whole[:, 1:] for cam, s in zip(found, side, strict=True))
    one = resized(one, 16)
    full = [resized(r, s) for r, s in zip(refined, side, strict=True)]
    rv = resized(cams.unit(full[0]) * whole, 16), cams.unit(full[1]) * whole
    hard = torch.zeros(())
    for own, other in zip(rv, (two, one), strict=True):
        top = torch.where(other < other.amax(dim=1, keepdim=True), 0.0, other)
        target = torch.cat([1 - other.amax(dim=1, keepdim=True), top], dim=1)
        rows = (target.detach() - own).abs().flatten(1)
        hard = hard + rows.topk(int(0.2 * 5 * 16 * 16)).values.mean()
    quarter = [(r * whole)[:, 1:].amax(dim=1).flatten(1).sort(dim=1).values[:, : r[0, 0].numel() // 4] for r in full]
    return {
        "classification": sum(F.multilabel_soft_margin_loss(x, here.float()) for x in logits) / 2,
        "least_quarter": sum(q.mean() for q in quarter) / 2,
        "er": (one - two).abs().mean(),
        "ecr": hard,
    }


def test_seam_of_several_categories_is_as_published():
    method, images = method_of("seam", SEVERAL[:4]), draw(4, 3, 40, 40).float()
    assert isinstance(method, Seam)
    found = method.losses(images, method.label_of(batch(0, 1, 2, 3)))
    for name, value in published(method, images, HERE[:4]).items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-6)
    total = sum(found[name] for name in ("classification", "least_quarter", "er", "ecr"))
    torch.testing.assert_close(method([images], batch(0, 1, 2, 3), FIRST).loss, total)
    method.train()
    method.losses(images, method.label_of(batch(0, 1, 2, 3)))["er"].backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in method.parameters())


def test_sub_categories_of_all_categories_that_an_image_has():
    method, images = method_of("sc-cam", SEVERAL[:4], subcategories=3, rounds=1), draw(2, 3, 40, 40).float()
    assert isinstance(method, SCCam)
    method.subcategory.copy_(torch.tensor([[7, 2], [3, -3], [9, 5], [0, -3]]))
    target = torch.zeros(2, 12)
    target[0, [9, 5]] = 1
    target[1, [3]] = 1
    maps = method.encoded(images)
    parts = method.sub_head(pool(maps, method.cfg.features, attend=False)).float()
    whole = cams.soft_margin(pooled(method.activated(maps)), HERE[[2, 1]])
    expected = whole + 5 * F.binary_cross_entropy_with_logits(parts, target)
    torch.testing.assert_close(method([images], batch(2, 1), Progress(3, 4, 1)).loss, expected)


def test_sub_categories_are_found_in_each_category(tmp_path):
    """As if each category were clustered on its own."""
    random = np.random.default_rng(0)
    vectors = (random.integers(0, 3, (30, 1)) * 10 + random.normal(0, 0.1, (30, 4))).astype(np.float32)
    label = np.stack([np.arange(30) % 2, np.where(np.arange(30) % 3 == 0, 1 - np.arange(30) % 2, -1)], axis=1)
    source = features(tmp_path, vectors)
    found = within_categories(source, label, 3, 10, seed=3)
    assert found.shape == label.shape
    assert (found[label < 0] == 0).all()
    for c in (0, 1):
        rows, place = np.nonzero(label == c)
        (tmp_path / str(c)).mkdir()
        alone = within_categories(features(tmp_path / str(c), vectors[rows]), np.zeros(len(rows), int), 3, 10, seed=3)
        pairs = set(zip(found[rows, place].tolist(), alone.tolist(), strict=True))
        assert len(pairs) == 3


def test_means_of_all_that_have_a_label():
    vectors, label = np.arange(15, dtype=np.float32).reshape(5, 3), SEVERAL
    means, distance = around_means(lambda: [vectors[:2], vectors[2:]], label, 4)
    for c in range(4):
        np.testing.assert_allclose(means[c], vectors[HERE[:, c].numpy()].mean(axis=0))
    np.testing.assert_allclose(distance[:4], ((vectors - means[label[:, 0]]) ** 2).sum(axis=1)[:4])
