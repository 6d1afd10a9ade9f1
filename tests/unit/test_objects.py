"""The losses of MaskContrast, against their written-out definitions."""

import math

import pytest
import torch
import torch.nn.functional as F

from luss_core.losses import objects
from luss_core.losses.objects import balanced_cross_entropy, object_means, pixel_to_object


def units(*shape: int, seed: int = 0, dim: int = 1) -> torch.Tensor:
    drawn = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return F.normalize(drawn, dim=dim)


def mask_of(*shape: int) -> torch.Tensor:
    return (torch.rand(*shape, generator=torch.Generator().manual_seed(5)) < 0.4).double()


def test_an_object_is_the_mean_of_its_pixels():
    maps, mask = units(3, 4, 2, 5), mask_of(3, 1, 2, 5)
    mask[1] = 0
    means, found = object_means(maps, mask)
    assert found.tolist() == [1, 0, 1]
    for b in range(3):
        inside = [maps[b, :, y, x] for y in range(2) for x in range(5) if mask[b, 0, y, x] or b == 1]
        mean = sum(inside) / len(inside)
        torch.testing.assert_close(means[b], mean / mean.norm())


def by_definition(pixels, weights, candidates, first, t):
    total, count = 0.0, 0.0
    for b in range(len(pixels)):
        for y in range(pixels.shape[2]):
            for x in range(pixels.shape[3]):
                alike = [math.exp(float(pixels[b, :, y, x] @ other) / t) for other in candidates]
                total -= float(weights[b, y, x]) * math.log(alike[first + b] / sum(alike))
                count += float(weights[b, y, x])
    return total / count


@pytest.mark.parametrize("first", [0, 2])
def test_pixels_are_told_from_all_other_objects(first):
    pixels, weights, candidates = units(2, 4, 3, 3), mask_of(2, 3, 3), units(7, 4, seed=1)
    found = pixel_to_object(pixels, weights, candidates, slice(first, first + 2), 0.5)
    assert found.item() == pytest.approx(by_definition(pixels, weights, candidates, first, 0.5), rel=1e-10)


def test_parts_change_neither_loss_nor_gradient(monkeypatch):
    found = []
    for scores in (1 << 24, 40):
        monkeypatch.setattr(objects, "SCORES", scores)
        pixels = units(2, 4, 3, 3).requires_grad_()
        loss = pixel_to_object(pixels, mask_of(2, 3, 3), units(7, 4, seed=1), slice(0, 2), 0.5)
        found.append((loss, *torch.autograd.grad(loss, pixels)))
    torch.testing.assert_close(found[0], found[1])


def test_without_any_object_there_is_nothing_to_learn():
    pixels = units(2, 4, 3, 3).requires_grad_()
    loss = pixel_to_object(pixels, torch.zeros(2, 3, 3).double(), units(7, 4, seed=1), slice(0, 2), 0.5)
    loss.backward()
    assert loss.item() == 0
    assert pixels.grad.abs().max() == 0


def test_balanced_cross_entropy():
    logits, mask = 3 * units(2, 1, 3, 4), mask_of(2, 1, 3, 4)
    share = mask.sum().item() / 24
    total = 0.0
    for logit, inside in zip(logits.flatten().tolist(), mask.flatten().tolist(), strict=True):
        p = 1 / (1 + math.exp(-logit))
        total -= (1 - share) * math.log(p) if inside else share * math.log(1 - p)
    assert balanced_cross_entropy(logits.float(), mask.float()).item() == pytest.approx(total / 24, rel=1e-5)
    same = balanced_cross_entropy(torch.zeros(2, 1, 3, 4), mask.float()).item()
    assert same == pytest.approx(2 * share * (1 - share) * math.log(2), rel=1e-5)  # either side weighs the same
