"""Alignment and attention losses against definitions written out in float64."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.filters import threshold_otsu

from luss_core.losses.alignment import image_to_pixel, pixel_to_pixel
from luss_core.losses.attention import attention_loss, attention_target, otsu
from luss_core.losses.clustering import sinkhorn, soft_cross_entropy

B, P, K, T, EPS = 3, 4, 5, 0.2, 0.05


def scores(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.empty(*shape, dtype=torch.float64).uniform_(-1, 1, generator=torch.Generator().manual_seed(seed))


def literal_codes(rows: np.ndarray, iterations: int = 3) -> np.ndarray:
    """Sinkhorn-Knopp as Sec. 3.1 of SwAV states it."""
    q = np.exp(rows / EPS).T
    q /= q.sum()
    for _ in range(iterations):
        q /= q.sum(axis=1, keepdims=True) * len(q)
        q /= q.sum(axis=0, keepdims=True) * q.shape[1]
    return (q * q.shape[1]).T


def literal_cross_entropy(row: np.ndarray, code: np.ndarray) -> float:
    total = math.log(sum(math.exp(v / T) for v in row))
    return -sum(c * (v / T - total) for v, c in zip(row, code, strict=True))


def test_image_to_pixel():
    codes, pixels = scores(B, K).softmax(dim=1), scores(B, P, K, seed=1)
    wanted = np.mean([literal_cross_entropy(pixels[b, p], codes[b]) for b in range(B) for p in range(P)])
    assert image_to_pixel(codes, pixels, T).item() == pytest.approx(wanted, rel=1e-12)


def copied(codes: torch.Tensor, pixels: torch.Tensor) -> torch.Tensor:
    """The same as a cross-entropy for every pixel, with a copy of the code for each."""
    return soft_cross_entropy(pixels.flatten(0, 1) / T, codes.repeat_interleave(pixels.shape[1], dim=0))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
def test_image_to_pixel_is_the_cross_entropy_of_every_pixel(dtype, tolerance):
    codes, found = scores(6, 30).to(dtype).softmax(dim=1), []
    for loss in (lambda pixels: image_to_pixel(codes, pixels, T), lambda pixels: copied(codes, pixels)):
        pixels = scores(6, 49, 30, seed=1).to(dtype).requires_grad_()
        value = loss(pixels)
        value.backward()
        found.append((value.detach(), pixels.grad * (6 * 49 * T)))  # in -1..1
    for mine, theirs in zip(*found, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=tolerance, atol=tolerance)


def test_image_to_pixel_of_no_images_is_nothing():
    assert image_to_pixel(torch.zeros(0, K), torch.zeros(0, P, K), T).item() == 0


def test_image_to_pixel_keeps_one_map_of_scores_for_its_gradient():
    """Copied codes are a second one: 600 MB a view with 256 images of 196 pixels and 3000 prototypes."""
    codes, kept = scores(B, 50).softmax(dim=1), {}

    def note(x: torch.Tensor) -> torch.Tensor:
        kept[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
        return x

    pixels = scores(B, 49, 50, seed=1).requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(note, lambda x: x):
        image_to_pixel(codes, pixels, T)
    assert sum(kept.values()) < 1.1 * pixels.untyped_storage().nbytes()


def test_pixel_to_pixel():
    one, two = scores(B, P, K), scores(B, P, K, seed=1)
    rows = [s.flatten(0, 1).numpy() for s in (one, two)]
    codes = [literal_codes(r) for r in rows]
    pairs = [literal_cross_entropy(rows[1 - v][n], codes[v][n]) for v in (0, 1) for n in range(B * P)]
    assert pixel_to_pixel(one, two, T, EPS, 3).item() == pytest.approx(np.mean(pairs), rel=1e-9)


def test_codes_of_pixels_pass_no_gradient():
    one, two = scores(B, P, K).requires_grad_(), scores(B, P, K, seed=1)
    pixel_to_pixel(one, two, T, EPS, 3).backward()
    found, one.grad = one.grad, None
    soft_cross_entropy(one.flatten(0, 1) / T, sinkhorn(two.flatten(0, 1), EPS, 3)).backward()
    torch.testing.assert_close(found, one.grad / 2)


def test_attention_loss():
    logits, target = scores(2, 1, 3, 4), scores(2, 1, 3, 4, seed=1).abs()
    p = 1 / (1 + np.exp(-logits.numpy()))
    wanted = -(target.numpy() * np.log(p) + (1 - target.numpy()) * np.log(1 - p)).mean()
    assert attention_loss(logits, target.float()).item() == pytest.approx(wanted, rel=1e-5)


def test_target_is_brought_to_the_resolution_of_the_attention():
    target = torch.zeros(1, 1, 8, 8)
    target[..., :4] = 1
    logits = torch.full((1, 1, 2, 2), -20.0)
    logits[..., 0] = 20
    assert attention_loss(logits, target).item() < attention_loss(-logits, target).item() / 5
    flat = torch.rand(1, 1, 8, 8)  # a mean of means is the mean
    even = attention_loss(torch.zeros(1, 1, 2, 2), flat).item()
    assert even == pytest.approx(math.log(2))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_otsu_equals_scikit_image(seed):
    rng = np.random.default_rng(seed)
    level = np.concatenate([rng.normal(60, 20, 300), rng.normal(180, 30, 100)]).clip(0, 255).round().astype(np.uint8)
    cut = otsu(torch.from_numpy(level).float().view(1, 1, 20, 20) / 255).item() * 255
    mine, theirs = level >= cut, level > threshold_otsu(level)
    assert (mine != theirs).mean() <= 0.01  # ties between levels that no pixel has


def test_targets():
    saliency = torch.tensor([0.0, 0.1, 0.2, 0.9]).view(1, 1, 2, 2)
    assert attention_target(saliency, "soft") is saliency
    assert attention_target(saliency, "adaptive").flatten().tolist() == [0, 0, 0, 1]  # twice the mean is 0.6
    assert attention_target(saliency, "otsu").flatten().tolist() == [0, 0, 0, 1]
    assert attention_target(torch.zeros(1, 1, 2, 2), "adaptive").sum() == 0
