"""Pixels as data URIs: photographs as JPEG, label maps as see-through PNG."""

import base64
from io import BytesIO

import numpy as np
from matplotlib import colormaps
from PIL import Image

from luss_core.colours import IGNORED
from luss_core.data.masks import IGNORE

FILL, EDGE, VEIL, PALE = 130, 255, 130, 150
"""Opacity (0..255) of the inside of an object, of its edge, of the veil over "other", and of ignored pixels."""
GLAZE = 228
"""Opacity of a map of saliency or attention: outlines of the photograph stay to be seen."""
VEIL_COLOUR = (24, 26, 30)


def photo_uri(image: np.ndarray, *, longest: int) -> str:
    """A JPEG of an (H, W, 3) uint8 image, reduced to ``longest`` pixels if it is longer."""
    return _uri("jpeg", photo_jpeg(image, longest=longest, quality=88, subsampling=0))


def photo_jpeg(image: np.ndarray, *, longest: int, quality: int, subsampling: int) -> bytes:
    """The content of a JPEG file of the same."""
    picture = Image.fromarray(np.ascontiguousarray(image))
    picture.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return _encoded(picture, "JPEG", quality=quality, subsampling=subsampling, optimize=True)


def square(image: np.ndarray) -> np.ndarray:
    """The centre square of an (H, W, 3) image: what the features of `extract` look at."""
    side = min(image.shape[:2])
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    return image[top : top + side, left : left + side]


def overlay_uri(mask: np.ndarray, colours: np.ndarray, *, longest: int) -> str:
    """A PNG to lay over the photograph; see ``overlay_png``."""
    return _uri("png", overlay_png(mask, colours, longest=longest))


def overlay_png(mask: np.ndarray, colours: np.ndarray, *, longest: int, optimize: bool = True) -> bytes:
    """A PNG file to lay over the photograph: objects tinted and outlined, the rest veiled, ignored pixels pale.

    Args:
        mask: (H, W) class ids, 0 for "other"; ids without a colour (1000: ignore) count as ignored.
        colours: (C + 1, 3) uint8.
        optimize: a somewhat smaller file in twice the time.
    """
    mask = reduced(mask, longest)
    mask = np.where(mask < len(colours), mask, IGNORE)
    counts = np.bincount(mask.ravel())  # ids are small: quicker than sorting the pixels
    ids = np.flatnonzero(counts)
    index = (np.cumsum(counts > 0) - 1)[mask]
    inside = np.array([IGNORED if i == IGNORE else VEIL_COLOUR if i == 0 else colours[i] for i in ids], dtype=np.uint8)
    alpha = np.where(ids == 0, VEIL, np.where(ids == IGNORE, PALE, FILL))
    edge = _edges(index) & np.isin(index, np.flatnonzero((ids > 0) & (ids != IGNORE)))
    # One image holds far fewer than 128 classes; the rare one that does not shares the last entry.
    entries = min(len(ids), 128)
    index = np.minimum(index, entries - 1) + entries * edge
    picture = Image.fromarray(index.astype(np.uint8))
    edges = inside[:entries] + (255 - inside[:entries]) // 3  # lighter, to be seen on dark objects
    picture.putpalette(np.concatenate([inside[:entries], edges]).tobytes(), "RGB")
    opacity = np.concatenate([alpha[:entries], np.full(entries, EDGE)]).astype(np.uint8)
    return _encoded(picture, "PNG", transparency=opacity.tobytes(), optimize=optimize)


def intensity_uri(values: np.ndarray, *, longest: int, opacity: int = GLAZE) -> str:
    """A PNG of an (h, w) uint8 map to lay over the photograph: dark is 0, bright yellow 255."""
    picture = Image.fromarray(np.ascontiguousarray(values))
    picture.thumbnail((longest, longest), Image.Resampling.BILINEAR)
    ramp = np.rint(255 * colormaps["inferno"](np.arange(256))[:, :3]).astype(np.uint8)
    picture.putpalette(ramp.tobytes(), "RGB")
    return _uri("png", _encoded(picture, "PNG", transparency=bytes([opacity]) * 256, optimize=True))


def heat_uri(share: np.ndarray) -> str:
    """A PNG of an (n, m) matrix in [0, 1]: one pixel a cell, darker is more, and the root shows small shares."""
    levels = np.rint(np.sqrt(share) * 255).astype(np.uint8)
    picture = Image.fromarray(levels)
    ramp = np.tile(np.array([[11, 110, 153]], dtype=np.uint8), (256, 1))
    picture.putpalette(ramp.tobytes(), "RGB")
    return _uri("png", _encoded(picture, "PNG", transparency=bytes(range(256)), optimize=True))


def reduced(mask: np.ndarray, longest: int) -> np.ndarray:
    """Every k-th pixel, so that the longer side has at most ``longest``."""
    step = -(-max(mask.shape) // longest)
    top, left = (min(step // 2, side - 1) for side in mask.shape)
    return mask[top::step, left::step]


def _edges(index: np.ndarray) -> np.ndarray:
    """True where one of the four neighbours differs."""
    edge = np.zeros(index.shape, dtype=bool)
    down, right = index[1:] != index[:-1], index[:, 1:] != index[:, :-1]
    edge[1:] |= down
    edge[:-1] |= down
    edge[:, 1:] |= right
    edge[:, :-1] |= right
    return edge


def _encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
