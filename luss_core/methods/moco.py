"""MoCo v2, Chen et al. 2020, arXiv:2003.04297, on He et al. 2020, arXiv:1911.05722."""

import math

import torch.nn.functional as F
from torch import Tensor, nn

from luss_core.config.methods import MoCoConfig
from luss_core.data.batch import Batch
from luss_core.losses.contrast import info_nce
from luss_core.methods.base import Method, Output, Progress
from luss_core.models.batchnorm import Apart
from luss_core.models.encoder import Encoder, pool
from luss_core.models.heads import Float32
from luss_core.models.momentum import follow, frozen_copy, in_shuffled_parts, without_statistics
from luss_core.models.queue import new_queue, push


class Embedding(nn.Module):
    """(B, 3, H, W) -> (B, D) unit vectors."""

    def __init__(self, encoder: nn.Module, projector: nn.Module):
        super().__init__()
        self.encoder, self.projector = encoder, projector

    def forward(self, images: Tensor) -> Tensor:
        return F.normalize(self.projector(pool(self.encoder(images))), dim=1)


class MoCo(Method):
    """Tells an image from those of past batches, as a slowly following copy saw them.

    As in the official code the first view asks and the second answers. The copy normalises parts of the joint batch of
    all processes, drawn anew each step: shuffled BatchNorm, for any number of processes.
    """

    queue: Tensor  # (Q, D) unit vectors, newest first

    def __init__(self, cfg: MoCoConfig, encoder: Encoder, images: int):
        super().__init__()
        self.cfg, self.encoder, width = cfg, encoder, encoder.width
        self.projector = Float32(nn.Linear(width, width), nn.ReLU(inplace=True), nn.Linear(width, cfg.dim))
        self.target = Apart(without_statistics(frozen_copy(Embedding(self.encoder, self.projector))))
        self.register_buffer("queue", new_queue(cfg.queue, cfg.dim))

    def forward(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        loss = self.contrast(self.query(views), views)
        return Output(loss, {"chance": loss.detach() / math.log(1 + self.cfg.queue)})

    def query(self, views: list[Tensor]) -> Tensor:
        """(B, D) unit vectors of the first view."""
        return F.normalize(self.projector(pool(self.encoder(views[0]))), dim=1)

    def contrast(self, query: Tensor, views: list[Tensor]) -> Tensor:
        """The loss of queries with what the copy makes of the second view, which then comes into the queue."""
        key = in_shuffled_parts(self.target, views[1], self.cfg.batchnorm_images)
        loss = info_nce(query, key, self.queue.clone(), self.cfg.temperature).mean()
        push(self.queue, key)
        return loss

    def after_step(self, progress: Progress) -> None:
        follow(self.target, nn.ModuleList([self.encoder, self.projector]), self.cfg.momentum)
