"""SwAV, Caron et al. 2020, arXiv:2006.09882."""

from collections.abc import Iterable
from itertools import groupby
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from luss_core.config import SwAVConfig
from luss_core.data.batch import Batch
from luss_core.losses.clustering import normalized_entropy, sinkhorn, soft_cross_entropy
from luss_core.methods.base import Method, Output, Progress
from luss_core.models.backbone import ResNet
from luss_core.models.heads import Prototypes, global_average, projection_head

CODE_VIEWS = 2
"""Codes come from the two large crops."""


class SwAV(Method):
    """Predicts the balanced cluster code of one crop from every other crop."""

    queue: Tensor  # (2, Q, D) unit projections of past images, newest first
    queued: Tensor  # () how many rows of the queue hold something

    def __init__(self, cfg: SwAVConfig, backbone: ResNet):
        super().__init__()
        self.cfg, self.backbone = cfg, backbone
        self.projector = projection_head(backbone.widths[-1], cfg.hidden, cfg.dim, cfg.final_batchnorm)
        self.prototypes = Prototypes(cfg.dim, cfg.prototypes)
        self.register_buffer("queue", torch.zeros(CODE_VIEWS, cfg.queue, cfg.dim))
        self.register_buffer("queued", torch.zeros((), dtype=torch.long))

    def forward(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        z = [F.normalize(p, dim=1) for p in self._project(views)]  # V x (B, D)
        scores = [self.prototypes(p).float() for p in z]  # V x (B, K)
        codes = [self._code(i, scores[i].detach(), progress) for i in range(CODE_VIEWS)]
        losses = [
            soft_cross_entropy(s / self.cfg.temperature, code)
            for i, code in enumerate(codes)
            for v, s in enumerate(scores)
            if v != i
        ]
        if progress.epoch >= self.cfg.queue_start_epoch:
            self._enqueue(torch.stack([p.detach() for p in z[:CODE_VIEWS]]))
        used = codes[0].argmax(dim=1).unique().numel() / min(len(codes[0]), self.cfg.prototypes)
        logs = {"code_entropy": normalized_entropy(codes[0]), "prototypes_used": torch.tensor(used)}
        return Output(torch.stack(losses).mean(), logs)

    def before_step(self, progress: Progress) -> None:
        # Without its gradient the optimiser passes the tensor over; toggling requires_grad would break DDP.
        if progress.step < self.cfg.freeze_prototypes_steps:
            self.prototypes.weight.grad = None

    def after_step(self, progress: Progress) -> None:
        self.prototypes.normalize()

    def warning(self, logs: dict[str, Any], progress: Progress) -> str | None:
        if progress.step < self.cfg.freeze_prototypes_steps or progress.epoch < 1 or logs["code_entropy"] < 0.98:
            return None
        return (
            f"codes are almost uniform (entropy {logs['code_entropy']:.3f} of 1): the representation collapses. Try "
            "pretrain.method.epsilon 0.03, a longer freeze_prototypes_steps, fewer prototypes, a smaller lr, or a "
            "later queue_start_epoch"
        )

    def _project(self, views: list[Tensor]) -> Iterable[Tensor]:
        """Projections of each view; views of one size go through the network together, as in the original code."""
        for _, group in groupby(views, key=lambda view: view.shape[-1]):
            same = list(group)
            pooled = global_average(self.backbone(torch.cat(same))[-1])
            yield from self.projector(pooled).float().chunk(len(same))

    def _code(self, view: int, scores: Tensor, progress: Progress) -> Tensor:
        """(B, K) balanced codes; past projections take part once the queue is full."""
        if self.cfg.queue and int(self.queued) >= self.cfg.queue and progress.epoch >= self.cfg.queue_start_epoch:
            past = self.prototypes(self.queue[view]).detach().float()
            scores = torch.cat([past, scores])
            return sinkhorn(scores, self.cfg.epsilon, self.cfg.sinkhorn_iterations)[len(past) :]
        return sinkhorn(scores, self.cfg.epsilon, self.cfg.sinkhorn_iterations)

    @torch.no_grad()
    def _enqueue(self, z: Tensor) -> None:
        """Put the batch (2, B, D) in front and drop the oldest."""
        if self.cfg.queue:
            self.queue.copy_(torch.cat([z, self.queue], dim=1)[:, : self.cfg.queue])
            self.queued.add_(z.shape[1]).clamp_(max=self.cfg.queue)
