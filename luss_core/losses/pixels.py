"""Cross-entropy of labelled pixels, and logits of a map at any pixels of its image."""

import torch
import torch.nn.functional as F
from torch import Tensor


def labelled_cross_entropy(logits: Tensor, labels: Tensor, ignore: int) -> Tensor:
    """Mean over the pixels that have a label; 0 where none has. (n, C) logits and (n,) labels."""
    total = F.cross_entropy(logits, labels, ignore_index=ignore, reduction="sum")
    return total / (labels != ignore).sum().clamp(min=1)


def interpolation(cells: Tensor, pixels: Tensor, at: Tensor, most: int) -> Tensor:
    """(B, n, most) what each cell of a row adds to n of its pixels, as bilinear resizing without aligned corners.

    Args:
        cells, pixels: (B,) lengths of the rows, before and after.
        at: (n,) places among the pixels; those past the end of a row are of no use.
        most: the greatest number of cells; weights past the end of a row are 0.
    """
    place = (at + 0.5) * (cells / pixels)[:, None] - 0.5  # (B, n)
    place = torch.minimum(place.clamp(min=0), (cells - 1)[:, None])
    return (1 - (place[..., None] - torch.arange(most, device=at.device)).abs()).clamp(min=0)


def resized_at(maps: Tensor, cells: Tensor, pixels: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """(B, c, r, C) what ``F.interpolate`` would give at some columns and rows of the images alone.

    Args:
        maps: (B, h, w, C), of which image i fills the first cells[i].
        cells, pixels: (B, 2) heights and widths, of the maps and of what they are resized to.
    """
    down = interpolation(cells[:, 0], pixels[:, 0], rows, maps.shape[1])
    across = interpolation(cells[:, 1], pixels[:, 1], columns, maps.shape[2])
    tall = (down @ maps.flatten(2)).unflatten(2, maps.shape[2:])  # (B, r, w, C)
    # One product an image; in the other order it would be one a row, three times slower.
    return (across @ tall.transpose(1, 2).flatten(2)).unflatten(2, (len(rows), maps.shape[3]))
