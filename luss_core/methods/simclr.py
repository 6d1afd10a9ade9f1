"""SimCLR, Chen et al. 2020, arXiv:2002.05709."""

import math

import torch.nn.functional as F
from torch import Tensor

from luss_core import group
from luss_core.config.methods import SimCLRConfig
from luss_core.data.batch import Batch
from luss_core.losses.contrast import nt_xent
from luss_core.methods.base import Method, Output, Progress
from luss_core.models.encoder import Encoder, pool
from luss_core.models.heads import contrast_head


class SimCLR(Method):
    """Tells the other view of an image from both views of all other images of the batch, Eq. 1 and Alg. 1 of the paper.

    Negatives come from the batches of all processes, and gradients flow back through them, as in the official code.
    BatchNorm, of the head too, normalises over all processes: else it would tell which views belong together.
    """

    def __init__(self, cfg: SimCLRConfig, encoder: Encoder, images: int):
        super().__init__()
        self.cfg, self.encoder = cfg, encoder
        self.projector = contrast_head(encoder.width, cfg.dim, cfg.layers)

    def forward(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        one, two = (F.normalize(self.projector(pool(self.encoder(view))), dim=1) for view in views)
        loss = nt_xent(one, two, self.cfg.temperature).mean()
        others = 2 * len(one) * group.world_size() - 1
        return Output(loss, {"chance": loss.detach() / math.log(others)})
