"""Optimisers and the learning rate as a function of the step."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from luss_core.config import TrainConfig

POWER = 0.9
"""Of the poly schedule."""


class Larc(torch.optim.SGD):
    """SGD on gradients scaled layer by layer, arXiv:1708.03888, without clipping.

    For each tensor with w and g not zero: g <- (g + wd w) trust |w| / (|g| + wd |w| + 1e-8), and the momentum step then
    runs without weight decay. Every tensor is scaled, biases and BatchNorm too, as in the official SwAV and LUSS code,
    but those of a group with ``adapt`` False, which are neither scaled nor decayed, as in SimCLR and BYOL.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor] | list[dict[str, Any]],
        lr: float,
        momentum: float,
        weight_decay: float,
        trust: float,
    ):
        super().__init__(parameters, lr=lr, momentum=momentum)
        self.decay, self.trust = weight_decay, trust

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # noqa: ARG002 - signature of the base
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            gradients = [p.grad for p in parameters]
            if not parameters or not group.get("adapt", True):
                continue
            w, g = (torch.stack(torch._foreach_norm(t)) for t in (parameters, gradients))
            rate = self.trust * w / (g + self.decay * w + 1e-8)
            apply = (w > 0) & (g > 0)
            torch._foreach_add_(gradients, torch._foreach_mul(parameters, (apply * self.decay).unbind()))
            torch._foreach_mul_(gradients, torch.where(apply, rate, torch.ones_like(rate)).unbind())
        super().step()


def make_optimizer(module: nn.Module, cfg: TrainConfig, lr_scale: Mapping[str, float] | None = None) -> Optimizer:
    """The optimiser of a run. AdamW and LARS decay no biases and no BatchNorm; the official recipes decay everything.

    Args:
        lr_scale: by the beginning of the name of a parameter, its learning rate in multiples of cfg.lr.
    """
    groups: dict[tuple[float, bool], list[Tensor]] = {}
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            scale = next((s for prefix, s in (lr_scale or {}).items() if name.startswith(prefix)), 1.0)
            whole = parameter.ndim > 1 or cfg.optimizer not in ("adamw", "lars")
            groups.setdefault((scale, whole), []).append(parameter)
    larc = cfg.optimizer in ("larc", "lars")  # which decay the weights themselves
    found: list[dict[str, Any]] = [
        {"params": p, "scale": scale, "adapt": whole, "weight_decay": cfg.weight_decay if whole and not larc else 0.0}
        for (scale, whole), p in groups.items()
    ] or [{"params": [], "scale": 1.0, "adapt": False}]  # nothing learns
    if larc:
        return Larc(found, cfg.lr, cfg.momentum, cfg.weight_decay, cfg.larc_trust)
    if cfg.optimizer == "sgd":
        return torch.optim.SGD(found, lr=cfg.lr, momentum=cfg.momentum)
    return torch.optim.AdamW(found, lr=cfg.lr, foreach=True)


def learning_rate(cfg: TrainConfig, step: int, total: int, per_epoch: int) -> float:
    """That of a step, before the scale of a parameter: a linear rise over the warm-up, then the schedule."""
    warmup = round(cfg.warmup_epochs * per_epoch)
    if cfg.schedule == "step" and step >= warmup:
        return cfg.lr * cfg.step_factor ** sum(step >= epoch * per_epoch for epoch in cfg.milestones)
    if cfg.schedule == "poly" and step >= warmup:
        return cfg.lr * (1 - (step - warmup) / max(1, total - warmup)) ** POWER
    return cosine_lr(step, total, warmup, cfg.lr, cfg.final_lr)


def cosine_lr(step: int, total: int, warmup: int, peak: float, final: float) -> float:
    """Linear rise to ``peak`` over ``warmup`` steps, then half a cosine to ``final``."""
    if step < warmup:
        return peak * (step + 1) / warmup
    return final + (peak - final) * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))
