"""Prototypes: their cosines are not rounded to what the network computes in."""

import pytest
import torch
import torch.nn.functional as F

from luss_core.models.heads import Prototypes


@pytest.fixture
def prototypes():
    torch.manual_seed(0)
    return Prototypes(16, 40)


@pytest.fixture
def z():
    return F.normalize(torch.randn(8, 16, generator=torch.Generator().manual_seed(1)), dim=1)


def test_cosines_under_autocast_are_those_without(prototypes, z):
    plain = prototypes(z)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.nn.Linear(16, 4)(z).dtype == torch.bfloat16  # what is around them is not computed in float32
        assert torch.equal(prototypes(z), plain)
        rounded = prototypes(z.bfloat16())
    assert rounded.dtype == torch.float32
    torch.testing.assert_close(rounded, plain, rtol=0, atol=0.01)


def test_gradients_under_autocast_are_those_without(prototypes, z):
    found = []
    for on in (False, True):
        prototypes.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=on):
            loss = prototypes(z).logsumexp(dim=1).sum()
        loss.backward()
        found.append(prototypes.weight.grad.clone())
    assert torch.equal(*found)
