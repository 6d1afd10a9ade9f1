"""Generated scenes with exact masks: an object of some category before a photograph that is out of focus.

Every scene is a function of (seed, split, index). Colours of object and background are random and independent of the
category, so only outline and texture tell categories apart. The constants set the difficulty.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from luss_core.data.shapes import CATEGORIES, Array, Rng, Texture, rippled

NAMES = tuple(CATEGORIES)
SPLITS = ("train", "validation", "test")
REGIONS = {"train": (0.0, 0.0, 0.6, 1.0), "validation": (0.6, 0.0, 1.0, 0.5), "test": (0.6, 0.5, 1.0, 1.0)}
"""Part of the photographs that a split may show: left, top, right, bottom as fractions. Backgrounds are not shared."""

AREA_RANGES = ((0.02, 0.045), (0.06, 0.24), (0.27, 0.48), (0.53, 0.7))
AREA_WEIGHTS = (0.08, 0.28, 0.4, 0.24)
"""Share of the image that the object covers: S, MS, ML, L of ImageNet-S, and how often each is drawn. More small
objects make it harder."""
ROTATION = 30.0
"""Largest turn in degrees; real photographs have an up and a down as well."""
SHEAR = 0.25
"""Largest shear of the object: stands in for perspective."""
ASPECT = 0.15
"""Standard deviation of the logarithm of the aspect ratio."""
OVERHANG = 0.15
"""Share of the object's width and height that may lie outside the image."""
LARGEST = 1.2
"""An object never grows beyond this multiple of the image along its freer side: its outline stays in view."""
PERIOD = (8.0, 11.0)
"""Period of the texture in pixels, whatever the size of the object: a material. A wider range is harder; below 5 pixels
a texture is grey at the stored resolution."""
TONE_CONTRAST = (0.45, 0.7)
"""Difference in brightness of the two tones of a texture; less contrast is harder."""
TEXTURE_SWAP = 0.0
"""Share of objects in the texture of another category: above 0, only the outline is certain."""
BACKGROUND_BLUR = (2.0, 4.5)
"""Standard deviation in pixels. Less blur brings texture into the background, which is harder."""
BACKGROUND_CONTRAST = (0.4, 0.8)
"""Of the photographs, where 1 leaves them as they are. More contrast distracts from the object, which is harder."""
HUE_TURN = 1.0
"""Part of the colour circle over which the background is recoloured; 0 keeps the colours of the photographs."""
SECOND_OBJECT = 0.06
"""Share of images with a second, smaller object of another category."""
OUTLINE_IGNORED = 0.3
"""Share of masks with a band of ignored pixels along the outline, as annotated masks have; the others are exact."""
NOISE = 0.012
"""Standard deviation of the sensor noise; 1 is white."""

IGNORE = 1000
TEXTURE_SAMPLES = 3
OUTLINE_SAMPLES = 8
"""Samples a pixel and axis. Pillow's polygons reach half a sample too far: 8 keep that to a sixteenth of a pixel."""


class Scene(NamedTuple):
    """One generated image."""

    pixels: Array
    """(H, W, 3) uint8."""
    mask: Array
    """(H, W) uint16: 0 background, 1.. category, 1000 ignore."""


def scene(seed: int, split: str, index: int, sides: tuple[int, int]) -> Scene:
    """Scene number ``index`` of a split; its category is ``category(index)``.

    Args:
        sides: range of height and width in pixels, both ends included.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, SPLITS.index(split), index]))
    height, width = (int(side) for side in rng.integers(sides[0], sides[1] + 1, 2))
    pixels = _background(height, width, REGIONS[split], rng)
    own = NAMES.index(category(index))
    area = rng.uniform(*AREA_RANGES[rng.choice(4, p=AREA_WEIGHTS)])
    pixels, alpha = _add_object(pixels, own, area, rng)
    layers = [(own + 1, alpha)]
    if rng.uniform() < SECOND_OBJECT:
        other = (own + rng.integers(1, len(NAMES))) % len(NAMES)
        pixels, alpha = _add_object(pixels, int(other), min(0.3 * area, 0.1), rng)
        layers.append((int(other) + 1, alpha))
    mask = _mask(layers, ignored=rng.uniform() < OUTLINE_IGNORED)
    pixels = pixels + rng.normal(0, NOISE, pixels.shape)
    return Scene((pixels.clip(0, 1) * 255 + 0.5).astype(np.uint8), mask)


def category(index: int) -> str:
    """Categories take turns, so that every split is balanced."""
    return NAMES[index % len(NAMES)]


def _mask(layers: list[tuple[int, Array]], *, ignored: bool) -> Array:
    """A pixel belongs to the last object that covers at least half of it."""
    mask = np.zeros(layers[0][1].shape, np.uint16)
    for number, alpha in layers:
        mask[alpha >= 0.5] = number
        if ignored:
            mask[(alpha > 0.02) & (alpha < 0.98)] = IGNORE
    return mask


@lru_cache(1)
def photographs() -> tuple[Image.Image, ...]:
    """The photographs that scikit-image and scikit-learn carry in their packages; nothing is downloaded.

    Those of scikit-image taken here are in the public domain or CC0; china.jpg is by danielbuechele and flower.jpg by
    vultilion (Flickr), both CC BY 2.0.
    """
    from skimage import data
    from sklearn.datasets import load_sample_image

    arrays = [data.astronaut(), data.chelsea(), data.coffee(), data.rocket(), data.clock()]
    arrays += [data.brick(), data.camera(), data.grass(), data.gravel(), data.hubble_deep_field()]
    arrays += [load_sample_image("china.jpg"), load_sample_image("flower.jpg")]
    return tuple(Image.fromarray(array).convert("RGB") for array in arrays)


def _background(height: int, width: int, region: tuple[float, ...], rng: Rng) -> Array:
    """(H, W, 3) in 0..1: a random part of a photograph, blurred and recoloured."""
    photograph = photographs()[rng.integers(len(photographs()))]
    left, top, right, bottom = np.multiply(region, photograph.size * 2)
    zoom = rng.uniform(0.5, 1) * min((right - left) / width, (bottom - top) / height)
    x, y = rng.uniform(left, right - zoom * width), rng.uniform(top, bottom - zoom * height)
    crop = photograph.resize((width, height), Image.Resampling.BICUBIC, box=(x, y, x + zoom * width, y + zoom * height))
    crop = crop.filter(ImageFilter.GaussianBlur(rng.uniform(*BACKGROUND_BLUR)))
    return _recoloured(np.asarray(crop, np.float64) / 255, rng)


def _recoloured(pixels: Array, rng: Rng) -> Array:
    """Hue turned about the grey axis, a tint added, contrast and brightness drawn anew."""
    turn = HUE_TURN * rng.uniform(-np.pi, np.pi)
    grey = pixels.mean(2, keepdims=True)
    colour = pixels - grey
    axis_cross = (np.roll(colour, -1, 2) - np.roll(colour, 1, 2)) / np.sqrt(3)  # product with the unit grey axis
    colour = rng.uniform(0.5, 1.3) * (colour * np.cos(turn) + axis_cross * np.sin(turn))
    tint = rng.normal(0, 0.1, 3)
    level, contrast = rng.uniform(0.25, 0.75), rng.uniform(*BACKGROUND_CONTRAST)
    return (level + contrast * (grey - grey.mean()) + colour + (tint - tint.mean())).clip(0, 1)


def _add_object(pixels: Array, number: int, area: float, rng: Rng) -> tuple[Array, Array]:
    """The image with one more object, and the share (H, W) of each pixel that the object covers."""
    outline, texture = CATEGORIES[NAMES[number]]
    if rng.uniform() < TEXTURE_SWAP:
        texture = CATEGORIES[NAMES[rng.integers(len(NAMES))]][1]
    matrix = _deformation(rng)
    polygons = [polygon @ matrix.T for polygon in rippled(outline(rng), rng)]
    scale, centre = _placed(polygons, pixels.shape[:2], area, rng)
    alpha = _coverage([polygon * scale + centre for polygon in polygons], pixels.shape[:2], OUTLINE_SAMPLES)
    tone = _tones(texture, np.linalg.inv(matrix), centre, pixels.shape[:2], rng)
    body = _colours(tone, rng) * _shading(alpha, centre, scale, rng)[..., None]
    shadow = 1 - 0.45 * _blurred(np.roll(alpha, (2, 2), (0, 1)), 2.5)[..., None]
    return pixels * shadow * (1 - alpha[..., None]) + body * alpha[..., None], alpha


def _deformation(rng: Rng) -> Array:
    """Rotation, aspect and shear as one (2, 2) matrix."""
    turn = np.deg2rad(rng.uniform(-ROTATION, ROTATION))
    aspect = np.exp(rng.normal(0, ASPECT) / 2)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return rotation @ np.array([[1, rng.uniform(-SHEAR, SHEAR)], [0, 1]]) @ np.diag([aspect, 1 / aspect])


def _placed(polygons: list[Array], shape: tuple[int, int], area: float, rng: Rng) -> tuple[float, Array]:
    """Scale and centre at which the object covers about ``area`` of the image; it stays inside if there is room."""
    low, high = polygons[0].min(0), polygons[0].max(0)
    size = np.array(shape[::-1], float)
    where, off_centre = rng.uniform(0, 1, 2), rng.uniform(-0.05, 0.05, 2)
    largest = LARGEST * (size / (high - low)).max()
    scale = np.sqrt(area * size.prod() / (high - low).prod())
    for _ in range(6):
        slack = OVERHANG * scale * (high - low)
        first, last = -slack - scale * low, size + slack - scale * high
        middle = size * (0.5 + off_centre) - scale * (low + high) / 2
        centre = np.where(first < last, first + where * (last - first), middle)
        covered = _coverage([polygon * scale + centre for polygon in polygons], shape, 1).mean()
        scale = min(scale * np.clip(np.sqrt(area / max(covered, 1e-3)), 0.6, 1.5), largest)
    return float(scale), centre


def _coverage(polygons: list[Array], shape: tuple[int, int], samples: int) -> Array:
    """Share (H, W) of each pixel inside the first polygon and outside the others."""
    canvas = Image.new("L", (shape[1] * samples, shape[0] * samples))
    draw = ImageDraw.Draw(canvas)
    for polygon, value in zip(polygons, (255, 0), strict=False):
        # corner of pixel 0 is coordinate 0 here; PIL draws pixel centres at whole numbers
        draw.polygon([tuple(point) for point in (polygon * samples - 0.5).tolist()], fill=value)
    return np.asarray(canvas.reduce(samples), np.float64) / 255


def _tones(texture: Texture, inverse: Array, centre: Array, shape: tuple[int, int], rng: Rng) -> Array:
    """The texture as (H, W) in 0..1, in the coordinates of the object, averaged over each pixel."""
    height, width = (side * TEXTURE_SAMPLES for side in shape)
    y, x = (np.mgrid[:height, :width] + 0.5) / TEXTURE_SAMPLES
    x, y = x - centre[0], y - centre[1]
    period = rng.uniform(*PERIOD)
    u, v = (inverse[0, 0] * x + inverse[0, 1] * y) / period, (inverse[1, 0] * x + inverse[1, 1] * y) / period
    fine = texture(u, v, rng)
    return fine.reshape(shape[0], TEXTURE_SAMPLES, shape[1], TEXTURE_SAMPLES).mean((1, 3))


def _colours(tone: Array, rng: Rng) -> Array:
    """Two random colours of different brightness; which of them is the second tone is random as well."""
    contrast = rng.uniform(*TONE_CONTRAST)
    dark = rng.uniform(0.08, 0.92 - contrast)
    tints = rng.normal(0, 0.17, (2, 3))
    levels = np.array([dark, dark + contrast])[rng.permutation(2)]
    first, second = (levels[:, None] + tints - tints.mean(1, keepdims=True)).clip(0.02, 0.98)
    return first + tone[..., None] * (second - first)


def _shading(alpha: Array, centre: Array, scale: float, rng: Rng) -> Array:
    """Light from one side, and a rim darker than the middle: (H, W), about 1."""
    turn = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[: alpha.shape[0], : alpha.shape[1]]
    slope = ((x - centre[0]) * np.cos(turn) + (y - centre[1]) * np.sin(turn)) / max(scale, 8)
    return (1 + 0.15 * slope.clip(-1, 1)) * (0.72 + 0.3 * _blurred(alpha, 2.0))


def _blurred(plane: Array, sigma: float) -> Array:
    picture = Image.fromarray((plane * 255).astype(np.uint8))
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(sigma)), np.float64) / 255
