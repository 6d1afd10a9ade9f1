"""What a segmenter says of one image, at the size of the image: the best category and the score of every pixel."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from luss_core.data.whole import resize_short, to_network
from luss_core.methods.advcam import AdvCAM
from luss_core.methods.segmenter import Segmented, Segmenter
from luss_core.methods.vote import voted
from luss_core.metrics.threshold import THRESHOLDS

MAX_SIDE = 1000
"""Images of more than MAX_SIDE squared pixels are labelled at this longer side and enlarged by nearest neighbour."""
CLASS_CHUNK = 64
"""Maps enlarged at a time: memory stays flat in the number of categories."""


class Cut(NamedTuple):
    """Where foreground begins."""

    greatest: float
    """The score that counts as 100."""
    level: int
    """Foreground from this score on, in hundredths of ``greatest``."""

    def __call__(self, score: np.ndarray) -> np.ndarray:
        """Which float32 scores reach the level; what ``to_levels`` would say, in a tenth of its time."""
        return score >= _least_score(*self)


@cache
def _least_score(greatest: float, level: int) -> np.float32:
    """The least float32 score of a level: levels rise with scores, and positive ones are ordered as their bits are."""
    if level <= 0:
        return np.float32(-np.inf)
    bits = range(np.float32(greatest).view(np.int32) + 1)
    found = bisect_left(bits, level, key=lambda k: int(to_levels(np.array(k, np.int32).view(np.float32) / greatest)))
    return np.float32(np.nan) if found == len(bits) else np.int32(found).view(np.float32)  # NaN: none reaches it


def to_levels(score: np.ndarray) -> np.ndarray:
    """Scores as a fraction of the greatest -> levels 0..80, the hundredths at which the official sweep cuts."""
    return np.clip(np.floor(score * 100), 0, THRESHOLDS - 1).astype(np.uint8)


def segment_image(
    network: Segmenter | AdvCAM,
    image: np.ndarray,
    size: int,
    shape: tuple[int, int],
    greatest: float,
    vote_from: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """(H, W) int32 labels in 1..C and (H, W) uint8 levels 0..80 of one image.

    Args:
        image: (h, w, 3) uint8, as stored.
        size: shorter side in pixels of what the network sees.
        shape: H and W.
        greatest: the score that counts as 100.
        vote_from: level from which pixels are foreground, whose connected pieces get one category each; None: every
            pixel has its own.
    """
    whole = seen([image], size, network.encoder.backbone.multiple)
    maps = network.segment(to_network(whole, next(network.parameters()).device))
    ((label, score),) = enlarged(maps, [shape], None if vote_from is None else Cut(greatest, vote_from))
    return label, to_levels(score / greatest)


def seen(images: Sequence[np.ndarray], size: int, multiple: int) -> Tensor:
    """(B, 3, h, w) uint8, what a network is given of images of one shape."""
    return torch.stack([resize_short(image, size, multiple) for image in images])


def enlarged(
    found: Segmented, shapes: Sequence[tuple[int, int]], vote: Cut | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Labels and scores of each image of a batch, at its size; see ``labels_and_scores``."""
    for i, shape in enumerate(shapes):
        attention = None if found.attention is None else found.attention[i : i + 1]
        label, score = labels_and_scores(Segmented(found.maps[i : i + 1], attention), *shape, vote)
        yield label.cpu().numpy(), score.cpu().numpy()


def foreground(found: Segmented) -> Tensor:
    """(B, h, w) scores: the attention, or the maximum of the activation maps where there is none."""
    if found.attention is not None:
        return found.attention.float().sigmoid()[:, 0]
    return found.maps.float().amax(dim=1)


def labels_and_scores(found: Segmented, height: int, width: int, vote: Cut | None = None) -> tuple[Tensor, Tensor]:
    """(1, C, h, w) maps -> (H, W) arg-max + 1 of the maps enlarged bilinearly to H x W, and scores of the foreground.

    Images above a megapixel are handled as the official code does: longer side 1000, then nearest neighbour.

    Args:
        vote: where foreground begins, if each connected piece of it gets one category.
    """
    maps, shape = found.maps, (height, width)
    if height * width > MAX_SIDE**2:
        shrink = MAX_SIDE / max(height, width)
        shape = (int(height * shrink), int(width * shrink))
    one = maps.shape[-2:] == (1, 1) and found.attention is not None  # an image has one category: nothing to enlarge
    inner = (1, 1) if one else shape
    score = maps.new_full(inner, -torch.inf, dtype=torch.float32)
    label = torch.zeros(inner, dtype=torch.int32, device=maps.device)
    for start in range(0, maps.shape[1], CLASS_CHUNK):
        part = F.interpolate(maps[:, start : start + CLASS_CHUNK].float(), inner, mode="bilinear", align_corners=False)
        top, index = part[0].max(dim=0)
        better = top > score
        score, label = torch.where(better, top, score), torch.where(better, index.int() + start + 1, label)
    label = label.expand(shape)
    if found.attention is not None:
        score = F.interpolate(foreground(found)[None], shape, mode="bilinear", align_corners=False)[0, 0]
    if vote is not None and not one:
        label = torch.from_numpy(voted(label.cpu().numpy(), vote(score.cpu().numpy()), found.maps)).to(label.device)
    if shape != (height, width):
        score = F.interpolate(score[None, None], (height, width), mode="nearest")[0, 0]
        label = F.interpolate(label[None, None].float(), (height, width), mode="nearest")[0, 0].int()
    return label, score
