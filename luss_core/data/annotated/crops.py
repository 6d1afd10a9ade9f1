"""Crops as supervised segmentation learns from them: resized, cut out, flipped, and padded where an image is small."""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from luss_core.config import SegmentConfig, ViewsConfig
from luss_core.data.annotated.packed import Annotations
from luss_core.data.batch import Batch, make_batch
from luss_core.data.loader import Keys, Plane, Views
from luss_core.data.masks import IGNORE
from luss_core.data.normalization import MEAN
from luss_core.data.views import Key, ViewParameters
from luss_core.runtime import derive_seed

GRAY = np.rint(255 * np.array(MEAN)).astype(np.uint8)
"""Of padding: 0 once it is normalised."""
PURPOSE = 7
"""What random numbers are drawn for."""


class Crop(NamedTuple):
    """A part of an image, and the upper left part of the square that it fills; lengths in pixels."""

    top: int
    left: int
    height: int
    width: int
    """Of the part; in the image."""
    rows: int
    columns: int
    """Of the square."""
    flip: bool


class ScaledCrops(Views):
    """A random crop of each image and of its labels; a function of (seed, epoch, image) alone."""

    def __init__(self, annotations: Annotations, rows: np.ndarray, segment: SegmentConfig, seed: int):
        """Args:
        rows: (n,) the images to train on, as rows of the annotations.
        """
        planes = {"masks": Plane(annotations.labels, nearest=True)}
        super().__init__(annotations.images, rows, ViewsConfig(), seed, planes=planes)
        self.annotations, self.segment = annotations, segment

    def __getitem__(self, keys: Keys) -> Batch:
        positions = [position for position, _ in keys]
        images, masks = (
            self._read(source, self.rows[positions]) for source in (self.store, self.planes["masks"].images)
        )
        crops = [self._crop(key, image) for (_, key), image in zip(keys, images, strict=True)]
        size = self.segment.crop
        views = torch.stack([cut_image(image, crop, size) for image, crop in zip(images, crops, strict=True)])
        labels = [
            cut_mask(mask[..., 0], crop, image.shape, size)
            for mask, crop, image in zip(masks, crops, images, strict=True)
        ]
        planes = {"masks": [torch.stack(labels)[:, None]]}
        return make_batch([views], [_uncoloured(images, crops)], positions, None, planes)

    def _crop(self, key: Key, image: np.ndarray) -> Crop:
        drawn = np.random.default_rng(derive_seed(self.seed, PURPOSE, *key)).random(4)
        return draw_crop(self.segment, drawn, image.shape[0], image.shape[1])


def draw_crop(cfg: SegmentConfig, drawn: np.ndarray, height: int, width: int) -> Crop:
    """What four uniform numbers mean for an image of ``height`` and ``width``."""
    factor = cfg.scale[0] + drawn[0] * (cfg.scale[1] - cfg.scale[0])
    rows, columns = (min(cfg.crop, max(1, round(side * factor))) for side in (height, width))
    tall, wide = min(height, max(1, round(rows / factor))), min(width, max(1, round(columns / factor)))
    top, left = int(drawn[1] * (height - tall + 1)), int(drawn[2] * (width - wide + 1))
    return Crop(top, left, tall, wide, rows, columns, bool(drawn[3] < cfg.flip))


def filled(cfg: SegmentConfig, shapes: np.ndarray) -> float:
    """Share of the crops that is image, in the mean over factors and images.

    Args:
        shapes: (n, 2) heights and widths.
    """
    factors = np.linspace(*cfg.scale, 21)
    sides = np.minimum(cfg.crop, np.maximum(1, np.rint(shapes * factors[:, None, None])))
    return float((sides.prod(axis=-1) / cfg.crop**2).mean())


def cut_image(image: np.ndarray, crop: Crop, size: int) -> Tensor:
    """(3, size, size) uint8 of (H, W, 3), resized with antialiasing; what is beyond the image is gray."""
    patch = image[crop.top : crop.top + crop.height, crop.left : crop.left + crop.width]
    x = torch.from_numpy(patch.copy()).permute(2, 0, 1)[None]
    if x.shape[-2:] != (crop.rows, crop.columns):
        x = F.interpolate(x, (crop.rows, crop.columns), mode="bilinear", antialias=True)
    out = torch.from_numpy(GRAY).view(3, 1, 1).repeat(1, size, size)
    out[:, : crop.rows, : crop.columns] = x[0].flip(-1) if crop.flip else x[0]
    return out


def cut_mask(mask: np.ndarray, crop: Crop, shape: tuple[int, ...], size: int) -> Tensor:
    """(size, size) int32 of (h, w) labels over an image of ``shape``, which may be smaller; IGNORE beyond it."""
    rows = _under(crop.top, crop.height, crop.rows, mask.shape[0] / shape[0])
    columns = _under(crop.left, crop.width, crop.columns, mask.shape[1] / shape[1])
    found = mask[rows[:, None], columns[::-1] if crop.flip else columns]
    out = np.full((size, size), IGNORE, np.int32)
    out[: crop.rows, : crop.columns] = found
    return torch.from_numpy(out)


def _under(start: int, length: int, count: int, scale: float) -> np.ndarray:
    """(count,) the labels under the middles of ``count`` equal parts of a stretch of the image."""
    return ((start + (np.arange(count) + 0.5) * length / count) * scale).astype(np.int64)


def _uncoloured(images: list[np.ndarray], crops: list[Crop]) -> ViewParameters:
    """Where the crops lie, with colours as they are."""
    box = [
        (c.top / h, c.left / w, c.height / h, c.width / w)
        for c, (h, w) in zip(crops, (image.shape[:2] for image in images), strict=True)
    ]
    nothing, count = torch.empty(0, dtype=torch.int32), len(crops)
    return ViewParameters(
        box=torch.tensor(box, dtype=torch.float64),
        flip=torch.tensor([crop.flip for crop in crops]),
        factor=torch.ones(count, 4),
        sigma=torch.zeros(count),
        jitter=(),
        gray=nothing,
        blurred=nothing,
        solarised=nothing,
        radius=1,
    )
