"""Pixel attention: what is foreground, as a linear function of maps."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from luss_core.config import EncoderConfig


def make_attention(cfg: EncoderConfig, widths: tuple[int, ...], width: int) -> nn.Module:
    """A module that gives the (B, 1, h, w) logits from the maps of cfg.attention_stages, or from [z] without any.

    Args:
        widths: channels of the stages of the backbone.
        width: channels of z.
    """
    stages = cfg.attention_stages
    return StageAttention(sum(widths[stage - 1] for stage in stages)) if stages else OutputAttention(width)


class OutputAttention(nn.Conv2d):
    """Of the output map, Sec. 4 of the LUSS paper; all weights near one half at first."""

    def __init__(self, width: int):
        super().__init__(width, 1, 1)
        small(self)

    def forward(self, maps: list[Tensor]) -> Tensor:  # type: ignore[override]
        return super().forward(maps[0])


class StageAttention(nn.Module):
    """Of several stages, each channel normalised, at the resolution of the finest."""

    def __init__(self, width: int):
        super().__init__()
        self.normalize = nn.BatchNorm2d(width, affine=False)
        self.linear = nn.Conv2d(width, 1, 1)
        small(self.linear)

    def forward(self, maps: list[Tensor]) -> Tensor:
        size = max((tuple(m.shape[-2:]) for m in maps), key=lambda shape: shape[0] * shape[1])
        fine = [m if m.shape[-2:] == size else F.interpolate(m, size, mode="bilinear") for m in maps]
        logits: Tensor = self.linear(self.normalize(torch.cat(fine, dim=1)))
        return logits


def small(convolution: nn.Conv2d) -> None:
    """Outputs near nothing."""
    nn.init.normal_(convolution.weight, std=0.01)
    assert convolution.bias is not None
    nn.init.zeros_(convolution.bias)
