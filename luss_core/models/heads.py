"""Heads on top of a backbone."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Float32(nn.Sequential):
    """Layers that compute in float32 even under autocast.

    Embeddings are compared and then divided by a temperature or an epsilon of a few hundredths: of bfloat16, whose
    numbers have eight bits, an error of a tenth would be left.
    """

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            found: Tensor = super().forward(x.float())
        return found


def projection_head(inputs: int, hidden: int, outputs: int, final_batchnorm: bool) -> Float32:
    """Linear, BatchNorm, ReLU, linear; then BatchNorm without affine if asked for. (B, inputs) -> (B, outputs)."""
    layers: list[nn.Module] = [nn.Linear(inputs, hidden), nn.BatchNorm1d(hidden), nn.ReLU(inplace=True)]
    layers.append(nn.Linear(hidden, outputs))
    if final_batchnorm:
        layers.append(nn.BatchNorm1d(outputs, affine=False))
    return Float32(*layers)


def contrast_head(inputs: int, outputs: int, layers: int) -> Float32:
    """(B, inputs) -> (B, outputs): linear and BatchNorm, with ReLU between the layers; the last BatchNorm only scales.

    Head of SimCLR, as in its code; the layers before the last keep the width.
    """
    found: list[nn.Module] = []
    for _ in range(layers - 1):
        found += [nn.Linear(inputs, inputs, bias=False), nn.BatchNorm1d(inputs), nn.ReLU(inplace=True)]
    last = nn.BatchNorm1d(outputs)
    last.bias.requires_grad_(False)
    return Float32(*found, nn.Linear(inputs, outputs, bias=False), last)


class Prototypes(nn.Linear):
    """K unit vectors; (B, D) unit vectors -> (B, K) cosines."""

    def __init__(self, dim: int, count: int):
        super().__init__(dim, count, bias=False)
        self.normalize()

    def forward(self, vectors: Tensor) -> Tensor:
        """In float32 even under autocast: scores are divided by a small epsilon, and the error with them."""
        with torch.autocast(vectors.device.type, enabled=False):
            return F.linear(vectors.float(), self.weight.float())

    @torch.no_grad()
    def normalize(self) -> None:
        """Back to unit length, as before every step of SwAV."""
        self.weight.copy_(F.normalize(self.weight, dim=1))


def global_average(stage_map: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C), in float32."""
    return stage_map.float().mean(dim=(2, 3))


def pixel_head(inputs: int, hidden: int, outputs: int) -> Float32:
    """1x1 convolution, BatchNorm, ReLU, 1x1 convolution: (B, inputs, h, w) -> (B, outputs, h, w); head of PixPro."""
    first = [nn.Conv2d(inputs, hidden, 1), nn.BatchNorm2d(hidden), nn.ReLU(inplace=True)]
    return Float32(*first, nn.Conv2d(hidden, outputs, 1))


def position_head(inputs: int, outputs: int) -> Float32:
    """1x1 convolution that keeps the width, ReLU, 1x1 convolution: (B, inputs, h, w) -> (B, outputs, h, w).

    Heads of CACL, "Network structure"; no BatchNorm is mentioned.
    """
    return Float32(nn.Conv2d(inputs, inputs, 1), nn.ReLU(inplace=True), nn.Conv2d(inputs, outputs, 1))
