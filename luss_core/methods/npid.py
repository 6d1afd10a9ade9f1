"""NPID: instance discrimination without parameters, Wu et al. 2018, arXiv:1805.01978."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from luss_core import group
from luss_core.config.methods import NPIDConfig
from luss_core.data.batch import Batch
from luss_core.losses.instance import instance_cross_entropy
from luss_core.methods.base import Method, Output, Progress
from luss_core.models.encoder import Encoder, pool
from luss_core.models.heads import Float32
from luss_core.models.host import to_device


class NPID(Method):
    """Tells every image from the others, by what is remembered of each."""

    bank: Tensor  # (N, D) unit vectors, one a training image

    def __init__(self, cfg: NPIDConfig, encoder: Encoder, images: int):
        super().__init__()
        self.cfg, self.encoder = cfg, encoder
        self.projector = Float32(nn.Linear(encoder.width, cfg.dim))
        self.register_buffer("bank", F.normalize(torch.randn(images, cfg.dim), dim=1))

    def forward(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        z = F.normalize(self.projector(pool(self.encoder(views[0]))), dim=1)
        negatives = self.bank[self._others(batch.index)]
        loss = instance_cross_entropy(z, self.bank[batch.index], negatives, self.cfg.temperature)
        self.remember(z, batch.index)
        return Output(loss, {"chance": loss.detach() / math.log(1 + negatives.shape[1])})

    @torch.no_grad()
    def remember(self, z: Tensor, index: Tensor) -> None:
        """Move what is remembered of the images of all processes towards what was just seen, Sec. 3.1 of the paper."""
        rows = group.gather(index)
        moved = self.cfg.momentum * self.bank[rows] + (1 - self.cfg.momentum) * group.gather(z.detach())
        self.bank[rows] = F.normalize(moved, dim=1)

    def _others(self, index: Tensor) -> Tensor:
        """(B, K) uniformly drawn images, for each image none of which is itself."""
        batch = len(index) * group.world_size()  # Every process draws for all, so that their number changes nothing.
        shape = batch, min(self.cfg.negatives, len(self.bank) - 1)
        drawn = to_device(torch.randint(len(self.bank) - 1, shape)[group.own_slice(batch)], index.device)
        return drawn + (drawn >= index[:, None])
