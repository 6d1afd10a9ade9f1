"""BYOL, NPID and DeepCluster: what their papers say of each step, beside what all methods owe the loop."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import adjusted_rand_score

from luss_core.config import METHODS
from luss_core.data.loader import Views
from luss_core.data.ordered import TrainingImages
from luss_core.errors import UserError
from luss_core.methods import Progress, build_method
from luss_core.methods.npid import NPID
from luss_core.models.encoder import Encoder, pool
from luss_core.train.loop import train_step
from luss_core.train.optim import make_optimizer
from tests.method.test_methods import CPU, IMAGES, PLAIN, TINY, TRAIN, Textures, batch_of, make, views_of

FIRST = Progress(0, 15, 5)


def test_byol_predicts_each_view_from_the_other():
    method, batch = make("byol").train(), batch_of(8, "byol")
    seen = batch.views()
    p = [F.normalize(method.predictor(method.projector(pool(method.encoder(v)))).double(), dim=1) for v in seen]
    encoder, projector = copy.deepcopy(method.target)
    t = [F.normalize(projector(pool(encoder(v))).double(), dim=1) for v in seen]
    expected = ((p[0] - t[1]) ** 2).sum(dim=1).mean() + ((p[1] - t[0]) ** 2).sum(dim=1).mean()
    torch.testing.assert_close(method(seen, batch, FIRST).loss.double(), expected, rtol=1e-5, atol=1e-5)
    swapped = method(seen[::-1], batch, FIRST).loss.double()
    torch.testing.assert_close(swapped, expected, rtol=1e-5, atol=1e-5)


def test_byols_copy_learns_nothing_and_follows():
    method, optimizer = make("byol").train(), None
    optimizer = make_optimizer(method, TRAIN)
    target = [p.clone() for p in method.target.parameters()]
    progress = Progress(5, 15, 5)
    train_step(method, optimizer, batch_of(8, "byol"), TRAIN, progress)
    online = [*method.encoder.parameters(), *method.projector.parameters()]
    m = 1 - (1 - 0.99) * (np.cos(np.pi * 5 / 15) + 1) / 2
    for before, after, leader in zip(target, method.target.parameters(), online, strict=True):
        assert after.grad is None
        torch.testing.assert_close(after, m * before + (1 - m) * leader, rtol=1e-5, atol=1e-7)
    trained = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert not trained & {id(p) for p in method.target.parameters()}


def test_byols_views_differ_in_blur_and_solarising():
    """App. B of its paper."""
    cfg = views_of("byol")
    assert [(cfg.colour(v).blur, cfg.colour(v).solarise) for v in (0, 1)] == [(1.0, 0.0), (0.1, 0.2)]
    assert [cfg.colour(0).brightness, cfg.colour(1).hue] == [0.4, 0.1]


def npid(images: int = IMAGES, **settings: object) -> NPID:
    torch.manual_seed(0)
    cfg = METHODS["npid"].config.model_validate({**METHODS["npid"].tiny, **settings})
    method = build_method(cfg, Encoder(PLAIN), images)
    assert isinstance(method, NPID)
    return method.train()


def test_npid_tells_an_image_from_those_that_were_drawn():
    method, batch = npid(temperature=0.07), batch_of(8, "npid")
    bank = method.bank.clone()
    z = F.normalize(method.projector(pool(method.encoder(batch.views()[0]))), dim=1).double()
    torch.manual_seed(3)
    drawn = method._others(batch.index)
    torch.manual_seed(3)
    loss = method(batch.views(), batch, FIRST).loss
    rows = [
        (
            F.cross_entropy(
                torch.stack([z[b] @ bank[i].double(), *(bank[drawn[b]].double() @ z[b])]) / 0.07, torch.tensor(0)
            )
        )
        for b, i in enumerate(batch.index)
    ]
    assert loss.item() == pytest.approx(sum(row.item() for row in rows) / 8, rel=1e-4)


def test_npid_remembers_by_index_with_momentum():
    method, batch = npid(momentum=0.5), batch_of(8, "npid")
    before = method.bank.clone()
    z = F.normalize(torch.randn(8, 8), dim=1)
    method.remember(z, batch.index)
    seen = batch.index.tolist()
    torch.testing.assert_close(method.bank[seen], F.normalize(0.5 * before[seen] + 0.5 * z, dim=1))
    others = [i for i in range(IMAGES) if i not in seen]
    assert torch.equal(method.bank[others], before[others])
    torch.testing.assert_close(method.bank.norm(dim=1), torch.ones(IMAGES))


def test_npid_draws_all_others_alike_and_never_the_image_itself():
    method, index = npid(images=6, negatives=5), torch.tensor([0, 3, 5])
    drawn = torch.cat([method._others(index) for _ in range(4000)], dim=1)
    for image, row in zip(index.tolist(), drawn, strict=True):
        share = torch.bincount(row, minlength=6) / row.numel()
        assert share[image] == 0
        np.testing.assert_allclose(np.delete(share.numpy(), image), 0.2, atol=0.015)
    assert npid(images=4)._others(torch.tensor([2])).shape == (1, 3)  # no more than there are


class Colours(Textures):
    """Red and blue images, whose features no network can mix up."""

    def read(self, row: int) -> np.ndarray:
        noise = np.random.default_rng(row).integers(0, 20, (30, 34, 3))
        return (noise + np.array([[200, 0, 0], [0, 0, 200]])[row % 2]).astype(np.uint8)


def test_deepcluster_finds_the_clusters_of_its_features(tmp_path):
    cfg = METHODS["deepcluster"].config.model_validate({**METHODS["deepcluster"].tiny, "clusters": 2, "components": 1})
    torch.manual_seed(0)
    method = build_method(cfg, Encoder(PLAIN), IMAGES).eval()
    source = Views(Colours(), np.arange(IMAGES), views_of("deepcluster"), 0)
    head = method.head.weight.clone()
    torch.manual_seed(0)
    with torch.no_grad():
        renewed = list(method.before_epoch(FIRST, TrainingImages(source, CPU, "float32", tmp_path)))
    assert adjusted_rand_score(np.arange(IMAGES) % 2, method.label.numpy()) == 1
    assert {id(p) for p in renewed} == {id(p) for p in method.head.parameters()}
    assert not torch.equal(head, method.head.weight)


def test_deepcluster_clusters_every_so_many_epochs(tmp_path):
    cfg = METHODS["deepcluster"].config.model_validate({**METHODS["deepcluster"].tiny, "every_epochs": 3})
    method = build_method(cfg, Encoder(PLAIN), IMAGES).eval()
    images = TrainingImages(Views(Colours(), np.arange(IMAGES), views_of("deepcluster"), 0), CPU, "float32", tmp_path)
    worked = [bool(list(method.before_epoch(Progress(5 * epoch, 40, 5), images))) for epoch in range(5)]
    assert worked == [True, False, False, True, False]


def test_deepcluster_draws_uniformly_over_clusters():
    method = make("deepcluster")
    method.label.copy_(torch.tensor([0] * 30 + [1] * 8 + [3] * 2))
    order = method.order(0, np.random.default_rng(0))
    drawn = np.bincount(method.label[torch.from_numpy(order)].numpy(), minlength=5)
    assert len(order) == IMAGES
    assert drawn[2] == drawn[4] == 0
    assert drawn[[0, 1, 3]].min() >= IMAGES // 3 - 2
    assert np.array_equal(order, method.order(0, np.random.default_rng(0)))
    large = order[method.label.numpy()[order] == 0]
    assert len(set(large.tolist())) == len(large)  # none twice where there are enough


def test_deepcluster_needs_as_many_images_as_clusters():
    with pytest.raises(UserError, match=r"4 training images cannot form method\.clusters = 5"):
        build_method(TINY["deepcluster"], Encoder(PLAIN), 4)
