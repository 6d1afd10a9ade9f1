"""Pixel shuffle of CACL, Eq. 7: images rolled before the network, maps rolled back behind it.

Padding tells a convolution where the border is, and so the positions that a cycle is to find. Rolled by a random
distance, each position meets the border as often as any other.
"""

import torch
from torch import Tensor

from luss_core import group
from luss_core.models.host import to_device


def draw_rolls(images: int, rows: int, columns: int, device: torch.device) -> Tensor:
    """(B, 2) int64, for each image of this process how many rows and columns of the map it is rolled by.

    Every process draws for all, so that their number changes nothing.
    """
    count = images * group.world_size()
    drawn = torch.stack([torch.randint(rows, (count,)), torch.randint(columns, (count,))], dim=1)
    return to_device(drawn[group.own_slice(count)], device)


def roll(x: Tensor, distance: Tensor) -> Tensor:
    """(B, C, H, W) -> the same: what was at (i + a) mod H, (j + b) mod W is at i, j; Eq. 7.

    Args:
        distance: (B, 2) int64 a and b of each image; negative ones roll back.
    """
    height, width = x.shape[-2:]
    rows = (torch.arange(height, device=x.device) + distance[:, :1]) % height
    columns = (torch.arange(width, device=x.device) + distance[:, 1:]) % width
    image = torch.arange(len(x), device=x.device)[:, None, None]
    moved: Tensor = x.permute(0, 2, 3, 1)[image, rows[:, :, None], columns[:, None, :]]
    return moved.permute(0, 3, 1, 2)
