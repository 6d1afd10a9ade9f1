"""Losses between embeddings of images, and networks that follow others, against their written-out definitions."""

import math

import pytest
import torch
from lightly.loss import NegativeCosineSimilarity, VICRegLoss
from torch import nn

from luss_core.losses.instance import cosine_distance, instance_cross_entropy, spread
from luss_core.methods import Progress
from luss_core.models.encoder import pool
from luss_core.models.momentum import follow, frozen_copy, in_shuffled_parts, rising_momentum
from tests.method.test_methods import batch_of, make


def unit(*shape: int) -> torch.Tensor:
    return nn.functional.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape))), dim=-1)


def test_cosine_distance():
    p, t = torch.randn(6, 5, generator=torch.Generator().manual_seed(0)), torch.randn(6, 5)
    pairs = [((a / a.norm() - b / b.norm()) ** 2).sum() for a, b in zip(p.double(), t.double(), strict=True)]
    assert float(cosine_distance(p, t)) == pytest.approx(float(sum(pairs) / 6), abs=1e-6)
    assert float(cosine_distance(p, t)) == pytest.approx(2 + 2 * float(NegativeCosineSimilarity()(p, t)), abs=1e-6)
    assert float(cosine_distance(p, 3 * p)) == pytest.approx(0, abs=1e-6)


def test_instance_cross_entropy():
    z, positive, negatives = unit(4, 3), unit(4, 3).flip(0), unit(4, 7, 3)
    total = 0.0
    for b in range(4):
        logits = [float(z[b].double() @ v.double()) / 0.07 for v in (positive[b], *negatives[b])]
        total -= logits[0] - math.log(sum(math.exp(x) for x in logits))
    assert float(instance_cross_entropy(z, positive, negatives, 0.07)) == pytest.approx(total / 4, rel=1e-5)


def test_a_copy_follows():
    online = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    target = frozen_copy(online)
    before = [p.clone() for p in target.parameters()]
    with torch.no_grad():
        for p in online.parameters():
            p.add_(1)
    follow(target, online, 0.9)
    for old, new in zip(before, target.parameters(), strict=True):
        assert not new.requires_grad
        torch.testing.assert_close(new, old + 0.1)


def test_momentum_rises_from_its_base_to_one():
    found = [rising_momentum(0.99, step, 100) for step in (0, 50, 100)]
    assert found == pytest.approx([0.99, 0.995, 1])


def test_shuffled_parts_are_normalised_apart_and_put_back():
    network, x = nn.BatchNorm1d(3).train(), torch.randn(8, 3)
    torch.manual_seed(1)
    found = in_shuffled_parts(network, x, 4)
    torch.manual_seed(1)
    order = torch.randperm(8)
    for part in (order[:4], order[4:]):
        torch.testing.assert_close(found[part].mean(dim=0), network.bias.detach(), atol=1e-6, rtol=0)
        torch.testing.assert_close(found[part], nn.BatchNorm1d(3).train()(x[part]).detach())


@pytest.mark.parametrize("scale", [0.3, 2.0])
def test_spread_is_what_equations_1_2_and_4_say(scale):
    z = scale * torch.randn(6, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    rows, mean = z.tolist(), z.mean(dim=0).tolist()
    missing = unlike = 0.0
    for a in range(4):
        for b in range(4):
            covariance = sum((row[a] - mean[a]) * (row[b] - mean[b]) for row in rows) / 5
            missing += max(0.0, 1 - math.sqrt(covariance + 1e-4)) / 4 if a == b else 0
            unlike += covariance**2 / 4 if a != b else 0
    assert [x.item() for x in spread(z)] == pytest.approx([missing, unlike], rel=1e-10)


def test_vicreg_equals_the_loss_of_another_library():
    method = make("vicreg").train()
    batch = batch_of(8, "vicreg")
    one, two = (method.expander(pool(method.encoder(view))) for view in batch.views())
    torch.testing.assert_close(method(batch.views(), batch, Progress(5, 15, 5)).loss, VICRegLoss()(one, two))
