"""LARC against ten written-out lines; the learning rate at its corners."""

import pytest
import torch
from torch import nn

from luss_core.config import TrainConfig
from luss_core.methods import Progress
from luss_core.train.loop import set_lr
from luss_core.train.optim import Larc, cosine_lr, learning_rate, make_optimizer


def slow_larc(weights, gradients, momenta, lr, momentum, decay, trust):
    for i, (w, g) in enumerate(zip(weights, gradients, strict=True)):
        if w.norm() > 0 and g.norm() > 0:
            g = (g + decay * w) * trust * w.norm() / (g.norm() + decay * w.norm() + 1e-8)
        momenta[i] = g if momenta[i] is None else momentum * momenta[i] + g
        weights[i] = w - lr * momenta[i]
    return weights


def test_larc_against_the_definition():
    generator = torch.Generator().manual_seed(0)
    shapes = [(4, 3), (3,), (2, 2, 3, 3), (5,)]
    start = [torch.randn(s, dtype=torch.float64, generator=generator) for s in shapes[:3]] + [torch.zeros(5).double()]
    parameters = [nn.Parameter(w.clone()) for w in start]
    expected, momenta = [w.clone() for w in start], [None] * 4
    optimizer = Larc(parameters, lr=0.6, momentum=0.9, weight_decay=1e-2, trust=0.001)
    for _ in range(4):
        gradients = [torch.randn(s, dtype=torch.float64, generator=generator) for s in shapes]
        for p, g in zip(parameters, gradients, strict=True):
            p.grad = g.clone()
        optimizer.step()
        expected = slow_larc(expected, gradients, momenta, 0.6, 0.9, 1e-2, 0.001)
        for p, w in zip(parameters, expected, strict=True):
            torch.testing.assert_close(p.data, w, rtol=1e-11, atol=1e-12)


def test_larc_leaves_parameters_without_gradient_alone():
    parameter = nn.Parameter(torch.ones(3))
    Larc([parameter], 1.0, 0.9, 0.1, 0.001).step()
    assert torch.equal(parameter.data, torch.ones(3))


def test_adamw_decays_matrices_only():
    optimizer = make_optimizer(nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)), TrainConfig(optimizer="adamw"))
    decays = {p.ndim: g["weight_decay"] for g in optimizer.param_groups for p in g["params"]}
    assert decays[2] > 0
    assert decays[1] == 0


@pytest.mark.parametrize("kind", ["adamw", "sgd", "larc"])
def test_learning_rates_are_scaled_by_name(kind):
    module = nn.ModuleDict({"body": nn.Linear(3, 2), "head": nn.Linear(2, 2)})
    cfg = TrainConfig(optimizer=kind, lr=0.5, weight_decay=0.1)
    optimizer = make_optimizer(module, cfg, {"head.": 10.0})
    scale = {id(p): g["scale"] for g in optimizer.param_groups for p in g["params"]}
    assert {n: scale[id(p)] for n, p in module.named_parameters()} == {
        "body.weight": 1,
        "body.bias": 1,
        "head.weight": 10,
        "head.bias": 10,
    }
    assert set_lr(optimizer, cfg.model_copy(update={"warmup_epochs": 0.0}), Progress(0, 10, 1)) == 0.5
    assert {g["lr"] for g in optimizer.param_groups} == {0.5, 5.0}


def test_sgd_decays_as_its_settings_say():
    module = nn.Linear(2, 2)
    cfg = TrainConfig(optimizer="sgd", lr=0.5, weight_decay=0.1)
    optimizer = make_optimizer(module, cfg)
    before = module.weight.detach().clone()
    for p in module.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    torch.testing.assert_close(module.weight.detach(), before * (1 - 0.5 * 0.1))


def test_cosine_lr_corners():
    assert cosine_lr(0, 100, 10, 1.0, 0.1) == pytest.approx(0.1)
    assert cosine_lr(9, 100, 10, 1.0, 0.1) == pytest.approx(1.0)
    assert cosine_lr(10, 100, 10, 1.0, 0.1) == pytest.approx(1.0)
    assert cosine_lr(55, 100, 10, 1.0, 0.1) == pytest.approx(0.55)
    assert cosine_lr(100, 100, 10, 1.0, 0.1) == pytest.approx(0.1)
    values = [cosine_lr(s, 100, 0, 1.0, 0.0) for s in range(100)]
    assert values == sorted(values, reverse=True)


def test_lars_adapts_and_decays_matrices_only():
    """As SimCLR and BYOL: biases and BatchNorm take plain steps of SGD."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)).double()
    start = {name: p.detach().clone() for name, p in module.named_parameters()}
    cfg = TrainConfig(optimizer="lars", lr=0.5, momentum=0.9, weight_decay=0.1, larc_trust=0.001)
    optimizer = make_optimizer(module, cfg)
    for part in optimizer.param_groups:
        part["lr"] = cfg.lr
    gradients = {name: torch.randn_like(p) for name, p in start.items()}
    for name, p in module.named_parameters():
        p.grad = gradients[name].clone()
    optimizer.step()
    expected = slow_larc([start["0.weight"]], [gradients["0.weight"]], [None], 0.5, 0.9, 0.1, 0.001)
    for name, p in module.named_parameters():
        wanted = expected[0] if name == "0.weight" else start[name] - 0.5 * gradients[name]
        torch.testing.assert_close(p.data, wanted, rtol=1e-10, atol=1e-12)


def test_the_step_schedule_divides_at_its_milestones():
    cfg = TrainConfig(lr=1.0, schedule="step", milestones=(2, 3.5), step_factor=0.1, warmup_epochs=1)
    rates = [learning_rate(cfg, step, 40, 10) for step in range(40)]
    assert rates[:10] == pytest.approx([(k + 1) / 10 for k in range(10)])
    assert rates[10:20] == [1.0] * 10
    assert rates[20:35] == pytest.approx([0.1] * 15)
    assert rates[35:] == pytest.approx([0.01] * 5)


def test_the_poly_schedule_is_what_is_left_to_the_power_of_nine_tenths():
    cfg = TrainConfig(lr=0.6, schedule="poly", warmup_epochs=1)
    found = [learning_rate(cfg, step, 8, 2) for step in range(8)]
    assert found[:2] == pytest.approx([0.3, 0.6])
    assert found[2:] == pytest.approx([0.6 * (1 - k / 6) ** 0.9 for k in range(6)], abs=1e-12)


@pytest.mark.parametrize(
    "settings", [{"schedule": "step"}, {"milestones": (1,)}, {"schedule": "step", "milestones": (3, 2)}]
)
def test_milestones_belong_to_the_step_schedule(settings):
    with pytest.raises(ValueError, match="give rising epochs with schedule: step, none with cosine"):
        TrainConfig(**settings)
