"""Fine-tuning on image-level pseudo labels and class activation maps: steps 3 and 4 of the LUSS pipeline, Sec. 3.1."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from luss_core.data.batch import Batch
from luss_core.methods.base import Method, Output, Progress
from luss_core.models.backbone import ResNet
from luss_core.models.heads import global_average


class Segmenter(Method):
    """Encoder, 1x1 convolution to C maps, global average pooling, cross-entropy."""

    def __init__(self, backbone: ResNet, classes: int):
        super().__init__()
        self.backbone = backbone
        self.head = nn.Conv2d(backbone.widths[-1], classes, 1)
        nn.init.normal_(self.head.weight, std=0.01)

    def forward(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        assert batch.label is not None
        logits = torch.cat([global_average(self.activation_map(view)) for view in views])
        label = batch.label.repeat(len(views))
        accuracy = (logits.argmax(dim=1) == label).float().mean()
        return Output(F.cross_entropy(logits, label), {"accuracy": accuracy})

    def activation_map(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, C, h, w) class activation maps: the head with its pooling removed."""
        return self.head(self.backbone(images)[-1])
