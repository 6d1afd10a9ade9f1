"""SwAV, Caron et al. 2020, arXiv:2006.09882."""

import math
from itertools import groupby
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from luss_core import group
from luss_core.config import SwAVConfig
from luss_core.data.batch import Batch
from luss_core.losses.clustering import normalized_entropy, sinkhorn, soft_cross_entropy
from luss_core.methods.base import Method, Output, Progress
from luss_core.models.encoder import Encoder, Maps, pool, split
from luss_core.models.heads import Prototypes, projection_head
from luss_core.signs import sign_in

CODE_VIEWS = 2
"""Codes come from the two large crops."""


class Embedded(NamedTuple):
    """What the network makes of the views."""

    z: list[Tensor]
    """V x (B, D) unit embeddings."""
    maps: list[Maps]
    """V maps of the encoder."""


class SwAV(Method):
    """Predicts the balanced cluster code of one crop from every other crop."""

    queue: Tensor  # (2, Q, D) unit projections of past images, newest first

    def __init__(self, cfg: SwAVConfig, encoder: Encoder, images: int):
        super().__init__()
        self.cfg, self.encoder = cfg, encoder
        self.projector = projection_head(encoder.width, cfg.hidden, cfg.dim, cfg.final_batchnorm)
        self.prototypes = Prototypes(cfg.dim, cfg.prototypes)
        self.register_buffer("queue", torch.zeros(CODE_VIEWS, cfg.queue, cfg.dim))

    def forward(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        z = self.embed(views).z
        scores = [self.prototypes(v) for v in z]  # V x (B, K)
        loss, logs = self.clustering(scores, self.codes(scores, progress))
        self.remember(z, progress)
        return Output(loss, logs)

    def embed(self, views: list[Tensor]) -> Embedded:
        """Unit embeddings of each view; views of one size go through the network together, as in the original code."""
        z: list[Tensor] = []
        maps: list[Maps] = []
        for _, same_size in groupby(views, key=lambda view: view.shape[-1]):
            same = list(same_size)
            joint = self.encoder(torch.cat(same))
            z += F.normalize(self.projector(pool(joint)).float(), dim=1).chunk(len(same))
            maps += split(joint, len(same))
        return Embedded(z, maps)

    def codes(self, scores: list[Tensor], progress: Progress) -> list[Tensor]:
        """(B, K) balanced codes of each of the large views."""
        return [self._code(view, scores[view].detach(), progress) for view in range(CODE_VIEWS)]

    def clustering(self, scores: list[Tensor], codes: list[Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """L_s: every view predicts the codes of the others (Eq. 1 of arXiv:2006.09882); and what to log."""
        t = self.cfg.temperature
        losses = [
            soft_cross_entropy(s / t, code) for i, code in enumerate(codes) for v, s in enumerate(scores) if v != i
        ]
        chosen = group.gather(codes[0].argmax(dim=1))
        used = torch.zeros_like(codes[0][0]).index_fill(0, chosen, 1.0).sum() / min(len(chosen), self.cfg.prototypes)
        loss = torch.stack(losses).mean()
        chance = loss.detach() / math.log(self.cfg.prototypes)
        return loss, {"code_entropy": normalized_entropy(codes[0]), "prototypes_used": used, "chance": chance}

    @torch.no_grad()
    def remember(self, z: list[Tensor], progress: Progress) -> None:
        """Put the embeddings of the large views in front of the queue and drop the oldest."""
        if self.cfg.queue and progress.epoch >= self.cfg.queue_start_epoch:
            new = torch.stack([group.gather(v.detach()) for v in z[:CODE_VIEWS]])
            self.queue.copy_(torch.cat([new, self.queue], dim=1)[:, : self.cfg.queue])

    def before_step(self, progress: Progress) -> None:
        # Without its gradient the optimiser passes the tensor over; toggling requires_grad would break DDP.
        if progress.step < self.cfg.freeze_prototypes_steps:
            self.prototypes.weight.grad = None

    def after_step(self, progress: Progress) -> None:
        self.prototypes.normalize()

    def warning(self, logs: dict[str, Any], progress: Progress) -> str | None:
        if progress.step < self.cfg.freeze_prototypes_steps or progress.epoch < 1:
            return None
        return sign_in([{"code_entropy": logs["code_entropy"]}])

    def _code(self, view: int, scores: Tensor, progress: Progress) -> Tensor:
        """(B, K) balanced codes; past projections take part once the queue is full."""
        steps = progress.step - self.cfg.queue_start_epoch * progress.per_epoch
        if self.cfg.queue and steps * len(scores) * group.world_size() >= self.cfg.queue:
            # Each process assigns a part of the queue, which all of them hold.
            part_of_queue = self.queue[view, group.own_slice(self.cfg.queue)]
            queued_scores = self.prototypes(part_of_queue).detach()
            scores = torch.cat([queued_scores, scores])
            return sinkhorn(scores, self.cfg.epsilon, self.cfg.sinkhorn_iterations)[len(queued_scores) :]
        return sinkhorn(scores, self.cfg.epsilon, self.cfg.sinkhorn_iterations)
