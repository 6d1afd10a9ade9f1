"""ProtoNCE and the concentration of clusters, against what the paper of PCL writes."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from luss_core.losses.prototypes import concentration, proto_nce


def units(*shape: int, seed: int = 0) -> torch.Tensor:
    drawn = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return F.normalize(drawn, dim=-1)


def test_proto_nce_is_what_equation_11_says():
    z, centroids, phi = units(4, 5), units(7, 5, seed=1), 0.1 + torch.arange(7, dtype=torch.float64) / 10
    own, drawn = torch.tensor([3, 0, 6, 3]), torch.tensor([5, 3, 1])
    total = 0.0
    for i, s in enumerate(own.tolist()):
        shares = {j: math.exp(float(z[i] @ centroids[j]) / float(phi[j])) for j in {s, *drawn.tolist()}}
        total -= math.log(shares[s] / sum(shares.values()))
    assert proto_nce(z, own, drawn, centroids, phi).item() == pytest.approx(total / 4, rel=1e-10)


def test_with_no_other_prototype_there_is_nothing_to_learn():
    z = units(3, 5).requires_grad_()
    loss = proto_nce(z, torch.zeros(3).long(), torch.tensor([0]), units(2, 5), torch.full((2,), 0.2).double())
    loss.backward()
    assert loss.item() == 0
    assert z.grad.abs().max() == 0


@pytest.mark.parametrize("alpha", [0.0, 10.0])
def test_concentration_is_what_equation_12_says(alpha):
    random = np.random.default_rng(0)
    label, distance = random.integers(0, 12, 90), random.uniform(0.1, 1, 90)
    label[label == 5] = 4
    label[0] = 5  # one image
    phi = np.zeros(13)  # the last has none
    for c in range(12):
        members = distance[label == c]
        if len(members) > 1:
            phi[c] = members.sum() / (len(members) * math.log(len(members) + alpha))
    phi[[5, 12]] = phi.max()
    phi = phi.clip(np.percentile(phi, 10), np.percentile(phi, 90))
    found = concentration(torch.from_numpy(distance), torch.from_numpy(label), 13, 0.2, alpha)
    np.testing.assert_allclose(found.numpy(), 0.2 * phi / phi.mean(), rtol=1e-10)
    assert found.mean().item() == pytest.approx(0.2)


def test_concentration_where_there_is_nothing_to_measure():
    alone = concentration(torch.zeros(4), torch.arange(4), 4, 0.2, 10)
    same = concentration(torch.zeros(4), torch.zeros(4).long(), 2, 0.2, 10)
    torch.testing.assert_close(torch.cat([alone, same]), torch.full((6,), 0.2))
