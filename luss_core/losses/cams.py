"""Losses of class activation maps from labels of whole images: SEAM, arXiv:2004.04581, and SC-CAM, arXiv:2008.01183.

Maps are those of the categories that an image has, K of them, one in LUSS: those of the other C - K are zero after they
are multiplied with the labels, as in the published code, and only their number counts in the means.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

SMALL = 1e-5
"""What the published code adds to a divisor, and takes off what is divided."""


def soft_margin(logits: Float[Tensor, "B C"], present: Bool[Tensor, "B C"]) -> Float[Tensor, ""]:
    """Mean over images and categories of the cross-entropy of a sigmoid for each category on its own."""
    return F.binary_cross_entropy_with_logits(logits, present.to(logits.dtype))


def of_labels(
    logits: Float[Tensor, "B C"],
    label: Int[Tensor, " B"] | Int[Tensor, "B K"],
    rule: Literal["soft-margin", "cross-entropy"],
) -> Float[Tensor, ""]:
    """The loss of images of one category each, or of several: -1 is none, and soft-margin the rule."""
    if rule == "cross-entropy":
        return F.cross_entropy(logits, label)
    found = alone(label, logits.shape[1])
    return soft_margin(logits, found if label.ndim == 1 else found.any(dim=1))


def accuracy(logits: Float[Tensor, "B C"], label: Int[Tensor, " B"] | Int[Tensor, "B K"]) -> Float[Tensor, ""]:
    """Share of the images of which the greatest logit is their category, or one of them."""
    if label.ndim == 1:
        return (logits.argmax(dim=1) == label).float().mean()
    return (logits.argmax(dim=1, keepdim=True) == label).any(dim=1).float().mean()


def alone(label: Int[Tensor, " *B"], classes: int) -> Bool[Tensor, " *B C"]:
    """True for the label of each row, nowhere for -1; unlike torch's, no GPU is waited for."""
    return label[..., None] == torch.arange(classes, device=label.device)


def unit(maps: Float[Tensor, "B K h w"]) -> Float[Tensor, "B K h w"]:
    """Every map without its negative part, from 0 at its minimum to 1 at its maximum; zeros where it is nowhere > 0."""
    p = maps.relu()
    low, high = p.amin(dim=(2, 3), keepdim=True), p.amax(dim=(2, 3), keepdim=True)
    return (p - low - SMALL).relu() / (high - low + SMALL)


def greatest_alone(maps: Float[Tensor, "B K h w"]) -> Float[Tensor, "B K h w"]:
    """Zero wherever another category of the position is greater."""
    return torch.where(maps < maps.amax(dim=1, keepdim=True), 0.0, maps)


def competing(maps: Float[Tensor, "B C h w"]) -> tuple[Float[Tensor, "B 1 h w"], Float[Tensor, "B C h w"]]:
    """What the pixel correlation module spreads: the background, and each category where it is the greatest.

    Each map is divided by its maximum, as published also those of categories that the image does not have; background
    is 1 - the greatest of them.
    """
    top = maps.amax(dim=(2, 3), keepdim=True).relu() + SMALL  # a category that is nowhere > 0 stays zero
    shares = (maps - SMALL).relu() / top
    return 1 - shares.amax(dim=1, keepdim=True), greatest_alone(shares)


def with_background(maps: Float[Tensor, "B K h w"]) -> Float[Tensor, "B K+1 h w"]:
    """1 - the greatest map, in front of the maps."""
    return torch.cat([1 - maps.amax(dim=1, keepdim=True), maps], dim=1)


def equivariance(one: Float[Tensor, "B K h w"], two: Float[Tensor, "B K h w"], classes: int) -> Float[Tensor, ""]:
    """ER: mean over images, ``classes`` and positions of |one - two|, Eq. 4 of SEAM."""
    return (one - two).abs().mean(dim=(2, 3)).sum(dim=1).mean() / classes


def hardest_difference(
    refined: Float[Tensor, "B K+1 h w"], other: Float[Tensor, "B K+1 h w"], share: float, classes: int
) -> Float[Tensor, ""]:
    """ECR of one direction: mean of the ``share`` of the differences that are largest in an image, Eq. 5 and code.

    Of all 1 + ``classes`` maps: where the largest ones are more than all of an image's categories, zeros fill up.

    Args:
        refined: background and categories of one view, after the pixel correlation module.
        other: those of the other view, of which each position keeps its greatest category; no gradient.
    """
    background, maps = other.detach().split([1, other.shape[1] - 1], dim=1)
    difference = (torch.cat([background, greatest_alone(maps)], dim=1) - refined).abs()
    count = max(1, int(share * (classes + 1) * difference[0, 0].numel()))
    rows = difference.flatten(1)
    return rows.topk(min(count, rows.shape[1]), sorted=False).values.sum(dim=1).mean() / count


def least_quarter(maps: Float[Tensor, "B K h w"]) -> Float[Tensor, ""]:
    """Mean of the quarter of the positions where the greatest map is least: some of every image is background.

    In the published code alone, which says that it moves the threshold of foreground rather than the result.
    """
    rows = maps.amax(dim=1).relu().flatten(1)
    return rows.topk(max(1, rows.shape[1] // 4), largest=False, sorted=False).values.mean()
