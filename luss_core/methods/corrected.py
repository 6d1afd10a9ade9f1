"""Masks that people corrected teach the attention where objects are, and the head which category they have.

The encoder stays as it is: what learns is linear, and begins with what was found without labels. A penalty holds it
there, less the more masks there are, so that eight masks do no harm and eighty may say something else.
"""

from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from luss_core.data.batch import Batch
from luss_core.data.coding import IGNORE
from luss_core.methods.base import Method, Output, Progress
from luss_core.methods.segmenter import Segmenter
from luss_core.models.centroids import NearestCentroid
from luss_core.models.encoder import pool
from luss_core.models.momentum import frozen_copy

PLANE = "corrected"
"""Name of the masks that lie over the images."""
HELD = {"attention": 3.0, "head": 3.0}
"""What the penalty of one mask weighs. Chosen on validation images of objects8, as SHARPNESS: without it, 8 masks make
both worse than no masks."""
SHARPNESS = 20.0
"""Logits of two centroids differ by this at one of them, where they lie at the mean squared distance of all."""


class Corrected(Method):
    """A segmenter whose attention and head learn from masks."""

    members: Tensor  # (T + 1, C)

    def __init__(self, segmenter: Segmenter, members: Tensor, masks: int):
        """Args:
        members: (T + 1, C) bool, which of the C categories are meant by each id 0..T of the masks.
        masks: how many there are.
        """
        super().__init__()
        self.cfg, self.masks = segmenter.cfg, masks
        self.encoder, self.head = segmenter.encoder, segmenter.head
        assert self.encoder.attention is not None
        self.encoder.requires_grad_(False)
        self.encoder.attention.requires_grad_(True)
        self.start = nn.ModuleDict({"attention": frozen_copy(self.encoder.attention), "head": frozen_copy(self.head)})
        self.scale = 1.0
        self.head.requires_grad_(True)
        if isinstance(self.head, NearestCentroid):
            self.head.learn()
            self.scale = SHARPNESS / max(spread(self.head.centroids.detach()), 1e-12)
        self.register_buffer("members", members)
        self.lr_scale = {"encoder.attention.": _size(self.encoder.attention), "head.": _size(self.head)}

    def forward(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        ids, maps = batch.planes[PLANE][0], self.encoder(views[0])
        assert maps.attention is not None
        z = maps.output if self.cfg.features == "output" else maps.stage4
        if self.cfg.label == "image":
            z = pool(maps._replace(attention=maps.attention.detach()), self.cfg.features)[:, :, None, None]
        where = foreground_loss(maps.attention, ids)
        what = category_loss(self.head(z).float() * self.scale, ids, self.members)
        held = torch.stack([HELD[name] / self.masks * self._moved(name) for name in HELD]).sum()
        return Output(where + what + held, {"foreground_loss": where, "category_loss": what, "held": held})

    def train(self, mode: bool = True) -> Self:  # noqa: ARG002
        """Everything stays in evaluation mode, as it is used."""
        return super().train(False)

    def _moved(self, name: str) -> Tensor:
        """How far a part is from where it began: squared distance in squares of what it began with."""
        start = self.start.get_submodule(name).state_dict()
        learned = dict(self._part(name).named_parameters())
        distance = torch.stack([(p - start[key]).square().sum() for key, p in learned.items()]).sum()
        return distance / torch.stack([start[key].square().sum() for key in learned]).sum().clamp(min=1e-12)

    def _part(self, name: str) -> nn.Module:
        return self.head if name == "head" else self.encoder.get_submodule(name)


def foreground_loss(logits: Tensor, ids: Tensor) -> Tensor:
    """Binary cross-entropy of the attention with the share of foreground in each of its cells; mean over images.

    Args:
        logits: (B, 1, h, w).
        ids: (B, 1, H, W); IGNORE counts nowhere.
    """
    known, logits = (ids != IGNORE).float(), logits.float()
    inside = (ids > 0).float() * known
    known, inside = _cells(known, logits), _cells(inside, logits)
    return _mean_of_images(F.softplus(logits) * known - logits * inside, known)


def category_loss(logits: Tensor, ids: Tensor, members: Tensor) -> Tensor:
    """Cross-entropy of the maps with the share of each category in their cells, background aside; mean over images.

    Args:
        logits: (B, C, h, w).
        ids: (B, 1, H, W) of T or fewer categories.
        members: (T + 1, C) bool, which of the C count as each id.
    """
    whole = logits.logsumexp(dim=1, keepdim=True)
    loss = shares = torch.zeros_like(whole)
    for number in ids.unique().tolist():
        if number not in (0, IGNORE):
            share = _cells((ids == number).float(), logits)
            loss = loss + share * (whole - logits[:, members[number]].logsumexp(dim=1, keepdim=True))
            shares = shares + share
    return _mean_of_images(loss + 0 * whole, shares)


def _cells(values: Tensor, like: Tensor) -> Tensor:
    """(B, 1, h, w) means over the cells of a map."""
    height, width = like.shape[-2:]
    return F.adaptive_avg_pool2d(values, (height, width))


def _mean_of_images(loss: Tensor, weight: Tensor) -> Tensor:
    """Mean over images of the mean over cells, (B, 1, h, w) both; images without weight aside."""
    weights = weight.sum(dim=(1, 2, 3))
    return (loss.sum(dim=(1, 2, 3)) / weights.clamp(min=1e-6)).sum() / (weights > 0).sum().clamp(min=1)


def spread(centroids: Tensor) -> float:
    """Mean squared distance between two of (C, d) centroids; 0 of one."""
    count = len(centroids)
    return float(2 * (centroids - centroids.mean(dim=0)).square().sum() / max(count - 1, 1))


def _size(part: nn.Module) -> float:
    """Root of the mean square of what learns in a part."""
    values = torch.cat([p.detach().flatten() for p in part.parameters()])
    return max(float(values.square().mean().sqrt()), 1e-6)
