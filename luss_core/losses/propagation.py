"""Consistency of positions between two views: PixPro, arXiv:2011.10043."""

from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from luss_core.losses.contrast import SCORES, in_parts


def propagate(
    maps: Float[Tensor, "B D h w"], values: Float[Tensor, "B D h w"], sharpness: float
) -> Float[Tensor, "B D h w"]:
    """y_i = sum over j of max(cos(x_i, x_j), 0)^sharpness v_j, Eq. 3 and 4 of PixPro, over the positions of an image.

    Args:
        maps: x.
        values: v, which are normalised here, as in the official code.
    """
    with torch.autocast(maps.device.type, enabled=False):
        x, v = (F.normalize(m.float().flatten(2), dim=1) for m in (maps, values))
        y = in_parts(partial(_mixed, sharpness=sharpness), (x, v), SCORES // x.shape[2] ** 2)
    return y.unflatten(2, maps.shape[2:])


def pixel_consistency(
    predicted: Float[Tensor, "B D h w"],
    target: Float[Tensor, "B D h w"],
    places: Float[Tensor, "B P 2"],
    others: Float[Tensor, "B P 2"],
    reach: Float[Tensor, " B"],
) -> Float[Tensor, " B"]:
    """2 - 2 cos(y_i, x_j), mean over the pairs of positions nearer to each other than ``reach``; 0 without a pair.

    Half of Eq. 5 of PixPro, up to a constant and the factor of the official code; 0..4.

    Args:
        places, others: where the P = h w positions of either map lie in the image, row by row.
    """
    with torch.autocast(predicted.device.type, enabled=False):
        y, x = (F.normalize(m.float().flatten(2), dim=1) for m in (predicted, target))
        return in_parts(_distance, (y, x, places.float(), others.float(), reach.float()), SCORES // y.shape[2] ** 2)


def _mixed(x: Tensor, v: Tensor, sharpness: float) -> Tensor:
    alike = torch.einsum("bdi,bdj->bij", x, x).clamp(min=0) ** sharpness
    return torch.einsum("bij,bdj->bdi", alike, v)


def _distance(y: Tensor, x: Tensor, places: Tensor, others: Tensor, reach: Tensor) -> Tensor:
    square = sum((places[:, :, None, axis] - others[:, None, :, axis]) ** 2 for axis in range(2))  # (B, P, P)
    near = (square < reach[:, None, None] ** 2).float()
    cosine = torch.einsum("bdi,bdj->bij", y, x)
    return ((2 - 2 * cosine) * near).sum(dim=(1, 2)) / near.sum(dim=(1, 2)).clamp(min=1)
