"""Shape-enhanced representation learning: the method of the LUSS paper, arXiv:2106.03149v1, Sec. 4."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call

from luss_core import group
from luss_core.config import ShapeConfig
from luss_core.data.batch import Batch
from luss_core.data.overlap import overlap_grids, sample
from luss_core.losses.alignment import image_to_pixel, pixel_to_image, pixel_to_pixel
from luss_core.losses.prior import prior_loss, prior_target
from luss_core.methods.base import Output, Progress
from luss_core.methods.swav import CODE_VIEWS, SwAV
from luss_core.models.encoder import Encoder, Maps

PAIRS = ((0, 1), (1, 0))
"""The view that gives the code and the view that predicts it."""


class Shape(SwAV):
    """SwAV on attended features, with a shape prior for the attention and alignment of pixels."""

    cfg: ShapeConfig

    def __init__(self, cfg: ShapeConfig, encoder: Encoder):
        super().__init__(cfg, encoder)

    def forward(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        embedded = self.embed(views)
        scores = [self.prototypes(v).float() for v in embedded.z]
        codes = self.codes(scores, progress)
        loss, logs = self.clustering(scores, codes)
        for name, weight, part in self.parts(embedded.maps[:CODE_VIEWS], scores, codes, batch):
            loss, logs[name] = loss + weight * part, part.detach()
        self.remember(embedded.z, progress)
        return Output(loss, logs)

    def parts(
        self, maps: list[Maps], scores: list[Tensor], codes: list[Tensor], batch: Batch
    ) -> list[tuple[str, float, Tensor]]:
        """Name, weight and value of every loss beside SwAV's that is switched on."""
        cfg, found = self.cfg, []
        if cfg.prior != "none":
            found.append(("prior", cfg.prior_weight, self._prior(maps, batch)))
        if cfg.i2p_weight or cfg.p2p_weight:
            pixels = self._pixels(maps, batch)
            if cfg.i2p_weight:
                found.append(("i2p", cfg.i2p_weight, self._image_to_pixel(pixels, scores, codes)))
            if cfg.p2p_weight:
                parts = (*pixels.scores, cfg.temperature, cfg.epsilon, cfg.sinkhorn_iterations)
                found.append(("p2p", cfg.p2p_weight, pixel_to_pixel(*parts)))
        return found

    def _prior(self, maps: list[Maps], batch: Batch) -> Tensor:
        """Cross-entropy of the attention of the large views with the prior, cropped and flipped as they are."""
        assert batch.prior is not None
        assert self.cfg.prior != "none"
        losses = []
        for view, prior in zip(maps, batch.prior[:CODE_VIEWS], strict=True):
            assert view.attention is not None
            losses.append(prior_loss(view.attention, prior_target(prior.float() / 255, self.cfg.prior)))
        return torch.stack(losses).mean()

    def _image_to_pixel(self, pixels: "_Pixels", scores: list[Tensor], codes: list[Tensor]) -> Tensor:
        t, losses = self.cfg.temperature, []
        for image, pixel in PAIRS:
            losses.append(image_to_pixel(codes[image][pixels.overlaps], pixels.scores[pixel], t))
            if self.cfg.i2p_bidirectional:
                shown = scores[image][pixels.overlaps]
                sinkhorn = (self.cfg.epsilon, self.cfg.sinkhorn_iterations)
                losses.append(pixel_to_image(pixels.scores[pixel], shown, t, *sinkhorn))
        return torch.stack(losses).mean()

    def _pixels(self, maps: list[Maps], batch: Batch) -> "_Pixels":
        """Scores of the places that the two large views share; the projection gets no gradient from them."""
        cfg = self.cfg
        grids = overlap_grids(batch.parameters[0], batch.parameters[1], cfg.grid, cfg.grid_points)
        overlaps = grids[2]
        kept = self._kept(len(overlaps), overlaps.device)
        scores = []
        for view, grid in zip(maps, grids[:2], strict=True):
            z = view.output.float()
            if cfg.align_attended and view.attention is not None:
                z = z * view.attention.float().sigmoid()
            places = grid[overlaps].flatten(1, 2)[:, kept, None]
            z = sample(z[overlaps], places, cfg.grid_points)  # (b, P, D)
            scores.append(self.prototypes(F.normalize(self._project_pixels(z.flatten(0, 1)), dim=1)).float())
        first, second = (s.view(-1, len(kept), cfg.prototypes) for s in scores)
        return _Pixels((first, second), overlaps)

    def _kept(self, images: int, device: torch.device) -> Tensor:
        """The places of the grid that take part: all, or a random part where they exceed ``max_pixels``."""
        places = self.cfg.grid**2
        most = max(1, self.cfg.max_pixels // (images * group.world_size()))
        return torch.arange(places) if most >= places else torch.randperm(places, device=device)[:most]

    def _project_pixels(self, z: Tensor) -> Tensor:
        """M(z) with gradients into z alone; BatchNorm takes the statistics of the pixels and its own do not move."""
        if group.total(torch.tensor(len(z), device=z.device)) < 2:  # nothing to normalise over
            return z.new_zeros(len(z), self.cfg.dim)
        weights = {name: value.detach() for name, value in self.projector.named_parameters()}
        kept = {name: value.clone() for name, value in self.projector.named_buffers()}
        projected: Tensor = functional_call(self.projector, weights | kept, z)
        return projected.float()


class _Pixels(NamedTuple):
    scores: tuple[Tensor, Tensor]
    """(b, P, K) of the shared places in either view, of the b images whose views overlap."""
    overlaps: Tensor
    """(B,) bool."""
