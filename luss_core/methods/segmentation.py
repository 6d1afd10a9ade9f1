"""Supervised segmentation: a network that learns from labelled pixels, begun from the backbone of an encoder."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from luss_core.config import DeepLabV3PlusConfig, EncoderConfig, SegmentConfig, TrainConfig, WholeConfig
from luss_core.data.batch import Batch
from luss_core.data.masks import IGNORE
from luss_core.losses.pixels import labelled_cross_entropy, per_pixel
from luss_core.methods.base import Method, Output, Progress
from luss_core.methods.whole_masks import segment_whole
from luss_core.models.backbone import make_backbone
from luss_core.models.deeplab_v3plus import DeepLabV3Plus
from luss_core.models.weights import load_network
from luss_core.runtime import autocast


class Segmentation(Method):
    """DeepLabV3+ and the mean cross-entropy of the labelled pixels, at the resolution of the crops."""

    def __init__(self, network: DeepLabV3Plus, head_lr: float):
        super().__init__()
        self.network = network
        self.lr_scale = {"network.head.": head_lr}

    def forward(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        """`batch.planes` has the labels of the crops, (B, 1, H, W)."""
        losses, hits = [], []
        for view, plane in zip(views, batch.planes["masks"], strict=True):
            logits, labels = self.network(view), plane[:, 0].long()
            losses.append(labelled_cross_entropy(logits, labels, IGNORE))
            hits.append(per_pixel((logits.detach().argmax(dim=1) == labels).sum(), (labels != IGNORE).sum()))
        return Output(torch.stack(losses).mean(), {"accuracy": torch.stack(hits).mean()})


def segment_image(
    network: DeepLabV3Plus, cfg: WholeConfig, image: np.ndarray, shape: tuple[int, int], precision: Any = "float32"
) -> np.ndarray:
    """(H, W, 3) uint8 -> (height, width) int64 classes at the size ``shape``."""
    device = next(network.parameters()).device
    with autocast(precision, device):
        return segment_whole(network, image, cfg, shape, device)


def load_segmentation(path: Path) -> tuple[DeepLabV3Plus, list[str]]:
    """The network that ``segment`` exported, in evaluation mode, and the names of its classes.

    Raises:
        UserError: as ``load_network``.
    """
    names: list[str] = []

    def make(about: dict[str, Any]) -> DeepLabV3Plus:
        names.extend(about["classes"])
        backbone = make_backbone(EncoderConfig.model_validate(about["encoder"]).backbone)
        return DeepLabV3Plus(DeepLabV3PlusConfig.model_validate(about["network"]), backbone, len(names))

    return load_network(path, "segmentation network", "segment", make), names


def training_of(cfg: SegmentConfig, images: int) -> TrainConfig:
    """How so many images are learned from: in so many epochs that there are cfg.least_steps."""
    per_epoch = max(1, images // min(cfg.train.batch_size, images))
    epochs = max(cfg.train.epochs, -(-cfg.least_steps // per_epoch))
    return cfg.train.model_copy(update={"epochs": epochs})
