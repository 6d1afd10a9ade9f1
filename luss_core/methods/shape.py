"""Shape-enhanced representation learning: the method of the LUSS paper, arXiv:2106.03149v1, Sec. 4."""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call

from luss_core import group
from luss_core.config import ShapeConfig
from luss_core.data.batch import Batch
from luss_core.data.overlap import overlap_grids, sample
from luss_core.losses.alignment import image_to_pixel, pixel_to_pixel
from luss_core.losses.attention import attention_loss, attention_target
from luss_core.methods.base import Output, Progress
from luss_core.methods.swav import CODE_VIEWS, SwAV
from luss_core.models.encoder import Encoder, Maps
from luss_core.models.host import to_device

PAIRS = ((0, 1), (1, 0))
"""The view that gives the code and the view that predicts it."""


class Shape(SwAV):
    """SwAV on attended features, with a shape prior for the attention and alignment of pixels."""

    cfg: ShapeConfig

    def __init__(self, cfg: ShapeConfig, encoder: Encoder, images: int):
        super().__init__(cfg, encoder, images)

    def forward(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        embedded = self.embed(views)
        scores = [self.prototypes(v) for v in embedded.z]
        codes = self.codes(scores, progress)
        loss, logs = self.clustering(scores, codes)
        for name, weight, part in self.parts(embedded.maps[:CODE_VIEWS], codes, batch):
            loss, logs[name] = loss + weight * part, part.detach()
        self.remember(embedded.z, progress)
        return Output(loss, logs)

    def parts(self, maps: list[Maps], codes: list[Tensor], batch: Batch) -> list[tuple[str, float, Tensor]]:
        """Name, weight and value of every loss beside SwAV's that is switched on."""
        cfg, found = self.cfg, []
        if cfg.attention_target != "none":
            found.append(("attention", cfg.attention_weight, self._attention(maps, batch)))
        if cfg.i2p_weight or cfg.p2p_weight:
            pixels = self._pixels(maps, batch)
            if cfg.i2p_weight:
                found.append(("i2p", cfg.i2p_weight, self._image_to_pixel(pixels, codes, batch)))
            if cfg.p2p_weight:
                parts = (*pixels, cfg.temperature, cfg.epsilon, cfg.sinkhorn_iterations)
                found.append(("p2p", cfg.p2p_weight, pixel_to_pixel(*parts)))
        return found

    def _attention(self, maps: list[Maps], batch: Batch) -> Tensor:
        """Cross-entropy of the attention of the large views with their saliency, cropped and flipped as they are."""
        assert self.cfg.attention_target != "none"
        losses = []
        for view, saliency in zip(maps, batch.planes["saliency"][:CODE_VIEWS], strict=True):
            assert view.attention is not None
            target = attention_target(saliency.float() / 255, self.cfg.attention_target)
            losses.append(attention_loss(view.attention, target))
        return torch.stack(losses).mean()

    def _image_to_pixel(self, pixels: tuple[Tensor, Tensor], codes: list[Tensor], batch: Batch) -> Tensor:
        shown = batch.overlaps
        losses = [image_to_pixel(codes[i][shown], pixels[p], self.cfg.temperature) for i, p in PAIRS]
        return torch.stack(losses).mean()

    def _pixels(self, maps: list[Maps], batch: Batch) -> tuple[Tensor, Tensor]:
        """Scores (b, P, K) of the places that the two large views share, in either view, of the b images whose views
        overlap; the projection gets no gradient from them."""
        grids = overlap_grids(batch.parameters[0], batch.parameters[1], self.cfg.grid)
        kept = self._kept(len(batch.index), maps[0].output.device)
        scores = []
        for view, grid in zip(maps, grids, strict=True):
            places = grid[batch.overlaps].flatten(1, 2)[:, kept, None]
            z = sample(view.output.float()[batch.overlaps], places)  # (b, P, D)
            scores.append(self.prototypes(F.normalize(self._project_pixels(z.flatten(0, 1)), dim=1)))
        first, second = (s.view(-1, len(kept), self.cfg.prototypes) for s in scores)
        return first, second

    def _kept(self, images: int, device: torch.device) -> Tensor:
        """The places of the grid that take part: all, or a random part where they exceed ``max_pixels``."""
        places = self.cfg.grid**2
        most = max(1, self.cfg.max_pixels // (images * group.world_size()))
        if most >= places:
            return torch.arange(places, device=device)
        return to_device(torch.randperm(places)[:most], device)

    def _project_pixels(self, z: Tensor) -> Tensor:
        """M(z) with gradients into z alone; BatchNorm takes the statistics of the pixels and its own do not move."""
        if len(z) < 2 and group.world_size() == 1:  # nothing to normalise over
            return z.new_zeros(len(z), self.cfg.dim)
        weights = {name: value.detach() for name, value in self.projector.named_parameters()}
        kept = {name: value.clone() for name, value in self.projector.named_buffers()}
        projected: Tensor = functional_call(self.projector, weights | kept, z)
        return projected.float()
