"""PixPro, Xie et al. 2021, arXiv:2011.10043: pixel-to-propagation consistency."""

import torch
from torch import Tensor, nn

from luss_core.config.methods import PixProConfig
from luss_core.data.batch import Batch
from luss_core.data.overlap import cell_diagonal, cells
from luss_core.losses.instance import margin
from luss_core.losses.propagation import pixel_consistency, propagate
from luss_core.methods.base import Method, Output, Progress
from luss_core.models.encoder import Encoder
from luss_core.models.heads import Float32, pixel_head
from luss_core.models.momentum import follow, frozen_copy, rising_momentum


class Propagation(nn.Module):
    """The pixel propagation module: every position becomes a mixture of those that are like it, Eq. 3 and 4.

    g is one linear layer, the best of the paper's Table 3c.
    """

    def __init__(self, dim: int, sharpness: float):
        super().__init__()
        self.sharpness, self.transform = sharpness, Float32(nn.Conv2d(dim, dim, 1))

    def forward(self, maps: Tensor) -> Tensor:
        """(B, D, h, w) -> (B, D, h, w)."""
        return propagate(maps, self.transform(maps), self.sharpness)


class PixPro(Method):
    """Each position, mixed with what is like it, predicts what a slowly following copy sees at the same place of the
    image in the other view: Eq. 5 of the paper, in both directions.

    Positions of two views belong together where they lie closer in the image than `distance`, Eq. 1. The copy has no
    propagation module, and its momentum rises to 1. As in the official code values are normalised before they are
    mixed, distances are those of fractions of the height and the width of an image, images without a pair count 0, and
    there is no loss on whole images. The loss is 4 - 4 cos where the paper has -2 cos for either direction: the same
    gradient, and 0 is the best.
    """

    def __init__(self, cfg: PixProConfig, encoder: Encoder, images: int):
        super().__init__()
        self.cfg, self.encoder = cfg, encoder
        self.projector = pixel_head(encoder.width, cfg.hidden, cfg.dim)
        self.propagation = Propagation(cfg.dim, cfg.sharpness)
        self.target = frozen_copy(nn.ModuleList([self.encoder, self.projector]))

    def forward(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        predicted = [self.propagation(self.projector(self.encoder(view).output)) for view in views]
        with torch.no_grad():
            encoder, projector = self.target
            seen = [projector(encoder(view).output) for view in views]
        alike = margin(predicted[0].detach().mean(dim=(2, 3)), seen[1].mean(dim=(2, 3)))
        return Output(self._distances(predicted, seen, batch).mean(), {"margin": alike})

    def after_step(self, progress: Progress) -> None:
        momentum = rising_momentum(self.cfg.momentum, progress.step, progress.total)
        follow(self.target, nn.ModuleList([self.encoder, self.projector]), momentum)

    def _distances(self, predicted: list[Tensor], seen: list[Tensor], batch: Batch) -> Tensor:
        """(B,) of each image, both directions added up."""
        views, shape = batch.parameters[:2], predicted[0].shape[-2:]
        one, two = (cells(view, *shape) for view in views)
        reach = self.cfg.distance * torch.maximum(*(cell_diagonal(view, *shape) for view in views))
        first = pixel_consistency(predicted[0], seen[1], one, two, reach)
        return first + pixel_consistency(predicted[1], seen[0], two, one, reach)
