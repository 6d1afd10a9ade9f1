"""What a segmentation network says of whole images: at several scales, mirrored, or window by window."""

from collections.abc import Callable, Iterable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from luss_core.config import WholeConfig
from luss_core.data.annotated import AnnotatedImages
from luss_core.data.masks import IGNORE
from luss_core.data.whole import to_network

Logits = Callable[[Tensor], Tensor]
"""(B, 3, h, w) normalised images -> (B, C, h, w)."""


@torch.inference_mode()
def segment_whole(
    logits: Logits, image: np.ndarray, cfg: WholeConfig, shape: tuple[int, int], device: torch.device
) -> np.ndarray:
    """(H, W, 3) uint8 -> (height, width) int64 classes of an image at the size ``shape``."""
    found = probabilities(logits, to_network(torch.from_numpy(image.copy()).permute(2, 0, 1)[None], device), cfg)
    classes: np.ndarray = F.interpolate(found, shape, mode="bilinear")[0].argmax(dim=0).cpu().numpy()
    return classes


def probabilities(logits: Logits, image: Tensor, cfg: WholeConfig) -> Tensor:
    """(1, 3, H, W) normalised image -> (1, C, H, W), the mean over scales and mirror images."""
    size = image.shape[-2:]
    found = []
    for scale in cfg.scales:
        shape = [max(1, round(side * scale)) for side in size]
        x = image if scale == 1 else F.interpolate(image, shape, mode="bilinear", antialias=True)
        seen = [window_by_window(logits, x, cfg)]
        if cfg.flip:
            seen.append(window_by_window(logits, x.flip(-1), cfg).flip(-1))
        found.append(F.interpolate(torch.stack(seen).mean(dim=0), size, mode="bilinear"))
    return torch.stack(found).mean(dim=0)


def window_by_window(logits: Logits, image: Tensor, cfg: WholeConfig) -> Tensor:
    """(1, C, H, W) probabilities, averaged over the windows that see a pixel; of one where there are no windows."""
    height, width = image.shape[-2:]
    if cfg.window is None or max(height, width) <= cfg.window:
        return logits(image).softmax(dim=1)
    side, total, count = cfg.window, None, image.new_zeros(1, 1, height, width)
    for top in begins(height, side, cfg.overlap):
        for left in begins(width, side, cfg.overlap):
            part = ..., slice(top, top + side), slice(left, left + side)
            found = logits(image[part]).softmax(dim=1)
            if total is None:
                total = found.new_zeros(1, found.shape[1], height, width)
            total[part] += found
            count[part] += 1
    assert total is not None
    return total / count


def begins(length: int, window: int, overlap: float) -> list[int]:
    """Where windows begin that cover a stretch: as few as overlap by that share at least, evenly spread."""
    if length <= window:
        return [0]
    steps = -(-(length - window) // max(1, int(window * (1 - overlap))))
    return [round(k * (length - window) / steps) for k in range(steps + 1)]


def confusion_of(
    segment: Callable[[np.ndarray, tuple[int, int]], np.ndarray],
    images: AnnotatedImages,
    size: int | None,
    over: Iterable[int],
) -> np.ndarray:
    """(C, C) int64 labelled pixels by truth and prediction, at the size of the labels.

    Args:
        segment: (H, W, 3) uint8 and a size -> classes at that size.
        size: shorter side of the images in pixels, at most; None for images as they are.
        over: positions of the images, perhaps with progress lines.
    """
    classes = len(images.classes)
    found = np.zeros(classes * classes, np.int64)
    for i in over:
        mask = images.mask(i)
        predicted = segment(images.image(i, size), (mask.shape[0], mask.shape[1]))
        labelled = mask != IGNORE
        found += np.bincount(mask[labelled].astype(np.int64) * classes + predicted[labelled], minlength=classes**2)
    return found.reshape(classes, classes)
