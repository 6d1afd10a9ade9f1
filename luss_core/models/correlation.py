"""The pixel correlation module of SEAM, arXiv:2004.04581: maps are spread over the positions that look alike."""

from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from luss_core.losses.cams import SMALL
from luss_core.losses.contrast import in_parts
from luss_core.losses.negatives import SCORES

REDUCED = (64, 128)
"""Channels to which the maps of the two stages before the last are reduced, as published; and"""
WIDTH = 192
"""those that are compared."""
GAIN = 4.0
"""Of the initial weights of the last convolution."""


class PixelCorrelation(nn.Module):
    """Maps as means over all positions, weighted with how alike they are in what earlier stages and the image show.

    As the published code: a 1x1 convolution and ReLU on each stage, the image beside them, and a 1x1 convolution on all
    that; no biases. It runs at the resolution of the finest of these stages, P positions; in the published networks
    all of them and the activation maps have one. With ResNet-18, whose strides are 8 and 16, the cost is that in
    Table 4 of the LUSS paper, 1.9 G multiply-accumulates.

    Its peak is SCORES similarities, 64 MB of float32, whatever the image: of more than these it computes some rows at
    a time, and again for the gradient. Time grows with P squared: 784 for 224 pixels and stride 8, 3136 for 448.
    """

    def __init__(self, widths: Sequence[int]):
        """Args:
        widths: channels of the stages of the backbone; of fewer than three stages those before the last are used.
        """
        super().__init__()
        used = widths[-3:-1]
        self.reduce = nn.ModuleList(
            nn.Conv2d(width, to, 1, bias=False)
            for width, to in zip(used, REDUCED[-len(used) :] if used else (), strict=True)
        )
        self.mix = nn.Conv2d(3 + sum(REDUCED[-len(used) :] if used else ()), WIDTH, 1, bias=False)
        for weight in self.reduce.parameters():
            nn.init.kaiming_normal_(weight)
        nn.init.xavier_uniform_(self.mix.weight, gain=GAIN)

    def forward(
        self, images: Float[Tensor, "B 3 H W"], stages: Sequence[Tensor], values: Float[Tensor, "B M h w"]
    ) -> Float[Tensor, "B M h' w'"]:
        """Values in 0..1 stay there. The stages and the values get no gradient, as published.

        Args:
            stages: of the backbone, from fine to coarse.
        """
        used = [stage.detach() for stage in stages[-3:-1]]
        shape = (used or [values])[0].shape[-2:]
        reduced = [F.relu(layer(stage)) for layer, stage in zip(self.reduce, used, strict=True)]
        parts = [_resized(part, shape) for part in (images, *reduced)]
        return correlate(self.mix(torch.cat(parts, dim=1)), _resized(values.detach(), shape))


def correlate(features: Float[Tensor, "B D h w"], values: Float[Tensor, "B M h w"]) -> Float[Tensor, "B M h w"]:
    """y_j = sum over i of a_ij v_i / sum over i of a_ij with a_ij = max(cos(f_i, f_j), 0), Eq. 6 and 7. Float32."""
    with torch.autocast(features.device.type, enabled=False):
        f, v = features.float().flatten(2), values.float().flatten(2)
        f = f / (f.norm(dim=1, keepdim=True) + SMALL)
        rows = partial(_mixed, f, v)
        if torch.compiler.is_exporting():  # sizes are unknown, and so is what would be many
            y = rows(f.permute(2, 0, 1))
        else:
            y = in_parts(rows, (f.permute(2, 0, 1),), SCORES // (f.shape[0] * f.shape[2]))
    return y.permute(1, 2, 0).unflatten(2, values.shape[2:])


def _mixed(f: Tensor, v: Tensor, rows: Tensor) -> Tensor:
    """(p, B, M) of the positions ``rows``, (p, B, D), from all positions, (B, D, P) and (B, M, P)."""
    alike = torch.einsum("pbd,bdi->bpi", rows, f).relu()
    return (torch.einsum("bpi,bmi->bpm", alike, v) / (alike.sum(dim=2, keepdim=True) + SMALL)).transpose(0, 1)


def _resized(x: Tensor, shape: Sequence[int]) -> Tensor:
    return x.float() if x.shape[-2:] == shape else F.interpolate(x.float(), tuple(shape), mode="bilinear")
