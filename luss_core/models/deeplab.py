"""The head of DeepLabV3+, at any resolution: ASPP over the last stage, decoded with an earlier one."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.segmentation.deeplabv3 import ASPP
from torchvision.ops import Conv2dNormActivation

from luss_core.config import DecoderConfig
from luss_core.models.backbone import initialize


class DeepLabHead(nn.Module):
    """Chen et al. 2018, arXiv:1802.02611, without separable convolutions and without the classifier.

    Two departures from the published head. It ends with the map after the last 3x3 convolution, which is the
    representation z of the pixels. And torchvision's dropout after ASPP is left out: z of two views of a pixel is to be
    the same, and half of the channels at random would be noise in that comparison and in the codes of the views.

    ASPP has a BatchNorm over one value an image, so training needs two images or more.

    Attributes:
        width: channels of the output.
    """

    def __init__(self, cfg: DecoderConfig, widths: tuple[int, ...]):
        super().__init__()
        self.cfg = cfg
        self.width = cfg.channels
        self.aspp = ASPP(widths[-1], cfg.rates, cfg.channels)
        self.aspp.project.pop(-1)  # the dropout
        self.low_level = Conv2dNormActivation(widths[cfg.low_level_stage - 1], cfg.low_level_channels, 1)
        self.decoder = nn.Sequential(
            Conv2dNormActivation(cfg.channels + cfg.low_level_channels, cfg.channels, 3),
            Conv2dNormActivation(cfg.channels, cfg.channels, 3),
        )
        self.apply(initialize)

    def forward(self, stages: tuple[Tensor, ...], size: tuple[int, int]) -> Tensor:
        """Maps of the stages of images of ``size`` (H, W) -> z, (B, width, h, w).

        h is H / decoder_stride, rounded up, and w likewise.
        """
        deep = self.aspp(_resize(stages[-1], _positions(size, self.cfg.aspp_stride)))
        target = _positions(size, self.cfg.decoder_stride)
        low = self.low_level(_resize(stages[self.cfg.low_level_stage - 1], target))
        return self.decoder(torch.cat((_resize(deep, target), low), dim=1))


def _positions(size: tuple[int, int], stride: int) -> tuple[int, int]:
    """As convolutions of that stride leave them: rounded up, in positive numbers, as ONNX divides."""
    return (size[0] + stride - 1) // stride, (size[1] + stride - 1) // stride


def _resize(x: Tensor, target: tuple[int, int]) -> Tensor:
    """(B, C, h, w) -> (B, C, *target): averages of whole cells to shrink, bilinear interpolation to enlarge.

    Averages use every value, where interpolation would skip some, and cost no more. Where strides are powers of two,
    cells are equal but for the last of a row; those of patches of 14 pixels overlap.
    """
    height, width = x.shape[-2:]
    if (height, width) == target:
        return x
    if target[0] <= height and target[1] <= width:
        cell = -(-height // target[0]), -(-width // target[1])
        if (-(-height // cell[0]), -(-width // cell[1])) == target:
            return F.avg_pool2d(x, cell, ceil_mode=True)
        return F.adaptive_avg_pool2d(x, target)
    return F.interpolate(x, target, mode="bilinear", align_corners=False)
