"""MaskContrast, Van Gansbeke et al. 2021, arXiv:2102.06191."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from luss_core import group
from luss_core.config.methods import MaskContrastConfig
from luss_core.data.batch import Batch
from luss_core.errors import UserError
from luss_core.losses.attention import attention_target
from luss_core.losses.objects import balanced_cross_entropy, object_means, pixel_to_object
from luss_core.methods.base import Method, Output, Progress
from luss_core.models.batchnorm import Apart
from luss_core.models.encoder import Encoder
from luss_core.models.heads import Float32
from luss_core.models.momentum import follow, frozen_copy, in_shuffled_parts, without_statistics
from luss_core.models.queue import new_queue, push

FULL = 0.5
"""Share of a cell of the map that must be object, for the cell to be."""


class Pixels(nn.Module):
    """(B, 3, H, W) -> (B, D, h, w): embeddings of the output map of an encoder, not yet of unit length."""

    def __init__(self, encoder: nn.Module, head: nn.Module):
        super().__init__()
        self.encoder, self.head = encoder, head

    def forward(self, images: Tensor) -> Tensor:
        found: Tensor = self.head(self.encoder(images).output)
        return found


class MaskContrast(Method):
    """Draws each pixel of an object to the mean embedding of that object in another view, away from other objects.

    As the paper, Sec. 3, and its code: a pixel i of an object has the loss -log of the share of exp(i z+ / t) among
    exp(i z / t) of all objects z, those of the batch and of the queue. The copy makes the z of the second view,
    normalised in shuffled parts, and they become the queue, as in MoCo. The attention is the saliency head, taught by
    balanced cross-entropy with the mask of the first view. A mask is a map of the stage `prior`, cut in each view. The
    paper trains with SGD, 0.004, poly, batches of 64 or 128, weight decay 1e-4, 40 epochs, from weights of MoCo v2.

    Departures: pixels are cells of the output map rather than of the enlarged one, a cell being object if half of it
    is; an image of which a view shows no object counts for nothing, where the paper sets such images aside; training
    begins with random weights, as every method of the LUSS paper, unless `pretrain.weights` says otherwise; and what is
    clustered afterwards is the map before the linear head, pooled with the attention, by the settings of the preset.
    """

    queue: Tensor  # (Q, D) unit vectors of objects, newest first

    def __init__(self, cfg: MaskContrastConfig, encoder: Encoder, images: int):
        super().__init__()
        if encoder.attention is None:
            raise UserError("the method maskcontrast teaches the attention; set pretrain.attention: true")
        self.cfg, self.encoder = cfg, encoder
        self.head = Float32(nn.Conv2d(encoder.width, cfg.dim, 1))
        self.target = Apart(without_statistics(frozen_copy(Pixels(self.encoder, self.head))))
        self.register_buffer("queue", new_queue(cfg.queue, cfg.dim))

    def forward(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        maps = self.encoder(views[0])
        assert maps.attention is not None
        pixels = F.normalize(self.head(maps.output), dim=1)
        now, later = self.masks(batch, pixels)
        objects, shown = self.objects(views[1], later)
        own = group.gather(objects)
        weights = now[:, 0] * shown[:, None, None]
        everything = torch.cat([own, self.queue])
        contrast = pixel_to_object(pixels, weights, everything, group.own_slice(len(own)), self.cfg.temperature)
        saliency = balanced_cross_entropy(maps.attention, self.masks(batch, maps.attention)[0])
        push(self.queue, objects)
        logs = {"contrast": contrast.detach(), "saliency": saliency.detach()}
        logs["chance"] = contrast.detach() / math.log(len(everything))
        return Output(contrast + self.cfg.saliency_weight * saliency, logs)

    def masks(self, batch: Batch, like: Tensor) -> list[Tensor]:
        """(B, 1, h, w) of each view, 1 where its object is, at the resolution of a map."""
        found = []
        for plane in batch.planes["saliency"]:
            mask = attention_target(plane.float() / 255, self.cfg.mask)
            found.append((F.adaptive_avg_pool2d(mask, (like.shape[-2], like.shape[-1])) >= FULL).float())
        return found

    @torch.no_grad()
    def objects(self, view: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, D) mean embeddings of the objects of a view, as the copy sees them, and (B,) 1 where there is one."""
        pixels = F.normalize(in_shuffled_parts(self.target, view, self.cfg.batchnorm_images), dim=1)
        return object_means(pixels, mask)

    def after_step(self, progress: Progress) -> None:
        follow(self.target, nn.ModuleList([self.encoder, self.head]), self.cfg.momentum)
