"""SEAM: maps that follow the image when it is resized, Wang et al. 2020, arXiv:2004.04581."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from luss_core.config import SegmenterConfig
from luss_core.config.cams import SeamConfig, check_scale, smaller_side
from luss_core.data.batch import Batch
from luss_core.errors import UserError
from luss_core.losses.cams import (
    accuracy,
    competing,
    equivariance,
    hardest_difference,
    least_quarter,
    of_labels,
    unit,
    with_background,
)
from luss_core.methods.base import Output, Progress
from luss_core.methods.segmenter import Segmented, Segmenter, only, pooled, present
from luss_core.models.correlation import PixelCorrelation
from luss_core.models.encoder import Encoder


class Seen(NamedTuple):
    """What is made of one view."""

    logits: Tensor
    """(B, C) of the categories of images."""
    cam: Tensor
    """(B, K, h, w) activation maps of the image's own categories, K = 1 where each has one; zeros behind the last."""
    refined: Tensor
    """(B, 1 + K, h', w') background and the own categories, after the pixel correlation module."""


class Seam(Segmenter):
    """Each view and a smaller copy of it: both are classified, their maps agree (ER), and the refined map of either
    agrees with the map of the other (ECR), which stands in for the masks that nobody gave.

    L = (classification of both) / 2 + (least quarter of both) / 2 + ER + ECR of both directions, as the code. Labels
    and ER teach encoder and head, all others the pixel correlation module alone: maps and features reach it without
    gradient. It segments by the refined map.

    Departures: the maps of categories that an image does not have, which the code multiplies with 0, are not computed,
    nor any but one where each image has one label, as in LUSS; the smaller side is whole positions of the coarsest map,
    so that both maps cover the whole image, and interpolation is between centres of pixels; no dropout before the head,
    which is that of the published network. Where no label says which categories an image shows, its own classification
    does. Of the transformations of the paper resizing alone, as in the code.
    """

    method: SeamConfig

    def __init__(
        self,
        cfg: SegmenterConfig,
        encoder: Encoder,
        classes: int,
        *,
        method: SeamConfig,
        sizes: Sequence[int] = (),
        several: np.ndarray | None = None,
    ):
        """Args:
        several: as of Segmenter.
        sizes: sides in pixels of the views that it will be trained with.

        Raises:
            UserError: they are too small for the network.
        """
        super().__init__(cfg, encoder, classes, method=method, several=several)
        try:
            if sizes:
                check_scale(method, list(sizes), encoder.backbone.strides[-1])
        except ValueError as error:
            raise UserError(str(error)) from error
        self.correlation = PixelCorrelation(encoder.backbone.widths)
        self.lr_scale = {**self.lr_scale, "correlation.": cfg.head_lr}

    def forward(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        label = self.label_of(batch)
        found = [self.losses(view, label) for view in views]
        logs = {name: torch.stack([losses[name] for losses in found]).mean() for name in found[0]}
        loss = logs["classification"] + logs["least_quarter"] + logs["er"] + logs["ecr"]
        return Output(loss, {name: value.detach() for name, value in logs.items()})

    def losses(self, images: Tensor, label: Tensor) -> dict[str, Tensor]:
        """The parts of the loss of (B, 3, H, W) images of categories (B,) or (B, K), and the accuracy."""
        sides, stride = images.shape[-2:], self.encoder.backbone.strides[-1]
        rule = self.method.classification
        small = [smaller_side(side, self.method.scale, stride) for side in sides]
        large = self.seen(images, label)
        less = self.seen(_resized(images, small), label)
        refined = [_resized(view.refined, to) for view, to in ((large, sides), (less, small))]
        cams = [unit(_resized(view.cam, to)) for view, to in ((large, sides), (less, small))]
        one, two = _resized(cams[0], small), cams[1]
        compared = _resized(unit(refined[0]), small), unit(refined[1])
        hard = [
            hardest_difference(own, with_background(other), self.method.hardest, self.classes)
            for own, other in zip(compared, (two, one), strict=True)
        ]
        return {
            "classification": (of_labels(large.logits, label, rule) + of_labels(less.logits, label, rule)) / 2,
            "least_quarter": (least_quarter(refined[0][:, 1:]) + least_quarter(refined[1][:, 1:])) / 2,
            "er": equivariance(one, two, self.classes),
            "ecr": hard[0] + hard[1],
            "accuracy": accuracy(large.logits, label),
        }

    def seen(self, images: Tensor, label: Tensor) -> Seen:
        """What is made of images whose categories are known."""
        maps = self.encoded(images)
        found = self.activated(maps)
        cam = found.maps.float()
        background, shares = competing(cam.detach())
        values = torch.cat([background, _of(shares, label)], dim=1)
        return Seen(pooled(found), _of(cam, label), self.correlation(images, maps.stages, values))

    def segment(self, images: Tensor, cams: Tensor | None = None) -> Segmented:
        """(B, 3, H, W) -> refined maps of the categories that each image shows, 0..1, and -1 for the others."""
        maps = self.encoded(images)
        found = self.activated(maps) if cams is None else Segmented(cams, None)
        logits, shares = pooled(found), competing(found.maps.float())[1]
        if self.method.present == "one":
            shares = _of(shares, logits.argmax(dim=1))
        refined = unit(self.correlation(images, maps.stages, shares))
        return Segmented(only(refined, present(logits, self.method.present)), None)


def _of(maps: Tensor, label: Tensor) -> Tensor:
    """(B, 1, h, w) of (B, C, h, w) maps those of categories (B,); (B, K, h, w) of (B, K), zeros for -1."""
    if label.ndim == 1:
        return maps.gather(1, label[:, None, None, None].expand(-1, 1, *maps.shape[-2:]))
    there = (label >= 0)[:, :, None, None]
    index = label.clamp(min=0)[:, :, None, None].expand(-1, -1, *maps.shape[-2:])
    return torch.where(there, maps.gather(1, index), 0.0)


def _resized(x: Tensor, sides: Sequence[int]) -> Tensor:
    return F.interpolate(x, tuple(sides), mode="bilinear", align_corners=False)
