"""One colour a class, the same on every page, in masks and in what is exported."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

OTHER = (128, 128, 128)
IGNORED = (200, 200, 200)

# fmt: off
CHOSEN = (
    0x0072B2, 0xE69F00, 0x009E73, 0xCC79A7, 0xD55E00, 0x56B4E9, 0xF0E442, 0x8B1375, 0x7A82FD, 0xBCCE83,
    0x724720, 0x4CDBE6, 0xF4B0AC, 0x5A32AA, 0xBC8F4D, 0x217871, 0x8FDD5D, 0xC74A4C, 0x873046, 0x6E9CF5,
)
# fmt: on
"""The seven of Okabe and Ito (2008) and thirteen picked greedily to be far from each other in CIELAB, also as a
protanope and a deuteranope see them."""

GOLDEN_TURN = 0.6180339887498949
LIGHTNESS = (0.62, 0.74, 0.52, 0.82)
CHROMA = 0.13


@dataclass(frozen=True)
class Chip:
    """A class as the page names it."""

    name: str
    colour: str
    """#rrggbb."""


@dataclass(frozen=True)
class Palette:
    """Names and colours of the classes, "other" first."""

    names: Sequence[str]
    colours: np.ndarray
    """(C + 1, 3) uint8."""

    def chip(self, index: int) -> Chip:
        return Chip(self.names[index], "#{:02x}{:02x}{:02x}".format(*self.colours[index].tolist()))

    @property
    def chips(self) -> list[Chip]:
        return [self.chip(i) for i in range(len(self.names))]


def make_palette(names: Sequence[str]) -> Palette:
    return Palette(names, class_colours(len(names) - 1))


def class_colours(classes: int) -> np.ndarray:
    """(classes + 1, 3) uint8 sRGB; row 0, gray, is "other".

    Up to twenty classes get colours that colour-blind readers can tell apart. Beyond that no palette can; hues then
    advance by the golden turn on four levels of lightness, and the page names what each picture holds.
    """
    if classes <= len(CHOSEN):
        foreground = np.array([[c >> 16, c >> 8 & 255, c & 255] for c in CHOSEN[:classes]], dtype=np.uint8)
    else:
        k = np.arange(classes)
        foreground = _oklch(np.take(LIGHTNESS, k % len(LIGHTNESS)), CHROMA, 2 * np.pi * (k * GOLDEN_TURN % 1))
    return np.concatenate([np.array([OTHER], dtype=np.uint8), foreground.reshape(-1, 3)])


def _oklch(lightness: np.ndarray, chroma: float, hue: np.ndarray) -> np.ndarray:
    """(n, 3) uint8 sRGB of OKLCh colours (Ottosson 2020), cut to the gamut."""
    a, b = chroma * np.cos(hue), chroma * np.sin(hue)
    to_lms = np.array(
        [[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.291485548]]
    )
    to_rgb = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    linear = (np.stack([lightness, a, b], axis=-1) @ to_lms.T) ** 3 @ to_rgb.T
    linear = linear.clip(0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.rint(encoded * 255).astype(np.uint8)
