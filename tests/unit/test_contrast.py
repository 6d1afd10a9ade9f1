"""InfoNCE, the matching of positions, the cycle and the pixel shuffle, against what the papers write."""

import math

import pytest
import torch
import torch.nn.functional as F
from lightly.loss import NTXentLoss
from torch import nn

from luss_core.losses import contrast, cycle
from luss_core.losses.contrast import in_parts, info_nce, matched, nt_xent
from luss_core.losses.cycle import cycle_loss, cycle_matrix, peak_bytes
from luss_core.models.queue import new_queue, push
from luss_core.models.shuffle import draw_rolls, roll

CPU = torch.device("cpu")


def units(*shape: int, seed: int = 0, grad: bool = False) -> torch.Tensor:
    drawn = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return F.normalize(drawn, dim=-1).requires_grad_(grad)


def test_info_nce_is_what_equation_1_says():
    z, positive, negatives, t = units(5, 4), units(5, 4, seed=1), units(7, 4, seed=2), 0.07
    for i, found in enumerate(info_nce(z, positive, negatives, t)):
        alike = [math.exp(float(z[i] @ other) / t) for other in (positive[i], *negatives)]
        assert found.item() == pytest.approx(-math.log(alike[0] / sum(alike)), rel=1e-10)


def test_info_nce_equals_the_loss_of_another_library():
    """Its memory bank holds the negatives; it pulls both ways, of which the first is the one with the bank."""
    other = NTXentLoss(temperature=0.2, memory_bank_size=(7, 4))
    other.memory_bank.bank = units(7, 4, seed=2).float()
    other.memory_bank.bank_ptr = torch.zeros(1, dtype=torch.long)
    z, positive = units(5, 4).float(), units(5, 4, seed=1).float()
    expected = other(z, positive.requires_grad_(False))
    found = info_nce(z, positive, units(7, 4, seed=2).float(), 0.2).mean()
    torch.testing.assert_close(found, expected)


def test_nt_xent_is_what_equation_1_of_simclr_says():
    one, two, t = units(5, 4), units(5, 4, seed=1), 0.1
    views = [view for pair in zip(one, two, strict=True) for view in pair]
    for i, found in enumerate(nt_xent(one, two, t)):
        alike = {k: math.exp(float(views[i] @ views[k]) / t) for k in range(10) if k != i}
        partner = i + 1 if i % 2 == 0 else i - 1
        assert found.item() == pytest.approx(-math.log(alike[partner] / sum(alike.values())), rel=1e-10)


def test_nt_xent_equals_the_loss_of_another_library():
    pairs = [(units(6, 4, grad=True), units(6, 4, seed=1, grad=True)) for _ in range(2)]
    ours = nt_xent(*(F.normalize(view, dim=1) for view in pairs[0]), 0.2).mean()  # the other does so by itself
    losses = ours, NTXentLoss(temperature=0.2)(*pairs[1])
    torch.testing.assert_close(*losses)
    torch.testing.assert_close(*(torch.autograd.grad(loss, pair) for loss, pair in zip(losses, pairs, strict=True)))


def test_nt_xent_in_parts(monkeypatch):
    found = []
    for scores in (1 << 24, 30):  # three of ten rows at a time
        monkeypatch.setattr(contrast, "SCORES", scores)
        one, two = units(5, 4, grad=True), units(5, 4, seed=1, grad=True)
        loss = nt_xent(one, two, 0.1)
        found.append((loss, *torch.autograd.grad(loss.sum(), (one, two))))
    torch.testing.assert_close(found[0], found[1])


def test_nt_xent_is_exact_where_a_network_computes_in_bfloat16():
    one, two = units(5, 4).float(), units(5, 4, seed=1).float()
    with torch.autocast("cpu", torch.bfloat16):
        found = nt_xent(one, two, 0.05)
    assert torch.equal(found, nt_xent(one, two, 0.05))


def test_info_nce_of_vectors_that_are_all_alike_is_the_logarithm_of_their_number():
    same = units(1, 4)
    assert info_nce(same, same, same.expand(9, -1), 0.07).item() == pytest.approx(math.log(10))
    assert info_nce(same, same, same[:0], 0.07).item() == 0


@pytest.mark.parametrize("soft", [False, True])
def test_parts_change_neither_losses_nor_gradients(monkeypatch, soft):
    found = []
    for scores in (1 << 24, 60):  # of 60 similarities, two images of 25 positions are three parts
        monkeypatch.setattr(contrast, "SCORES", scores)
        monkeypatch.setattr(cycle, "SCORES", scores)
        c, later, negatives, u = units(3, 5, 4, grad=True), units(3, 5, 4, seed=1), units(6, 4, seed=2), units(3, 5, 4)
        loss = cycle_loss(c, later, negatives, 0.1, (u, u) if soft else None).mean()
        rows = info_nce(c.flatten(0, 1), later.flatten(0, 1), negatives, 0.1).mean()
        found.append((loss, *torch.autograd.grad(loss + rows, c)))
    torch.testing.assert_close(found[0], found[1])


def test_parts_are_as_long_as_asked_for():
    lengths = []

    def row(x: torch.Tensor) -> torch.Tensor:
        lengths.append(len(x))
        return x

    assert torch.equal(in_parts(row, (torch.arange(7),), 3), torch.arange(7))
    assert lengths == [3, 3, 1]


def test_positions_are_matched_to_the_most_alike():
    u, later = units(2, 6, 5), units(2, 8, 5, seed=1)
    for b in range(2):
        for i in range(6):
            assert matched(u, later)[b, i] == max(range(8), key=lambda j: float(u[b, i] @ later[b, j]))


def test_rows_of_the_cycle_matrix_sum_to_one():
    m = cycle_matrix(units(2, 6, 5), units(2, 8, 5, seed=1), units(9, 5, seed=2), 0.07)
    assert m.shape == (2, 6, 15)
    torch.testing.assert_close(m.sum(dim=2), torch.ones(2, 6, dtype=torch.float64))


@pytest.mark.parametrize("negatives", [0, 9])
def test_the_hard_cycle_is_the_cross_entropy_with_the_identity(negatives):
    c, later, others = units(2, 6, 5), units(2, 8, 5, seed=1), units(negatives, 5, seed=2)
    expected = -cycle_matrix(c, later, others, 0.1).diagonal(dim1=1, dim2=2).log()
    torch.testing.assert_close(cycle_loss(c, later, others, 0.1), expected)


def test_the_soft_cycle_is_the_divergence_from_what_the_global_head_sees():
    c, later, others, u = units(2, 6, 5), units(2, 8, 5, seed=1), units(9, 5, seed=2), units(2, 6, 3, seed=4)
    m = cycle_matrix(c, later, others, 0.1)[..., :6]
    for b in range(2):
        target = (u[b] @ u[b].t() / 0.1).softmax(dim=1)
        expected = F.kl_div(m[b].log(), target, reduction="none").sum(dim=1)
        torch.testing.assert_close(cycle_loss(c, later, others, 0.1, (u, u))[b], expected)


def test_a_cycle_over_orthogonal_features_costs_nothing():
    c = torch.eye(8).expand(2, -1, -1)
    assert cycle_loss(c, c, torch.zeros(0, 8), 0.01).max() < 1e-6
    assert cycle_loss(c, c, torch.zeros(0, 8), 0.01, (c, c)).abs().max() < 1e-6
    assert cycle_loss(c, c.roll(1, 1), torch.zeros(0, 8), 0.01).max() < 1e-6  # moved frames are as good


def test_negatives_make_the_cycle_harder():
    c, later = units(2, 6, 5), units(2, 6, 5, seed=1)
    assert (cycle_loss(c, later, units(9, 5, seed=2), 0.1) > cycle_loss(c, later, units(0, 5), 0.1)).all()


def test_the_peak_is_that_of_one_part():
    """Crops of 224 pixels, 32 a GPU, 16384 negatives: a gigabyte of float32 instead of six."""
    assert peak_bytes(32, 784, 16384) / 1e9 == pytest.approx(0.93, abs=0.02)
    assert peak_bytes(256, 784, 16384) == peak_bytes(32, 784, 16384)


def test_a_queue_has_the_newest_first_whatever_comes():
    queue = new_queue(5, 3)
    torch.testing.assert_close(queue.norm(dim=1), torch.ones(5))
    first, second = torch.full((2, 3), 1.0), torch.arange(12.0).view(4, 3)
    push(queue, first)
    push(queue, second)
    assert torch.equal(queue, torch.cat([second, first[:1]]))
    push(queue, torch.arange(21.0).view(7, 3))
    assert torch.equal(queue, torch.arange(15.0).view(5, 3))


def test_rolling_is_equation_7():
    x = torch.arange(2 * 3 * 4 * 5.0).view(2, 3, 4, 5)
    distance = torch.tensor([[1, 3], [2, 0]])
    moved = roll(x, distance)
    for b, (a, s) in enumerate(distance.tolist()):
        for i in range(4):
            for j in range(5):
                assert torch.equal(moved[b, :, i, j], x[b, :, (i + a) % 4, (j + s) % 5])
    assert torch.equal(roll(moved, -distance), x)


@pytest.mark.parametrize(("step", "same"), [(4, True), (2, False)])
def test_shuffling_is_undone_behind_a_network_that_moves_with_its_input(step, same):
    """A circular convolution of stride 4 does, for rolls by multiples of 4 and for no others."""
    torch.manual_seed(0)
    network = nn.Conv2d(3, 6, 5, stride=4, padding=2, padding_mode="circular").double()
    x, maps = torch.randn(3, 3, 16, 16, dtype=torch.float64), torch.tensor([[1, 2], [3, 0], [2, 3]])
    back = roll(network(roll(x, maps * step)), -maps)
    assert torch.allclose(back, network(x), atol=1e-12) == same


def test_rolls_reach_every_position():
    torch.manual_seed(0)
    drawn = draw_rolls(4000, 3, 5, CPU)
    counts = torch.bincount(drawn[:, 0] * 5 + drawn[:, 1], minlength=15) / 4000
    torch.testing.assert_close(counts, torch.full((15,), 1 / 15), atol=0.02, rtol=0)
