"""An encoder and a 1x1 convolution that give each pixel a class: what probes train, with true labels."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from luss_core.config import EncoderConfig
from luss_core.data.annotated import AnnotatedImages
from luss_core.data.batch import Batch
from luss_core.data.masks import IGNORE
from luss_core.data.whole import resize_short, to_network
from luss_core.losses.pixels import labelled_cross_entropy, per_pixel
from luss_core.methods.base import Method, Output, Progress
from luss_core.models.encoder import Encoder
from luss_core.models.weights import load_network

Source = Literal["stage4", "output"]


class PixelClassifier(Method):
    """Encoder and 1x1 convolution; the loss is the cross-entropy of the logits, resized bilinearly to the label."""

    def __init__(self, encoder: Encoder, features: Source, classes: int):
        super().__init__()
        self.encoder, self.features = encoder, features
        for part in (encoder.attention, encoder.decoder if features == "stage4" else None):
            if part is not None:  # No label reaches it, and several processes wait for gradients of what learns.
                part.requires_grad_(False)
        self.head = nn.Conv2d(encoder.width_of(features), classes, 1)
        nn.init.normal_(self.head.weight, std=0.01)
        self.head.bias = nn.Parameter(torch.zeros(classes))

    def set_head(self, weight: Tensor, bias: Tensor) -> None:
        """Take (C, D) weights and (C,) biases."""
        self.head.load_state_dict({"weight": weight[:, :, None, None], "bias": bias})

    def forward(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        """`batch.planes` has the labels of the views, (B, 1, H, W) each."""
        losses, hits = [], []
        for view, plane in zip(views, batch.planes["masks"], strict=True):
            logits = F.interpolate(self.logits(view), view.shape[-2:], mode="bilinear")
            labels = plane[:, 0].long()
            losses.append(labelled_cross_entropy(logits.movedim(1, -1).flatten(0, 2), labels.flatten(), IGNORE))
            hits.append(per_pixel((logits.argmax(dim=1) == labels).sum(), (labels != IGNORE).sum()))
        return Output(torch.stack(losses).mean(), {"accuracy": torch.stack(hits).mean()})

    def logits(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) normalised images -> (B, C, h, w) float32 at the resolution of the map."""
        logits: Tensor = self.head(features_of(self.encoder, self.features, images))
        return logits.float()

    @torch.inference_mode()
    def segment(self, image: np.ndarray, size: int | None, shape: tuple[int, int]) -> np.ndarray:
        """(H, W, 3) uint8 -> (height, width) int64 classes.

        Args:
            size: shorter side in pixels that the encoder sees; None for the image as it is.
            shape: height and width of the result.
        """
        logits = self.logits(seen(self.encoder, image, size, self.head.weight.device))
        found: np.ndarray = F.interpolate(logits, shape, mode="bilinear")[0].argmax(dim=0).cpu().numpy()
        return found


def features_of(encoder: Encoder, features: Source, images: Tensor) -> Tensor:
    """(B, D, h, w) one of the maps of an encoder."""
    maps = encoder(images)
    return maps.stage4 if features == "stage4" else maps.output


def seen(encoder: Encoder, image: np.ndarray, size: int | None, device: torch.device) -> Tensor:
    """(1, 3, h, w) an image as the encoder sees it: whole, both sides a multiple that the network takes."""
    short_side = size or min(image.shape[:2])
    return to_network(resize_short(image, short_side, encoder.backbone.multiple)[None], device)


def confusion(
    classifier: PixelClassifier, images: AnnotatedImages, size: int | None, over: Iterable[int]
) -> np.ndarray:
    """(C, C) int64 labelled pixels by truth and prediction, at the size of the labels.

    Args:
        over: positions of the images, perhaps with progress lines.
    """
    classes = len(images.classes)
    found = np.zeros(classes * classes, np.int64)
    for i in over:
        mask = images.mask(i)
        predicted = classifier.segment(images.image(i, size), size, (mask.shape[0], mask.shape[1]))
        labelled = mask != IGNORE
        found += np.bincount(mask[labelled].astype(np.int64) * classes + predicted[labelled], minlength=classes**2)
    return found.reshape(classes, classes)


def load_probe(path: Path) -> tuple[PixelClassifier, list[str]]:
    """What a probe exported, in evaluation mode, and the names of its classes.

    Raises:
        UserError: as ``load_network``.
    """
    names: list[str] = []

    def make(about: dict[str, Any]) -> PixelClassifier:
        names.extend(about["classes"])
        return PixelClassifier(Encoder(EncoderConfig.model_validate(about["encoder"])), about["features"], len(names))

    return load_network(path, "probe", "probes", make), names
