"""Blocks of ResNet and DeepLabV3, with the names of torchvision, whose import takes as long as that of torch."""

from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class BasicBlock(nn.Module):
    """Two 3x3 convolutions, the first with the stride, around a shortcut: Fig. 5 left of arXiv:1512.03385."""

    expansion: ClassVar[int] = 1

    def __init__(self, inputs: int, planes: int, stride: int = 1, downsample: nn.Module | None = None):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, planes, H / stride, W / stride)."""
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions around a shortcut: Fig. 5 right of arXiv:1512.03385, but with the stride in the 3x3
    one, as everybody's ResNet-50 has it since."""

    expansion: ClassVar[int] = 4

    def __init__(self, inputs: int, planes: int, stride: int = 1, downsample: nn.Module | None = None):
        super().__init__()
        outputs = planes * self.expansion
        self.conv1 = nn.Conv2d(inputs, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, 4 planes, H / stride, W / stride)."""
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


def convolution(inputs: int, outputs: int, kernel: int, dilation: int = 1) -> nn.Sequential:
    """Convolution that keeps the size, BatchNorm and ReLU."""
    padding = (kernel - 1) // 2 * dilation
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=padding, dilation=dilation, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class ASPP(nn.Module):
    """Atrous spatial pyramid pooling, Sec. 3.3 of arXiv:1706.05587: convolutions of several rates, and the mean."""

    def __init__(self, inputs: int, rates: Sequence[int], outputs: int):
        super().__init__()
        convolutions = [convolution(inputs, outputs, 1), *(convolution(inputs, outputs, 3, rate) for rate in rates)]
        mean = nn.Sequential(nn.AdaptiveAvgPool2d(1), *convolution(inputs, outputs, 1))
        self.convs = nn.ModuleList([*convolutions, mean])
        self.project = convolution(len(self.convs) * outputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) -> (B, outputs, h, w)."""
        found = [branch(x) for branch in self.convs]
        found[-1] = F.interpolate(found[-1], x.shape[-2:], mode="bilinear", align_corners=False)
        return self.project(torch.cat(found, dim=1))
