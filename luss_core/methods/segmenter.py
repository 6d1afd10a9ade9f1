"""Fine-tuning on image-level pseudo labels and class activation maps: steps 3 and 4 of the LUSS pipeline, Sec. 3.1."""

from pathlib import Path
from typing import Any, NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from luss_core.config import EncoderConfig, SegmenterConfig
from luss_core.data.batch import Batch
from luss_core.errors import UserError
from luss_core.methods.base import Method, Output, Progress
from luss_core.models.centroids import NearestCentroid, Shape
from luss_core.models.encoder import Encoder, attention_weights, pool
from luss_core.models.heads import global_average
from luss_core.models.weights import load_network


class Segmented(NamedTuple):
    """What the segmenter says of a batch of images."""

    maps: Tensor
    """(B, C, h, w) class activation maps; (B, C, 1, 1) where an image has one category."""
    attention: Tensor | None
    """(B, 1, h', w') logits of being foreground; None where the maps decide that as well."""


class Segmenter(Method):
    """Encoder, 1x1 convolution to C maps, global average pooling, cross-entropy."""

    head: nn.Module

    def __init__(self, cfg: SegmenterConfig, encoder: Encoder, classes: int, centroids: NearestCentroid | None = None):
        """Args:
        centroids: in place of the 1x1 convolution, where cfg.head says so.
        """
        super().__init__()
        if cfg.attend and encoder.attention is None:
            raise UserError(
                "finetune.segmenter.attend is true, but the encoder has no attention; set it to false, or"
                " pretrain.attention to true and run pretrain again"
            )
        self.cfg, self.encoder = cfg, encoder
        self.lr_scale = {"head.": cfg.head_lr}
        if cfg.encoder == "frozen":
            self.encoder.requires_grad_(False)
        for part in (encoder.attention, encoder.decoder if cfg.features == "stage4" else None):
            if part is not None:  # No label reaches it, and several processes wait for gradients of what learns.
                part.requires_grad_(False)
        self.head = centroids or _convolution(encoder.width_of(cfg.features), classes)

    def forward(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        assert batch.label is not None
        found = [self.segment(view) for view in views]
        logits = torch.cat([_pooled(*maps) for maps in found])
        label = batch.label.repeat(len(views))
        accuracy = (logits.argmax(dim=1) == label).float().mean()
        return Output(F.cross_entropy(logits, label), {"accuracy": accuracy})

    def segment(self, images: Tensor) -> Segmented:
        """(B, 3, H, W) -> class activation maps, the head with its pooling removed, and where objects are."""
        learns = self.cfg.encoder == "trained" or images.requires_grad
        with torch.set_grad_enabled(torch.is_grad_enabled() and learns):
            maps = self.encoder(images)
        z = maps.output if self.cfg.features == "output" else maps.stage4
        attention = maps.attention if self.cfg.attend else None
        if self.cfg.label == "image":
            z = pool(maps, self.cfg.features, self.cfg.attend)[:, :, None, None]
        return Segmented(self.head(z), attention)

    def train(self, mode: bool = True) -> Self:
        """A frozen encoder stays in evaluation mode."""
        super().train(mode)
        if self.cfg.encoder == "frozen":
            self.encoder.eval()
        return self


def _convolution(width: int, classes: int) -> nn.Conv2d:
    convolution = nn.Conv2d(width, classes, 1)
    nn.init.normal_(convolution.weight, std=0.01)
    return convolution


def _pooled(maps: Tensor, attention: Tensor | None) -> Tensor:
    """(B, C) mean of the maps, weighted with the attention where there is one; labels do not teach the attention."""
    if attention is None or maps.shape[-2:] == (1, 1):
        return global_average(maps)
    c = attention_weights(attention.detach(), maps)
    return (c * maps).sum(dim=(2, 3)) / c.sum(dim=(2, 3))


def load_segmenter(path: Path) -> Segmenter:
    """The network that ``finetune`` exported, in evaluation mode.

    Raises:
        UserError: as ``load_network``.
    """
    return load_network(path, "segmenter", "finetune", make_segmenter)


def make_segmenter(about: dict[str, Any]) -> Segmenter:
    """A segmenter without weights from what its file says."""
    encoder = Encoder(EncoderConfig.model_validate(about["encoder"]))
    centroids = about.get("centroids")
    head = NearestCentroid(Shape(**centroids), about["classes"]) if centroids else None
    return Segmenter(SegmenterConfig.model_validate(about["segmenter"]), encoder, about["classes"], head)
