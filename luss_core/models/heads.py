"""Heads on top of a backbone."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def projection_head(inputs: int, hidden: int, outputs: int, final_batchnorm: bool) -> nn.Sequential:
    """Linear, BatchNorm, ReLU, linear; then BatchNorm without affine if asked for. (B, inputs) -> (B, outputs)."""
    layers: list[nn.Module] = [nn.Linear(inputs, hidden), nn.BatchNorm1d(hidden), nn.ReLU(inplace=True)]
    layers.append(nn.Linear(hidden, outputs))
    if final_batchnorm:
        layers.append(nn.BatchNorm1d(outputs, affine=False))
    return nn.Sequential(*layers)


class Prototypes(nn.Linear):
    """K unit vectors; (B, D) unit vectors -> (B, K) cosines.

    The product is in the precision of the prototypes also under autocast: divided by an epsilon of 0.03, what bfloat16
    rounds off a cosine (0.002) would be 7 % of the code.
    """

    def __init__(self, dim: int, count: int):
        super().__init__(dim, count, bias=False)
        self.normalize()

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - name of the base
        with torch.autocast(input.device.type, enabled=False):
            return super().forward(input.to(self.weight.dtype))

    @torch.no_grad()
    def normalize(self) -> None:
        """Back to unit length, as before every step of SwAV."""
        self.weight.copy_(F.normalize(self.weight, dim=1))


def global_average(stage_map: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C), in float32."""
    return stage_map.float().mean(dim=(2, 3))
