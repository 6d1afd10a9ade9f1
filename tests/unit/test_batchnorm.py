"""Which BatchNorm normalises over all processes; that it does so is tested with two in tests/method."""

import pytest
import torch
from torch import nn

from luss_core.models.batchnorm import Apart, GroupBatchNorm, synchronized

KINDS = {"cpu": GroupBatchNorm, "cuda": nn.SyncBatchNorm}


def alone() -> Apart:
    return Apart(nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)))


def network() -> nn.Module:
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.BatchNorm1d(4, affine=False))
    return nn.ModuleDict({"plain": plain, "alone": alone()})


@pytest.mark.parametrize("device", KINDS)
def test_state_and_its_names_stay(device):
    one, two = network(), synchronized(network(), torch.device(device))
    assert isinstance(two.plain[1], KINDS[device])
    assert isinstance(two.plain[2], KINDS[device])
    before, after = one.state_dict(), two.state_dict()
    assert list(before) == list(after)
    assert all(torch.equal(before[name], after[name]) for name in before)
    two.load_state_dict(before)


@pytest.mark.parametrize("device", KINDS)
def test_what_is_apart_keeps_its_own_normalisation(device):
    for apart in (synchronized(network(), torch.device(device)).alone, synchronized(alone(), torch.device(device))):
        assert type(apart.network[1]) is nn.BatchNorm1d
        x = torch.randn(4, 3)
        torch.testing.assert_close(apart(x), apart.network(x))


@pytest.mark.parametrize("device", KINDS)
def test_settings_stay(device):
    norm = nn.BatchNorm2d(4, eps=1e-3, momentum=0.3, track_running_stats=False).eval()
    norm.weight.requires_grad_(False)
    new = synchronized(norm, torch.device(device))
    assert (new.eps, new.momentum, new.track_running_stats, new.training) == (1e-3, 0.3, False, False)
    assert new.weight is norm.weight
    assert not new.weight.requires_grad
