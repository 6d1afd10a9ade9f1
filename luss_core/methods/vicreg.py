"""VICReg, Bardes et al. 2021, arXiv:2105.04906."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from luss_core.config.methods.instance import VICRegConfig
from luss_core.data.batch import Batch
from luss_core.losses.instance import margin, spread
from luss_core.methods.base import Method, Output, Progress
from luss_core.models.encoder import Encoder, pool
from luss_core.models.heads import Float32


class VICReg(Method):
    """Pulls two views together while each number of the embedding keeps its variance and covaries with no other.

    Eq. 6 of the paper: lambda s(Z, Z') + mu (v(Z) + v(Z')) + nu (c(Z) + c(Z')). As in the code of its authors v counts
    half, s is a mean over the numbers of an embedding too, and variances are those of all processes. The views are
    BYOL's, as in the paper, which trains with LARS, 0.2 for 256 images, batches of 2048, weight decay 1e-6, warm-up 10
    of 1000 epochs, and embeddings of 8192 numbers. Departures: the widths, and the optimiser that all presets have.
    """

    def __init__(self, cfg: VICRegConfig, encoder: Encoder, images: int):
        super().__init__()
        self.cfg, self.encoder = cfg, encoder
        widths, layers = (encoder.width, cfg.hidden, cfg.hidden), list[nn.Module]()
        for inputs in widths[:2]:
            layers += [nn.Linear(inputs, cfg.hidden, bias=False), nn.BatchNorm1d(cfg.hidden), nn.ReLU(inplace=True)]
        self.expander = Float32(*layers, nn.Linear(widths[2], cfg.dim, bias=False))

    def forward(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        first, second = (self.expander(pool(self.encoder(view))) for view in views)
        (v, c), (w, d) = spread(first), spread(second)
        parts = {"invariance": F.mse_loss(first, second), "variance": (v + w) / 2, "covariance": c + d}
        loss = torch.stack([getattr(self.cfg, name) * part for name, part in parts.items()]).sum()
        logs = {name: part.detach() for name, part in parts.items()}
        return Output(loss, {**logs, "margin": margin(first.detach(), second.detach())})
