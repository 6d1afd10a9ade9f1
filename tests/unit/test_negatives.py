"""What many negatives weigh, against its definition, with and without those of the own source."""

import pytest
import torch
import torch.nn.functional as F

from luss_core.losses import negatives
from luss_core.losses.negatives import FAR, Sources, weight_of_negatives

T = 0.07


def units(*shape: int, seed: int) -> torch.Tensor:
    drawn = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return F.normalize(drawn, dim=-1)


def by_definition(z: torch.Tensor, others: torch.Tensor, sources: Sources | None = None) -> torch.Tensor:
    """Row by row, leaving out what is not to count."""
    rows = []
    for i, row in enumerate(z):
        own = None if sources is None else sources.own[i // (len(z) // len(sources.own))]
        counts = others if sources is None else others[sources.negatives != own]
        rows.append((counts @ row / T).exp().sum().log())
    return torch.stack(rows)


@pytest.mark.parametrize("most", [1 << 20, 22])
@pytest.mark.parametrize("apart", [False, True])
def test_value_and_gradient_are_those_of_the_definition_also_in_parts(monkeypatch, most, apart):
    monkeypatch.setattr(negatives, "CACHED", most)
    sources = Sources(torch.tensor([3, 5, 3]), torch.tensor([3, 9, 9, 5, 5, 5, 3, 1, 2, 2, 7])) if apart else None
    z, others = units(6, 4, seed=0).requires_grad_(), units(11, 4, seed=1)
    found = []
    for function in (lambda: weight_of_negatives(z, others, T, sources), lambda: by_definition(z, others, sources)):
        value = function()
        found.append((value, torch.autograd.grad((value * torch.arange(1.0, 7)).sum(), z)[0]))
    torch.testing.assert_close(found[0], found[1], rtol=1e-9, atol=1e-9)


def test_the_gradient_is_that_of_small_differences():
    z, others = units(3, 4, seed=2).requires_grad_(), units(7, 4, seed=3)
    sources = Sources(torch.tensor([1, 2, 3]), torch.tensor([1, 1, 2, 2, 9, 9, 9]))
    assert torch.autograd.gradcheck(lambda x: weight_of_negatives(x, others, T, sources), z)


def test_nothing_is_left_where_all_are_of_the_own_source_or_there_are_none():
    z, others = units(2, 4, seed=4).requires_grad_(), units(5, 4, seed=5)
    own = weight_of_negatives(z, others, T, Sources(torch.tensor([1, 1]), torch.ones(5, dtype=torch.int64)))
    assert (own < FAR / 2).all()
    none = weight_of_negatives(z, others[:0], T)
    assert torch.equal(none, torch.full((2,), -torch.inf, dtype=torch.float64))
    assert torch.equal(torch.autograd.grad(none.sum(), z)[0], torch.zeros_like(z))


def test_it_is_exact_where_a_network_computes_in_bfloat16():
    z, others = units(4, 8, seed=6).float(), units(9, 8, seed=7).float()
    with torch.autocast("cpu", torch.bfloat16):
        found = weight_of_negatives(z, others, T)
    torch.testing.assert_close(found.double(), by_definition(z.double(), others.double()), rtol=1e-5, atol=1e-5)


def test_unlikely_negatives_do_not_vanish():
    """At a small temperature every exp(cos / t) is below the least number of float32."""
    z = torch.eye(4)[:1]
    found = weight_of_negatives(z, -z.expand(3, -1), 0.005)
    torch.testing.assert_close(found, torch.tensor([3.0]).log() - 200)
