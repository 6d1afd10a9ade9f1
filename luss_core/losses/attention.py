"""Supervision of the pixel attention by saliency maps, the shape prior of Sec. 4 of the LUSS paper."""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

LEVELS = 256


def attention_loss(logits: Float[Tensor, "B 1 h w"], target: Float[Tensor, "B 1 H W"]) -> Float[Tensor, ""]:
    """Binary cross-entropy of the attention with the target at the resolution of the attention.

    The paper names no loss; this is the plainest for a map of probabilities.
    """
    if target.shape[-2:] != logits.shape[-2:]:
        target = F.interpolate(target, logits.shape[-2:], mode="bilinear", antialias=True).clamp(0, 1)
    return F.binary_cross_entropy_with_logits(logits.float(), target)


def attention_target(
    saliency: Float[Tensor, "B 1 H W"], kind: Literal["soft", "otsu", "adaptive"]
) -> Float[Tensor, "B 1 H W"]:
    """What the attention should be, from saliency maps in [0, 1].

    Args:
        kind: soft keeps the map; otsu cuts each map where its two sides differ most; adaptive cuts it at twice its
            mean, as Achanta et al. (CVPR 2009) evaluate saliency.
    """
    if kind == "soft":
        return saliency
    if kind == "otsu":
        return (saliency >= otsu(saliency)).float()
    cut = (2 * saliency.mean(dim=(1, 2, 3), keepdim=True)).clamp(max=1)
    return ((saliency >= cut) & (saliency > 0)).float()


def otsu(maps: Float[Tensor, "B 1 H W"]) -> Float[Tensor, "B 1 1 1"]:
    """Otsu's threshold of each map over 256 levels: the lowest level of the upper class.

    ``metrics.threshold`` has it for one histogram, without torch; here are many, on the device.
    Sums are whole numbers, so that float32 is enough for what is compared; Apple GPUs have no float64.
    """
    level = (maps.flatten(1) * (LEVELS - 1)).round().long()  # (B, P)
    counts = torch.zeros(len(maps), LEVELS, dtype=torch.long, device=maps.device)
    counts.scatter_add_(1, level, torch.ones_like(level))
    moment = (counts * torch.arange(LEVELS, device=maps.device)).cumsum(dim=1)
    total, moment = moment[:, -1:], moment[:, :-1]
    below = counts.cumsum(dim=1)[:, :-1]  # the cut
    pixels = level.shape[1]
    between = (total * below - pixels * moment).float() ** 2 / (below * (pixels - below)).clamp(min=1).float()
    cut = between.argmax(dim=1) + 1
    return ((cut - 0.5) / (LEVELS - 1)).view(-1, 1, 1, 1)
