"""Random views of images: first sampled as numbers, then applied.

What is sampled is a function of (seed, epoch, image, purpose) alone, so workers, restarts and batch order change
nothing, and the crop boxes are known to whoever needs to align two views. The colour part runs on a whole batch at
once, on the device that trains; the tests compare it with torchvision image by image.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from luss_core.config import ColourConfig, ViewsConfig
from luss_core.data.normalization import MEAN, STD

ASPECT = (3 / 4, 4 / 3)
ATTEMPTS = 10
DRAWS = 4 * ATTEMPTS + 13
"""Uniform numbers a view consumes: crop attempts, flip, four factors, four order keys, gray, jitter, blur, sigma."""
VIEW, SOLARISE = range(2)
"""What random numbers are drawn for. Each purpose has a counter of its own: a new one changes none of the others."""
PURPOSES = 256


class Key(NamedTuple):
    """What decides the views of one image, beside the seed."""

    epoch: int
    row: int
    repeat: int = 0
    """How often the image was seen in this epoch before: where a method draws some more often than others."""


@dataclass(frozen=True)
class ViewParameters:
    """What makes one view of each image of a batch.

    Lists of images are made here, where the numbers are drawn: found on a GPU, they would be waited for.
    """

    box: Tensor
    """(B, 4) top, left, height, width of the crop as fractions of the image; float64 until they travel."""
    flip: Tensor
    """(B,) bool."""
    factor: Tensor
    """(B, 4) factors of brightness, contrast, saturation, and the shift of hue in turns."""
    sigma: Tensor
    """(B,) standard deviation of the blur in pixels of the view; 0 for none."""
    jitter: tuple[tuple[int, Tensor], ...]
    """Operations (the column of ``factor``) in the order in which they are applied, and to which images."""
    gray: Tensor
    """(g,) images that lose their colour."""
    blurred: Tensor
    """(b,) images."""
    solarised: Tensor
    """(s,) images."""
    radius: int
    """Of the widest blur, in pixels."""

    def tensors(self) -> list[Tensor]:
        """All of them, in the order of ``of_tensors``."""
        images = [images for _, images in self.jitter]
        return [self.box, self.flip, self.factor, self.sigma, self.gray, self.blurred, self.solarised, *images]

    def of_tensors(self, tensors: Sequence[Tensor]) -> "ViewParameters":
        """The same parameters with their tensors from elsewhere."""
        box, flip, factor, sigma, gray, blurred, solarised, *images = tensors
        jitter = tuple((operation, chosen) for (operation, _), chosen in zip(self.jitter, images, strict=True))
        return ViewParameters(box, flip, factor, sigma, jitter, gray, blurred, solarised, self.radius)


def sample_views(cfg: ViewsConfig, seed: int, keys: Sequence[Key], shapes: np.ndarray) -> list[ViewParameters]:
    """Parameters of every view of a batch, large crops first.

    Args:
        keys: one an image; with the seed they decide everything.
        shapes: (B, 2) height and width of the images in pixels.
    """
    crops = [crop for crop in cfg.crops for _ in range(crop.count)]
    draws = _uniform(seed, VIEW, keys, len(crops) * DRAWS).reshape(len(keys), -1, DRAWS)
    solarise = (
        _uniform(seed, SOLARISE, keys, len(crops)) if any(cfg.colour(v).solarise for v in range(len(crops))) else None
    )
    found = []
    for v, crop in enumerate(crops):
        colour, box = cfg.colour(v), _boxes(crop.scale, draws[:, v, : 4 * ATTEMPTS].reshape(-1, ATTEMPTS, 4), shapes)
        dark = np.zeros(len(keys), bool) if solarise is None else solarise[:, v] < colour.solarise
        found.append(_parameters(cfg, colour, crop.size, box, draws[:, v, 4 * ATTEMPTS :], dark))
    return found


def view_sizes(cfg: ViewsConfig) -> list[int]:
    """Side of each view in pixels, in the order of the views."""
    return [crop.size for crop in cfg.crops for _ in range(crop.count)]


def crop_view(images: Sequence[np.ndarray], parameters: ViewParameters, size: int, nearest: bool = False) -> Tensor:
    """(B, C, size, size) of (H, W, C) images: the boxes cut out, flipped and resized with antialiasing.

    Args:
        images: uint8; of any integers where ``nearest``.
        nearest: take the nearest pixel instead, for masks, whose ids cannot be averaged.
    """
    dtype = torch.from_numpy(images[0][:0].copy()).dtype
    out = torch.empty((len(images), images[0].shape[2], size, size), dtype=dtype)
    for i, image in enumerate(images):
        height, width = image.shape[:2]
        top, left, h, w = _pixels(parameters.box[i].tolist(), height, width)
        if nearest:
            view = torch.from_numpy(image[_nearest(top, h, size)][:, _nearest(left, w, size)]).permute(2, 0, 1)
        else:
            patch = torch.from_numpy(image[top : top + h, left : left + w].copy()).permute(2, 0, 1)[None]
            same = (h, w) == (size, size)
            view = (patch if same else F.interpolate(patch, (size, size), mode="bilinear", antialias=True))[0]
        out[i] = view.flip(-1) if parameters.flip[i] else view
    return out


def _nearest(start: int, length: int, size: int) -> np.ndarray:
    """(size,) the pixels under the middles of ``size`` equal parts of a stretch."""
    return start + ((np.arange(size) + 0.5) * length / size).astype(np.int64)


def colour_view(crops: Tensor, parameters: ViewParameters) -> Tensor:
    """(B, 3, H, W) uint8 crops -> float32, normalised: jitter, gray, blur and solarising, each image its own."""
    x = crops.float() / 255
    for operation, chosen in parameters.jitter:
        x[chosen] = OPERATIONS[operation](x[chosen], parameters.factor[chosen, operation].view(-1, 1, 1, 1))
    if len(parameters.gray):
        x[parameters.gray] = _luma(x[parameters.gray]).expand(-1, 3, -1, -1)
    if len(parameters.blurred):
        x[parameters.blurred] = _blur(x[parameters.blurred], parameters.sigma[parameters.blurred], parameters.radius)
    if len(parameters.solarised):
        x[parameters.solarised] = _solarise(x[parameters.solarised])
    return normalize(x)


def normalize(x: Tensor) -> Tensor:
    """Subtract the mean and divide by the deviation of ImageNet; (..., 3, H, W) in [0, 1]."""
    mean, std = _constant(MEAN, x.device, x.dtype), _constant(STD, x.device, x.dtype)
    return ((x - mean) / std).contiguous(memory_format=torch.channels_last)


@cache
def _constant(values: tuple[float, ...], device: torch.device, dtype: torch.dtype) -> Tensor:
    """(n, 1, 1); kept, since a copy to a GPU would be waited for in every step."""
    return torch.tensor(values, device=device, dtype=dtype).view(-1, 1, 1)


def _uniform(seed: int, purpose: int, keys: Sequence[Key], count: int) -> np.ndarray:
    """(B, count) uniform numbers. Philox counts, so streams of different images and purposes never meet."""
    return np.stack([_stream(seed, purpose, *key).random(count) for key in keys])


def _stream(seed: int, purpose: int, epoch: int, row: int, repeat: int) -> np.random.Generator:
    key, counter = [seed, 0x6C757373], [0, purpose + PURPOSES * repeat, epoch, row]
    return np.random.Generator(np.random.Philox(key=np.array(key, np.uint64), counter=np.array(counter, np.uint64)))


def _parameters(
    cfg: ViewsConfig, colour: ColourConfig, size: int, box: np.ndarray, draws: np.ndarray, dark: np.ndarray
) -> ViewParameters:
    """From the uniform numbers that are left when the box is drawn: (B, 13)."""
    strength = np.array([colour.brightness, colour.contrast, colour.saturation])
    factor = np.maximum(0, 1 - strength) + draws[:, 1:4] * (1 + strength - np.maximum(0, 1 - strength))
    hue = (2 * draws[:, 4:5] - 1) * colour.hue
    scale = size / 224 if cfg.blur_scaled else 1
    low, high = (sigma * scale for sigma in colour.blur_sigma)
    sigma = np.where(draws[:, 11] < colour.blur, low + (high - low) * draws[:, 12], 0).astype(np.float32)
    chosen, order = draws[:, 10] < colour.jitter, draws[:, 5:9].argsort(axis=1)
    turns = [(k, _where(chosen & (order[:, place] == k))) for place in range(4) for k in range(len(OPERATIONS))]
    return ViewParameters(
        box=torch.from_numpy(box),
        flip=torch.from_numpy(draws[:, 0] < cfg.flip),
        factor=torch.from_numpy(np.concatenate([factor, hue], axis=1).astype(np.float32)),
        sigma=torch.from_numpy(sigma),
        jitter=tuple((operation, images) for operation, images in turns if len(images)),
        gray=_where(draws[:, 9] < colour.gray),
        blurred=_where(sigma > 0),
        solarised=_where(dark),
        radius=max(1, int(np.ceil(3 * float(sigma.max(initial=0))))),
    )


def _where(chosen: np.ndarray) -> Tensor:
    return torch.from_numpy(np.flatnonzero(chosen).astype(np.int32))


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
    offset = _constant((5.0, 3.0, 1.0), x.device, x.dtype)
    k = torch.remainder(offset + sextant[:, None] + 6 * shift, 6)
    return value - chroma * torch.minimum(k, 4 - k).clamp_(0, 1)


def _solarise(x: Tensor) -> Tensor:
    """Light pixels inverted, as arXiv:2006.07733 does from 128 of 255 on."""
    return torch.where(x * 255 < 127.5, x, 1 - x)


def _blur(x: Tensor, sigma: Tensor, radius: int) -> Tensor:
    """Separable Gaussian blur with a width of its own for each image; borders are reflected."""
    radius = min(radius, min(x.shape[-2:]) - 1)
    taps = torch.arange(-radius, radius + 1, device=x.device, dtype=x.dtype)
    kernel = torch.exp(-0.5 * (taps / sigma[:, None].to(x.dtype)) ** 2)
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).t().reshape(2 * radius + 1, -1, 1, 1, 1)
    height, width = x.shape[-2:]
    padded = F.pad(x, (radius, radius, 0, 0), mode="reflect")
    x = sum((kernel[k] * padded[..., k : k + width] for k in range(1, 2 * radius + 1)), kernel[0] * padded[..., :width])
    padded = F.pad(x, (0, 0, radius, radius), mode="reflect")
    first = kernel[0] * padded[..., :height, :]
    return sum((kernel[k] * padded[..., k : k + height, :] for k in range(1, 2 * radius + 1)), first)


OPERATIONS = (_brightness, _contrast, _saturation, _hue)
