"""BYOL, Grill et al. 2020, arXiv:2006.07733."""

import torch
from torch import Tensor, nn

from luss_core.config.methods import BYOLConfig
from luss_core.data.batch import Batch
from luss_core.losses.instance import cosine_distance, margin
from luss_core.methods.base import Method, Output, Progress
from luss_core.models.encoder import Encoder, pool
from luss_core.models.heads import projection_head
from luss_core.models.momentum import follow, frozen_copy, rising_momentum


class BYOL(Method):
    """Predicts, from one view, what a slowly following copy of the network makes of the other; no negatives."""

    def __init__(self, cfg: BYOLConfig, encoder: Encoder, images: int):
        super().__init__()
        self.cfg, self.encoder = cfg, encoder
        self.projector = projection_head(encoder.width, cfg.hidden, cfg.dim, final_batchnorm=False)
        self.predictor = projection_head(cfg.dim, cfg.hidden, cfg.dim, final_batchnorm=False)
        self.target = frozen_copy(nn.ModuleList([self.encoder, self.projector]))

    def forward(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        first, second = (self.predictor(self.projector(pool(self.encoder(view)))) for view in views)
        with torch.no_grad():
            encoder, projector = self.target
            one, two = (projector(pool(encoder(view))) for view in views)
        loss = cosine_distance(first, two) + cosine_distance(second, one)
        return Output(loss, {"margin": margin(first.detach(), two)})

    def after_step(self, progress: Progress) -> None:
        momentum = rising_momentum(self.cfg.momentum, progress.step, progress.total)
        follow(self.target, nn.ModuleList([self.encoder, self.projector]), momentum)
