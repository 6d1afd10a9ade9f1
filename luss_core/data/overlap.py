"""Where two views of an image show the same place."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from luss_core.data.views import ViewParameters

SMALLEST = 0.01
"""Views that share less than this part of either crop count as not overlapping."""


def overlap_grids(
    first: ViewParameters, second: ViewParameters, side: int, points: Literal["centre", "edge"]
) -> tuple[Tensor, Tensor, Tensor]:
    """The same side x side places of the shared rectangle in the coordinates of either view.

    Args:
        points: centre takes the middles of side x side cells; edge spreads them from border to border, as the code of
            the TPAMI version of the LUSS paper does.

    Returns:
        Two grids (B, side, side, 2) of x, y in [-1, 1] for `grid_sample` with align_corners=False, and (B,) bool:
        whether the views overlap. Grids of views that do not are finite but meaningless.
    """
    boxes = torch.stack([first.box, second.box])  # (2, B, 4) top, left, height, width
    top_left, extent = boxes[..., :2], boxes[..., 2:]
    start = top_left.amax(dim=0)  # (B, 2)
    size = ((top_left + extent).amin(dim=0) - start).clamp(min=0)
    overlaps = size.prod(dim=1) >= SMALLEST * extent.prod(dim=2).amax(dim=0)
    steps = torch.arange(side, device=boxes.device, dtype=boxes.dtype)
    steps = (steps + 0.5) / side if points == "centre" else steps / max(1, side - 1)
    place = start[:, None] + steps[:, None] * size[:, None]  # (B, side, 2) y and x of the grid lines
    grids = [_in_view(place, view) for view in (first, second)]
    return grids[0], grids[1], overlaps


def _in_view(place: Tensor, view: ViewParameters) -> Tensor:
    relative = 2 * (place - view.box[:, None, :2]) / view.box[:, None, 2:] - 1  # (B, side, 2)
    y, x = relative.unbind(dim=2)
    x = torch.where(view.flip[:, None], -x, x)
    side = y.shape[1]
    return torch.stack([x[:, None, :].expand(-1, side, -1), y[:, :, None].expand(-1, -1, side)], dim=3).float()


def sample(maps: Tensor, grid: Tensor, points: Literal["centre", "edge"]) -> Tensor:
    """(B, C, h, w) maps at (B, n, m, 2) places -> (B, n m, C), bilinear.

    Places within half a cell of the border take the value of the border; with ``edge`` they fade to zero as in the code
    of the TPAMI version.
    """
    padding = "border" if points == "centre" else "zeros"
    found = F.grid_sample(maps.float(), grid, mode="bilinear", padding_mode=padding, align_corners=False)
    return found.flatten(2).transpose(1, 2)
