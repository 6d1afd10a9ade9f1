"""Cross-entropy of labelled pixels, and logits of a map at any pixels of its image."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from luss_core import group


def labelled_cross_entropy(logits: Tensor, labels: Tensor, ignore: int) -> Tensor:
    """Mean over the pixels that have a label; 0 where none has. (n, C) logits and (n,) labels."""
    total = F.cross_entropy(logits, labels, ignore_index=ignore, reduction="sum")
    return per_pixel(total, (labels != ignore).sum())


def per_pixel(total: Tensor, count: Tensor) -> Tensor:
    """A sum over the pixels of this process, of which the mean over the processes is the mean over all their pixels."""
    return group.world_size() * total / group.total(count).clamp(min=1)


class CrossEntropySum(torch.autograd.Function):
    """Sum over the pixels that have a label: ``apply(logits, labels, ignore)`` of (n, C, m) float32 and (n, m) int64.

    That of torch takes every exponential twice, for the loss and for the gradient; here the gradient is made with the
    loss.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor, ignore: int) -> Tensor:
        labelled = (labels != ignore)[:, None]
        index = torch.where(labelled[:, 0], labels, 0)[:, None]
        greatest = logits.amax(dim=1, keepdim=True)
        gradient = (logits - greatest).exp_()
        total = gradient.sum(dim=1, keepdim=True)
        loss = torch.where(labelled, greatest + total.log() - logits.gather(1, index), 0).sum()
        gradient *= labelled / total
        ctx.save_for_backward(gradient.scatter_add_(1, index, -labelled.to(gradient.dtype)))
        return loss

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * grads[0], None, None


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
    """(B, C, r, c) what ``F.interpolate`` would give at some rows and columns of the images alone.

    Args:
        maps: (B, C, h, w), of which image i fills the first cells[i].
        cells, pixels: (B, 2) heights and widths, of the maps and of what they are resized to.
    """
    down = interpolation(cells[:, 0], pixels[:, 0], rows, maps.shape[2])
    across = interpolation(cells[:, 1], pixels[:, 1], columns, maps.shape[3])
    wide = (maps.flatten(1, 2) @ across.transpose(1, 2)).unflatten(1, maps.shape[1:3])  # (B, C, h, c)
    return down[:, None] @ wide
