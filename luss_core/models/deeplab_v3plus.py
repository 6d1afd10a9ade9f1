"""DeepLabV3+ as published, Chen et al. 2018, arXiv:1802.02611: what supervised segmentation trains.

The head of `models.deeplab` is the low-cost one of representation learning, without classifier and dropout.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import Conv2dNormActivation

from luss_core.config import DeepLabV3PlusConfig
from luss_core.models.backbone import Backbone, initialize

QUARTER = 4
"""Pixels of the image from one position of the decoder to the next."""


class DeepLabV3Plus(nn.Module):
    """Backbone, ASPP over its last map, decoder with a map at a quarter of the resolution, classifier.

    Sides of images may be any: they are padded to a multiple of the output stride, so that every position of every map
    covers as many pixels, and what was padded is cut off.

    Attributes:
        low: which map of the backbone the decoder sees, the last of those that are no coarser than a quarter; where a
            ViT has none, the first one, enlarged.
    """

    def __init__(self, cfg: DeepLabV3PlusConfig, backbone: Backbone, classes: int):
        super().__init__()
        self.cfg, self.backbone = cfg, backbone
        fine = [i for i, stride in enumerate(backbone.strides) if stride <= QUARTER]
        self.low = fine[-1] if fine else 0
        self.head = Head(cfg, backbone.widths[-1], backbone.widths[self.low], classes)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) normalised images -> (B, classes, H, W) float32 logits."""
        height, width = images.shape[-2:]
        x = padded(images, self.cfg.output_stride)
        maps = self.backbone(x)
        quarter = x.shape[-2] // QUARTER, x.shape[-1] // QUARTER
        logits = self.head(maps[-1], maps[self.low], quarter).float()
        return F.interpolate(logits, x.shape[-2:], mode="bilinear")[..., :height, :width]


class Head(nn.Module):
    """All that begins with random weights."""

    def __init__(self, cfg: DeepLabV3PlusConfig, deep: int, low: int, classes: int):
        """Args:
        deep, low: channels of the last map of the backbone, and of that which the decoder sees.
        """
        super().__init__()
        self.aspp = ASPP(cfg, deep)
        self.low_level = Conv2dNormActivation(low, cfg.low_level_channels, 1)
        self.decoder = nn.Sequential(
            wide(cfg.channels + cfg.low_level_channels, cfg.channels, cfg.separable),
            wide(cfg.channels, cfg.channels, cfg.separable),
        )
        self.apply(initialize)
        self.classifier = nn.Conv2d(cfg.channels, classes, 1)
        nn.init.normal_(self.classifier.weight, std=0.01)
        self.classifier.bias = nn.Parameter(torch.zeros(classes))

    def forward(self, deep: Tensor, low: Tensor, size: tuple[int, int]) -> Tensor:
        """Maps of the backbone -> (B, classes, *size) logits."""
        found = F.interpolate(self.aspp(deep), size, mode="bilinear")
        detail = self.low_level(low)
        if detail.shape[-2:] != size:
            detail = F.interpolate(detail, size, mode="bilinear")
        logits: Tensor = self.classifier(self.decoder(torch.cat((found, detail), dim=1)))
        return logits


class ASPP(nn.Module):
    """A 1x1 convolution, three dilated 3x3 ones and the mean of the image, side by side; then a 1x1 and dropout."""

    def __init__(self, cfg: DeepLabV3PlusConfig, inputs: int):
        super().__init__()
        dilated = [wide(inputs, cfg.channels, cfg.separable, rate) for rate in cfg.dilations]
        self.branches = nn.ModuleList([Conv2dNormActivation(inputs, cfg.channels, 1), *dilated])
        self.pool = Conv2dNormActivation(inputs, cfg.channels, 1)
        self.project = Conv2dNormActivation(5 * cfg.channels, cfg.channels, 1)
        self.dropout = nn.Dropout(cfg.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) -> (B, channels, h, w)."""
        whole = self.pool(x.mean(dim=(-2, -1), keepdim=True)).expand(-1, -1, *x.shape[-2:])
        found: Tensor = self.dropout(self.project(torch.cat([*(branch(x) for branch in self.branches), whole], dim=1)))
        return found


def wide(inputs: int, outputs: int, separable: bool, dilation: int = 1) -> nn.Sequential:
    """A 3x3 convolution, BatchNorm and ReLU; a separable one is a depthwise and a 1x1 one, with these behind each."""
    if not separable:
        return Conv2dNormActivation(inputs, outputs, 3, dilation=dilation)
    depthwise = nn.Conv2d(inputs, inputs, 3, 1, dilation, dilation, inputs, bias=False)
    mixed = Conv2dNormActivation(inputs, outputs, 1)
    return nn.Sequential(depthwise, nn.BatchNorm2d(inputs), nn.ReLU(inplace=True), *mixed)


def padded(images: Tensor, multiple: int) -> Tensor:
    """(B, C, H, W) with zeros right and below, the mean of normalised images, up to a multiple."""
    below, right = (-side % multiple for side in images.shape[-2:])
    return F.pad(images, (0, right, 0, below)) if below or right else images
