"""Losses of MaskContrast, arXiv:2102.06191: pixels of an object against objects of other images, and where they are."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from luss_core import group
from luss_core.losses.contrast import SCORES, in_parts


def object_means(
    maps: Float[Tensor, "B D h w"], mask: Float[Tensor, "B 1 h w"]
) -> tuple[Float[Tensor, "B D"], Float[Tensor, " B"]]:
    """Unit means of the pixels that each mask has, and 1 where it has any; else the mean of all pixels, and 0."""
    found = (mask.sum(dim=(1, 2, 3)) > 0).to(maps)
    inside = torch.maximum(mask.to(maps), 1 - found[:, None, None, None])
    return F.normalize((maps * inside).sum(dim=(2, 3)), dim=1), found


def pixel_to_object(
    pixels: Float[Tensor, "B D h w"],
    weights: Float[Tensor, "B h w"],
    objects: Float[Tensor, "O D"],
    own: slice,
    temperature: float,
) -> Float[Tensor, ""]:
    """-log of the share of the own object among all, exp(pixel object / t), mean over the pixels of all processes.

    Args:
        pixels: unit vectors.
        weights: how much each pixel counts, 0 where there is no object.
        objects: unit vectors, of the images and after them of past batches.
        own: which of them are those of these images, in order.
    """
    count, positions = len(pixels), pixels.shape[2] * pixels.shape[3]
    rows = pixels.flatten(2).transpose(1, 2).flatten(0, 1)  # (B h w, D)
    first = torch.arange(len(objects), device=pixels.device)[own]
    target = first[:, None].expand(count, positions).flatten()

    def surprise(z: Tensor, label: Tensor) -> Tensor:
        with torch.autocast(z.device.type, enabled=False):
            return F.cross_entropy(z @ objects.t() / temperature, label, reduction="none")

    losses = in_parts(surprise, (rows, target), SCORES // len(objects))
    return group.weighted_mean(losses, weights.flatten())


def balanced_cross_entropy(logits: Float[Tensor, "B 1 h w"], mask: Float[Tensor, "B 1 h w"]) -> Float[Tensor, ""]:
    """Binary cross-entropy in which objects weigh the share of what is none, and the other way round.

    Mean over the pixels of all processes, which have the same number of them.
    """
    share = group.total(mask.mean()) / group.world_size()
    weight = mask * (1 - share) + (1 - mask) * share
    return (weight * F.binary_cross_entropy_with_logits(logits.float(), mask, reduction="none")).mean()
