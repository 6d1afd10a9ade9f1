"""SwAV's parts against written-out definitions in float64."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from luss_core.losses.clustering import normalized_entropy, sinkhorn, soft_cross_entropy


def slow_sinkhorn(scores: np.ndarray, epsilon: float, iterations: int) -> np.ndarray:
    """The algorithm line by line as luss.md and the SwAV paper give it: K x B, alternating marginals."""
    q = np.exp(scores / epsilon).T
    q /= q.sum()
    prototypes, batch = q.shape
    for _ in range(iterations):
        for k in range(prototypes):
            q[k] /= q[k].sum() * prototypes
        for b in range(batch):
            q[:, b] /= q[:, b].sum() * batch
    return (q * batch).T


@pytest.mark.parametrize(("batch", "prototypes"), [(5, 3), (16, 40), (64, 7)])
@pytest.mark.parametrize("iterations", [1, 3, 10])
def test_sinkhorn_against_the_definition(batch, prototypes, iterations):
    scores = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (batch, prototypes)))
    expected = slow_sinkhorn(scores.numpy(), 0.05, iterations)
    np.testing.assert_allclose(sinkhorn(scores, 0.05, iterations).numpy(), expected, atol=1e-12)
    np.testing.assert_allclose(sinkhorn(scores.float(), 0.05, iterations).numpy(), expected, atol=1e-4)


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 20), st.integers(2, 20), st.integers(0, 99))
def test_sinkhorn_marginals(batch, prototypes, seed):
    scores = torch.randn(batch, prototypes, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    q = sinkhorn(scores, 0.5, 300)
    np.testing.assert_allclose(q.sum(1), 1, atol=1e-12)
    np.testing.assert_allclose(q.sum(0), batch / prototypes, rtol=1e-3)


def test_sinkhorn_survives_large_scores():
    q = sinkhorn(torch.tensor([[400.0, -400.0], [-400.0, 400.0], [0.0, 0.0], [-900.0, -901.0]]), 0.05, 3)
    assert torch.isfinite(q).all()
    torch.testing.assert_close(q.sum(dim=1), torch.ones(4))


def test_soft_cross_entropy_against_the_definition():
    rng = np.random.default_rng(1)
    logits, target = rng.normal(size=(6, 5)), rng.dirichlet(np.ones(5), 6)
    total = 0.0
    for b in range(6):
        z = sum(math.exp(v) for v in logits[b])
        total -= sum(target[b, k] * math.log(math.exp(logits[b, k]) / z) for k in range(5))
    ours = soft_cross_entropy(torch.from_numpy(logits), torch.from_numpy(target))
    assert float(ours) == pytest.approx(total / 6, abs=1e-12)


def test_soft_cross_entropy_equals_torch():
    logits, target = torch.randn(6, 5), torch.softmax(torch.randn(6, 5), dim=1)
    torch.testing.assert_close(soft_cross_entropy(logits, target), torch.nn.functional.cross_entropy(logits, target))


def test_entropy_ends():
    assert float(normalized_entropy(torch.eye(4))) == pytest.approx(0)
    assert float(normalized_entropy(torch.full((3, 4), 0.25))) == pytest.approx(1)
