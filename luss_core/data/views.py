"""Random views of images: first sampled as numbers, then applied.

What is sampled is a function of (seed, epoch, image) alone, so workers, restarts and batch order change nothing, and
the crop boxes are known to whoever needs to align two views. The colour part runs on a whole batch at once, on the
device that trains; the tests compare it with torchvision image by image.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from luss_core.config import ViewsConfig
from luss_core.data.normalization import MEAN, STD

ASPECT = (3 / 4, 4 / 3)
ATTEMPTS = 10
DRAWS = 4 * ATTEMPTS + 13
"""Uniform numbers a view consumes: crop attempts, flip, four factors, four order keys, gray, jitter, blur, sigma."""


@dataclass(frozen=True)
class ViewParameters:
    """What makes one view of each image of a batch; all tensors have length B."""

    box: Tensor
    """(B, 4) top, left, height, width of the crop as fractions of the image."""
    flip: Tensor
    """(B,) bool."""
    jitter: Tensor
    """(B,) bool: whether brightness, contrast, saturation and hue change."""
    factor: Tensor
    """(B, 4) factors of brightness, contrast, saturation, and the shift of hue in turns."""
    order: Tensor
    """(B, 4) the order in which the four are applied."""
    gray: Tensor
    """(B,) bool."""
    sigma: Tensor
    """(B,) standard deviation of the blur in pixels of the view; 0 for none."""

    def to(self, device: torch.device) -> "ViewParameters":
        moved = {f.name: getattr(self, f.name).to(device, non_blocking=True) for f in fields(self)}
        return ViewParameters(**moved)


def sample_views(
    cfg: ViewsConfig, seed: int, epoch: int, rows: Sequence[int], shapes: np.ndarray
) -> list[ViewParameters]:
    """Parameters of every view of a batch, large crops first.

    Args:
        rows: image numbers; with seed and epoch they decide everything.
        shapes: (B, 2) height and width of the images in pixels.
    """
    crops = [crop for crop in cfg.crops for _ in range(crop.count)]
    draws = np.stack([_uniform(seed, epoch, row, len(crops) * DRAWS) for row in rows]).reshape(len(rows), -1, DRAWS)
    return [_parameters(cfg, crop.scale, crop.size, draws[:, v], shapes) for v, crop in enumerate(crops)]


def view_sizes(cfg: ViewsConfig) -> list[int]:
    """Side of each view in pixels, in the order of the views."""
    return [crop.size for crop in cfg.crops for _ in range(crop.count)]


def crop_view(images: Sequence[np.ndarray], parameters: ViewParameters, size: int) -> Tensor:
    """(B, C, size, size) uint8 of (H, W, C) images: the boxes cut out, flipped and resized with antialiasing."""
    out = torch.empty((len(images), images[0].shape[2], size, size), dtype=torch.uint8)
    for i, image in enumerate(images):
        height, width = image.shape[:2]
        top, left, h, w = _pixels(parameters.box[i].tolist(), height, width)
        patch = torch.from_numpy(image[top : top + h, left : left + w].copy()).permute(2, 0, 1)[None]
        view = patch if (h, w) == (size, size) else F.interpolate(patch, (size, size), mode="bilinear", antialias=True)
        out[i] = view[0].flip(-1) if parameters.flip[i] else view[0]
    return out


def colour_view(crops: Tensor, parameters: ViewParameters) -> Tensor:
    """(B, 3, H, W) uint8 crops -> float32, normalised: colour jitter, gray and blur, different for each image."""
    x = crops.float() / 255
    for position in range(4):
        for operation, apply in enumerate((_brightness, _contrast, _saturation, _hue)):
            chosen = (parameters.jitter & (parameters.order[:, position] == operation)).nonzero()[:, 0]
            if len(chosen):
                x[chosen] = apply(x[chosen], parameters.factor[chosen, operation].view(-1, 1, 1, 1))
    gray = parameters.gray.nonzero()[:, 0]
    if len(gray):
        x[gray] = _luma(x[gray]).expand(-1, 3, -1, -1)
    blurred = (parameters.sigma > 0).nonzero()[:, 0]
    if len(blurred):
        x[blurred] = _blur(x[blurred], parameters.sigma[blurred])
    return normalize(x)


def normalize(x: Tensor) -> Tensor:
    """Subtract the mean and divide by the deviation of ImageNet; (..., 3, H, W) in [0, 1]."""
    mean, std = x.new_tensor(MEAN).view(3, 1, 1), x.new_tensor(STD).view(3, 1, 1)
    return ((x - mean) / std).contiguous(memory_format=torch.channels_last)


def _uniform(seed: int, epoch: int, row: int, count: int) -> np.ndarray:
    """Uniform numbers of one image in one epoch. Philox counts, so streams of different images never meet."""
    bits = np.random.Philox(
        key=np.array([seed, 0x6C757373], np.uint64), counter=np.array([0, 0, epoch, row], np.uint64)
    )
    return np.random.Generator(bits).random(count)


def _parameters(
    cfg: ViewsConfig, scale: tuple[float, float], size: int, draws: np.ndarray, shapes: np.ndarray
) -> ViewParameters:
    attempts, rest = draws[:, : 4 * ATTEMPTS].reshape(len(draws), ATTEMPTS, 4), draws[:, 4 * ATTEMPTS :]
    strength = np.array([cfg.brightness, cfg.contrast, cfg.saturation])
    factor = np.maximum(0, 1 - strength) + rest[:, 1:4] * (1 + strength - np.maximum(0, 1 - strength))
    hue = (2 * rest[:, 4:5] - 1) * cfg.hue
    low, high = (sigma * size / 224 for sigma in cfg.blur_sigma)
    sigma = np.where(rest[:, 11] < cfg.blur, low + (high - low) * rest[:, 12], 0)
    return ViewParameters(
        box=torch.from_numpy(_boxes(scale, attempts, shapes)),
        flip=torch.from_numpy(rest[:, 0] < cfg.flip),
        jitter=torch.from_numpy(rest[:, 10] < cfg.jitter),
        factor=torch.from_numpy(np.concatenate([factor, hue], axis=1).astype(np.float32)),
        order=torch.from_numpy(rest[:, 5:9].argsort(axis=1)),
        gray=torch.from_numpy(rest[:, 9] < cfg.gray),
        sigma=torch.from_numpy(sigma.astype(np.float32)),
    )


def _boxes(scale: tuple[float, float], draws: np.ndarray, shapes: np.ndarray) -> np.ndarray:
    """(B, 4) crop boxes as fractions: the first of the attempts that fits, else the largest centred box in bounds."""
    height, width = shapes[:, :1].astype(float), shapes[:, 1:].astype(float)
    area = height * width * (scale[0] + draws[..., 0] * (scale[1] - scale[0]))  # (B, ATTEMPTS)
    ratio = np.exp(np.log(ASPECT[0]) + draws[..., 1] * (np.log(ASPECT[1]) - np.log(ASPECT[0])))
    w, h = np.rint(np.sqrt(area * ratio)), np.rint(np.sqrt(area / ratio))
    fits = (w >= 1) & (h >= 1) & (w <= width) & (h <= height)
    first, rows = fits.argmax(axis=1), np.arange(len(shapes))
    h, w = h[rows, first], w[rows, first]
    height, width = height[:, 0], width[:, 0]
    top, left = np.floor(draws[rows, first, 2] * (height - h + 1)), np.floor(draws[rows, first, 3] * (width - w + 1))
    whole_w, whole_h = np.minimum(width, np.rint(height * ASPECT[1])), np.minimum(height, np.rint(width / ASPECT[0]))
    fallback = np.stack([(height - whole_h) // 2, (width - whole_w) // 2, whole_h, whole_w], axis=1)
    boxes = np.where(fits.any(axis=1)[:, None], np.stack([top, left, h, w], axis=1), fallback)
    return boxes / np.stack([height, width, height, width], axis=1)


def _pixels(box: list[float], height: int, width: int) -> tuple[int, int, int, int]:
    top, left, h, w = box
    return round(top * height), round(left * width), round(h * height), round(w * width)


def _luma(x: Tensor) -> Tensor:
    """(B, 1, H, W) ITU-R 601 luma, the weights torchvision uses."""
    return (0.2989 * x[:, 0] + 0.587 * x[:, 1] + 0.114 * x[:, 2])[:, None]


def _blend(x: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    return torch.lerp(other.expand_as(x), x, factor).clamp_(0, 1)


def _brightness(x: Tensor, factor: Tensor) -> Tensor:
    return (x * factor).clamp_(0, 1)


def _contrast(x: Tensor, factor: Tensor) -> Tensor:
    return _blend(x, _luma(x).mean(dim=(1, 2, 3), keepdim=True), factor)


def _saturation(x: Tensor, factor: Tensor) -> Tensor:
    return _blend(x, _luma(x), factor)


def _hue(x: Tensor, shift: Tensor) -> Tensor:
    """Rotate the hue by ``shift`` turns: in HSV each channel is v - v*s*clip(min(k, 4-k), 0, 1), k = (n + 6h) mod 6."""
    value, _ = x.max(dim=1, keepdim=True)
    chroma = value - x.amin(dim=1, keepdim=True)
    r, g, b = x.unbind(1)
    span = torch.where(chroma > 0, chroma, torch.ones_like(chroma))[:, 0]
    top = value[:, 0]
    sextant = torch.where(top == r, (g - b) / span, torch.where(top == g, 2 + (b - r) / span, 4 + (r - g) / span))
    offset = x.new_tensor([5.0, 3.0, 1.0]).view(1, 3, 1, 1)
    k = torch.remainder(offset + sextant[:, None] + 6 * shift, 6)
    return value - chroma * torch.minimum(k, 4 - k).clamp_(0, 1)


def _blur(x: Tensor, sigma: Tensor) -> Tensor:
    """Separable Gaussian blur with a width of its own for each image; borders are reflected."""
    radius = min(max(1, int(np.ceil(3 * float(sigma.max())))), min(x.shape[-2:]) - 1)
    taps = torch.arange(-radius, radius + 1, device=x.device, dtype=x.dtype)
    kernel = torch.exp(-0.5 * (taps / sigma[:, None].to(x.dtype)) ** 2)
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).t().reshape(2 * radius + 1, -1, 1, 1, 1)
    height, width = x.shape[-2:]
    padded = F.pad(x, (radius, radius, 0, 0), mode="reflect")
    x = sum((kernel[k] * padded[..., k : k + width] for k in range(1, 2 * radius + 1)), kernel[0] * padded[..., :width])
    padded = F.pad(x, (0, 0, radius, radius), mode="reflect")
    first = kernel[0] * padded[..., :height, :]
    return sum((kernel[k] * padded[..., k : k + height, :] for k in range(1, 2 * radius + 1)), first)
