"""Optimisers and the learning rate as a function of the step."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from luss_core.config import TrainConfig


class Larc(torch.optim.SGD):
    """SGD on gradients scaled layer by layer, arXiv:1708.03888, without clipping.

    For each tensor with w and g not zero: g <- (g + wd w) trust |w| / (|g| + wd |w| + 1e-8), and the momentum step then
    runs without weight decay. Every tensor is scaled, biases and BatchNorm too, as in the official SwAV and LUSS code.
    """

    def __init__(self, parameters: Iterable[Tensor], lr: float, momentum: float, weight_decay: float, trust: float):
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


def make_optimizer(module: nn.Module, cfg: TrainConfig) -> torch.optim.Optimizer:
    """The optimiser of a run. AdamW decays no biases and no BatchNorm; the official recipes decay everything."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    if cfg.optimizer == "larc":
        return Larc(parameters, cfg.lr, cfg.momentum, cfg.weight_decay, cfg.larc_trust)
    if cfg.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=cfg.lr, momentum=cfg.momentum, weight_decay=cfg.weight_decay)
    matrices = [p for p in parameters if p.ndim > 1]
    vectors = [p for p in parameters if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": cfg.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=cfg.lr, foreach=True)


def cosine_lr(step: int, total: int, warmup: int, peak: float, final: float) -> float:
    """Linear rise to ``peak`` over ``warmup`` steps, then half a cosine to ``final``."""
    if step < warmup:
        return peak * (step + 1) / warmup
    return final + (peak - final) * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))
