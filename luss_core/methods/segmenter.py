"""Fine-tuning on image-level pseudo labels and class activation maps: steps 3 and 4 of the LUSS pipeline, Sec. 3.1."""

from typing import Literal, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor, nn

from luss_core.config import SegmenterConfig
from luss_core.config.cams import CamConfig, CamMethodConfig
from luss_core.data.batch import Batch
from luss_core.errors import UserError
from luss_core.losses.cams import accuracy, alone, of_labels, unit
from luss_core.methods.base import Method, Output, Progress
from luss_core.models.encoder import Encoder, Maps, attention_weights, pool
from luss_core.models.heads import global_average


class Segmented(NamedTuple):
    """What the segmenter says of a batch of images."""

    maps: Tensor
    """(B, C, h, w) class activation maps; (B, C, 1, 1) where an image has one category."""
    attention: Tensor | None
    """(B, 1, h', w') logits of being foreground; None where the maps decide that as well."""


class Segmenter(Method):
    """Encoder, 1x1 convolution to C maps, global average pooling, the loss of labels."""

    head: nn.Module
    several: Tensor | None  # (N, K) categories of each training image, -1 behind the last; None: one each

    def __init__(
        self,
        cfg: SegmenterConfig,
        encoder: Encoder,
        classes: int,
        head: nn.Module | None = None,
        method: CamMethodConfig | None = None,
        several: np.ndarray | None = None,
    ):
        """Args:
        head: in place of a new 1x1 convolution; nearest centroids, where cfg.head says so.
        method: how it learns, and which categories an image may show; None: as CamConfig.
        several: (N, K) categories of each training image, -1 behind the last, where images have more than one.
        """
        super().__init__()
        if cfg.attend and encoder.attention is None:
            raise UserError(
                "finetune.segmenter.attend is true, but the encoder has no attention; set it to false, or"
                " pretrain.attention to true and run pretrain again"
            )
        self.cfg, self.encoder, self.classes, self.method = cfg, encoder, classes, method or CamConfig()
        self.lr_scale = {"head.": cfg.head_lr}
        if cfg.encoder == "frozen":
            self.encoder.requires_grad_(False)
        for part in (encoder.attention, encoder.decoder if cfg.features == "stage4" else None):
            if part is not None:  # No label reaches it, and several processes wait for gradients of what learns.
                part.requires_grad_(False)
        if self.method.freezes_batchnorm:
            for layer in batchnorms(encoder):
                layer.requires_grad_(False)
        self.register_buffer("several", None if several is None else torch.from_numpy(several), persistent=False)
        self.head = head or _convolution(encoder.width_of(cfg.features), classes, self.method.bias)

    def forward(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        found = [self.activated(self.encoded(view)) for view in views]
        logits = torch.cat([pooled(maps) for maps in found])
        label = torch.cat([self.label_of(batch)] * len(views))
        return Output(of_labels(logits, label, self.method.classification), {"accuracy": accuracy(logits, label)})

    def label_of(self, batch: Batch) -> Tensor:
        """(B,) category of each image, or (B, K) categories, -1 behind the last, where images have several."""
        if self.several is not None:
            return self.several[batch.index].long()
        assert batch.label is not None
        return batch.label

    def segment(self, images: Tensor, cams: Tensor | None = None) -> Segmented:
        """(B, 3, H, W) -> what masks are made of: the activations, or the maps of the categories that images show.

        Args:
            cams: (B, C, h, w) in place of the activations of the images.
        """
        return self.shown(self.activated(self.encoded(images)) if cams is None else Segmented(cams, None))

    def encoded(self, images: Tensor) -> Maps:
        """(B, 3, H, W) -> what the encoder makes of images."""
        learns = self.cfg.encoder == "trained" or images.requires_grad
        with torch.set_grad_enabled(torch.is_grad_enabled() and learns):
            maps: Maps = self.encoder(images)
        return maps

    def activated(self, maps: Maps) -> Segmented:
        """Class activation maps, the head with its pooling removed, and where objects are."""
        z = maps.output if self.cfg.features == "output" else maps.stage4
        attention = maps.attention if self.cfg.attend else None
        if self.cfg.label == "image":
            z = pool(maps, self.cfg.features, self.cfg.attend)[:, :, None, None]
        return Segmented(self.head(z), attention)

    def shown(self, found: Segmented) -> Segmented:
        """The maps of the categories that each image shows, 0..1, and -1 for the others; as they are if any may be."""
        if self.method.present == "any":
            return found
        return Segmented(only(unit(found.maps.float()), present(pooled(found), self.method.present)), None)

    @property
    def trained(self) -> "Segmenter":
        """What segments, once training is over."""
        return self

    def train(self, mode: bool = True) -> Self:
        """A frozen encoder stays in evaluation mode, and so does frozen BatchNorm."""
        super().train(mode)
        if self.method.freezes_batchnorm:
            for layer in batchnorms(self.encoder):
                layer.eval()
        if self.cfg.encoder == "frozen":
            self.encoder.eval()
        return self


def batchnorms(module: nn.Module) -> list[nn.Module]:
    """All layers of BatchNorm."""
    return [layer for layer in module.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]


def present(logits: Tensor, rule: Literal["one", "several"]) -> Tensor:
    """(B, C) bool, the categories of images: that of the greatest logit, and if several all of a probability > 0.5."""
    best = alone(logits.argmax(dim=1), logits.shape[1])
    return best if rule == "one" else best | (logits > 0)


def only(maps: Tensor, kept: Tensor) -> Tensor:
    """(B, C, h, w) maps, not negative, -1 where (B, C) is not kept; of (B, 1, h, w) maps the same for all that are."""
    return torch.where(kept[:, :, None, None], maps, -1.0)


def _convolution(width: int, classes: int, bias: bool) -> nn.Conv2d:
    convolution = nn.Conv2d(width, classes, 1, bias=bias)
    nn.init.normal_(convolution.weight, std=0.01)
    return convolution


def pooled(found: Segmented) -> Tensor:
    """(B, C) mean of the maps, weighted with the attention where there is one; labels do not teach the attention."""
    maps, attention = found
    if attention is None or maps.shape[-2:] == (1, 1):
        return global_average(maps)
    c = attention_weights(attention.detach(), maps)
    return (c * maps).sum(dim=(2, 3)) / c.sum(dim=(2, 3))
