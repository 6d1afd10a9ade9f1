"""Where two views of an image show the same place."""

import torch
import torch.nn.functional as F
from torch import Tensor

from luss_core.data.views import ViewParameters

SMALLEST = 0.01
"""Views that share less than this part of either crop count as not overlapping."""


def overlapping(first: ViewParameters, second: ViewParameters) -> Tensor:
    """(B,) bool: whether two views of an image share more than SMALLEST of either."""
    _, size = _shared(first, second)
    area = torch.stack([first.box[:, 2:], second.box[:, 2:]]).prod(dim=2)
    return size.prod(dim=1) >= SMALLEST * area.amax(dim=0)


def overlap_grids(first: ViewParameters, second: ViewParameters, side: int) -> tuple[Tensor, Tensor]:
    """The same side x side places of the shared rectangle in the coordinates of either view: the middles of its cells.

    Returns:
        Two grids (B, side, side, 2) of x, y in [-1, 1] for `grid_sample` with align_corners=False. Those of views that
        do not overlap are finite but meaningless.
    """
    start, size = _shared(first, second)
    steps = (torch.arange(side, device=start.device, dtype=start.dtype) + 0.5) / side
    place = start[:, None] + steps[:, None] * size[:, None]  # (B, side, 2) y and x of the grid lines
    return _in_view(place, first), _in_view(place, second)


def _shared(first: ViewParameters, second: ViewParameters) -> tuple[Tensor, Tensor]:
    """(B, 2) top left corner, and height and width, of what two views share, as fractions of the image."""
    boxes = torch.stack([first.box, second.box])  # (2, B, 4) top, left, height, width
    top_left, extent = boxes[..., :2], boxes[..., 2:]
    start = top_left.amax(dim=0)
    return start, ((top_left + extent).amin(dim=0) - start).clamp(min=0)


def _in_view(place: Tensor, view: ViewParameters) -> Tensor:
    relative = 2 * (place - view.box[:, None, :2]) / view.box[:, None, 2:] - 1  # (B, side, 2)
    y, x = relative.unbind(dim=2)
    x = torch.where(view.flip[:, None], -x, x)
    side = y.shape[1]
    return torch.stack([x[:, None, :].expand(-1, side, -1), y[:, :, None].expand(-1, -1, side)], dim=3)


def cells(view: ViewParameters, height: int, width: int) -> Tensor:
    """(B, height width, 2) y and x, as fractions of the image, of the middles of the cells of a view, row by row."""
    top, left, h, w = view.box.unbind(dim=1)
    down, across = (
        (torch.arange(n, device=top.device, dtype=top.dtype).expand(len(top), n) + 0.5) / n for n in (height, width)
    )
    across = torch.where(view.flip[:, None], 1 - across, across)
    y, x = top[:, None] + down * h[:, None], left[:, None] + across * w[:, None]
    return torch.stack([y[:, :, None].expand(-1, -1, width), x[:, None, :].expand(-1, height, -1)], dim=3).flatten(1, 2)


def cell_diagonal(view: ViewParameters, height: int, width: int) -> Tensor:
    """(B,) length of the diagonal of such a cell."""
    return torch.hypot(view.box[:, 2] / height, view.box[:, 3] / width)


def sample(maps: Tensor, grid: Tensor) -> Tensor:
    """(B, C, h, w) maps at (B, n, m, 2) places -> (B, n m, C), bilinear.

    Places within half a cell of the border take the value of the border.
    """
    found = F.grid_sample(maps.float(), grid.float(), mode="bilinear", padding_mode="border", align_corners=False)
    return found.flatten(2).transpose(1, 2)
