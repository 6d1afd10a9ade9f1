"""Whole images for inference: resized, not augmented."""

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from luss_core.data.loader import Images
from luss_core.data.views import normalize


def portion(rows: np.ndarray, batch_size: int, number: int, count: int) -> np.ndarray:
    """Part ``number`` of ``count`` of the rows: contiguous, and of the same batches that all of them have."""
    batches = -(-len(rows) // batch_size)
    start, stop = (k * batches // count * batch_size for k in (number, number + 1))
    return rows[start:stop]


def nearest_multiple(side: int, multiple: int) -> int:
    """That of ``multiple`` which is nearest to ``side``, the larger of two, and at least one of it."""
    return max(1, (2 * side + multiple) // (2 * multiple)) * multiple


def resize_short(image: np.ndarray, size: int, multiple: int = 1) -> Tensor:
    """(3, h, w) uint8 with the shorter side at ``size``; the longer is truncated to whole pixels as in torchvision.

    Args:
        multiple: of pixels that the network takes, `Backbone.multiple`: both sides become the nearest one.
    """
    height, width = image.shape[:2]
    if height <= width:
        shape = (size, max(size, int(size * width / height)))
    else:
        shape = (max(size, int(size * height / width)), size)
    shape = (nearest_multiple(shape[0], multiple), nearest_multiple(shape[1], multiple))
    x = torch.from_numpy(image.copy()).permute(2, 0, 1)[None]
    return x[0] if shape == (height, width) else F.interpolate(x, shape, mode="bilinear", antialias=True)[0]


def centre_square(image: Tensor, side: int) -> Tensor:
    """The square of ``side`` pixels in the middle of (3, H, W)."""
    top, left = (image.shape[-2] - side) // 2, (image.shape[-1] - side) // 2
    return image[:, top : top + side, left : left + side]


def squares(store: Images, rows: np.ndarray, size: int, crop: int, batch_size: int) -> Iterator[Tensor]:
    """Batches (B, 3, crop, crop) uint8 of centre squares."""
    for start in range(0, len(rows), batch_size):
        part = rows[start : start + batch_size]
        yield torch.stack([centre_square(resize_short(store.read(int(r)), size), crop) for r in part])


def whole(store: Images, rows: np.ndarray, size: int, multiple: int) -> Iterator[Tensor]:
    """Batches (1, 3, h, w) uint8 of one whole image each."""
    for row in rows:
        yield resize_short(store.read(int(row)), size, multiple)[None]


def to_network(images: Tensor, device: torch.device) -> Tensor:
    """uint8 images -> normalised float32 on the device."""
    return normalize(images.to(device, non_blocking=True).float() / 255)
