"""Optimisers and the learning rate as a function of the step."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from luss_core.config import TrainConfig


class Larc(torch.optim.SGD):
    """SGD on gradients scaled layer by layer, arXiv:1708.03888, without clipping.

    For each tensor with w and g not zero: g <- (g + wd w) trust |w| / (|g| + wd |w| + 1e-8), and the momentum step then
    runs without weight decay. Every tensor is scaled, biases and BatchNorm too, as in the official SwAV and LUSS code.
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
            if not parameters:
                continue
            w, g = (torch.stack(torch._foreach_norm(t)) for t in (parameters, gradients))
            rate = self.trust * w / (g + self.decay * w + 1e-8)
            apply = (w > 0) & (g > 0)
            torch._foreach_add_(gradients, torch._foreach_mul(parameters, (apply * self.decay).unbind()))
            torch._foreach_mul_(gradients, torch.where(apply, rate, torch.ones_like(rate)).unbind())
        super().step()


def make_optimizer(module: nn.Module, cfg: TrainConfig, lr_scale: Mapping[str, float] | None = None) -> Optimizer:
    """The optimiser of a run. AdamW decays no biases and no BatchNorm; the official recipes decay everything.

    Args:
        lr_scale: by the beginning of the name of a parameter, its learning rate in multiples of cfg.lr.
    """
    groups: dict[tuple[float, float], list[Tensor]] = {}
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            scale = next((s for prefix, s in (lr_scale or {}).items() if name.startswith(prefix)), 1.0)
            decay = 0.0 if cfg.optimizer == "adamw" and parameter.ndim <= 1 else cfg.weight_decay
            groups.setdefault((scale, decay), []).append(parameter)
    found: list[dict[str, Any]] = [
        {"params": parameters, "scale": scale, "weight_decay": 0.0 if cfg.optimizer == "larc" else decay}
        for (scale, decay), parameters in groups.items()
    ]
    if cfg.optimizer == "larc":  # decays the weights itself
        return Larc(found, cfg.lr, cfg.momentum, cfg.weight_decay, cfg.larc_trust)
    if cfg.optimizer == "sgd":
        return torch.optim.SGD(found, lr=cfg.lr, momentum=cfg.momentum)
    return torch.optim.AdamW(found, lr=cfg.lr, foreach=True)


def cosine_lr(step: int, total: int, warmup: int, peak: float, final: float) -> float:
    """Linear rise to ``peak`` over ``warmup`` steps, then half a cosine to ``final``."""
    if step < warmup:
        return peak * (step + 1) / warmup
    return final + (peak - final) * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))
