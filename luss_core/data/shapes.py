"""Outlines and textures of the generated objects: a category is one of each, and never a colour."""

from collections.abc import Callable

import numpy as np

Array = np.ndarray
Rng = np.random.Generator
Outline = Callable[[Rng], list[Array]]
Texture = Callable[[Array, Array, Rng], Array]

RIPPLE = 0.05
"""Amplitude of the random bumps along an outline, as a fraction of its radius: no two objects are alike."""
POINTS = 160
"""Vertices of a curved outline: more than a 96-pixel object can show."""


def _polar(radius: Array, angle: Array) -> Array:
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)


def _circle(points: int = POINTS) -> Array:
    return np.arange(points) * (2 * np.pi / points)


def _along(corners: Array) -> Array:
    """Vertices spread along the edges of a polygon, so that bumps bend its edges as well."""
    steps = np.linspace(0, 1, POINTS // len(corners), endpoint=False)[None, :, None]
    return (corners[:, None] * (1 - steps) + np.roll(corners, -1, 0)[:, None] * steps).reshape(-1, 2)


def arrow(rng: Rng) -> list[Array]:
    neck, shaft, head = rng.uniform(-0.1, 0.25), rng.uniform(0.26, 0.4), rng.uniform(0.75, 0.95)
    x = np.array([-1, neck, neck, 1, neck, neck, -1])
    y = np.array([-shaft, -shaft, -head, 0, head, shaft, shaft])
    return [_along(np.stack([x, y], 1))]


def crescent(rng: Rng) -> list[Array]:
    """What a disc leaves of the unit disc: outer arc, then inner arc backwards."""
    shift, radius = rng.uniform(0.42, 0.6), rng.uniform(0.72, 0.82)
    x = (1 - radius**2 + shift**2) / (2 * shift)  # where the two circles meet
    outer, inner = np.arccos(x), np.arctan2(np.sqrt(1 - x**2), x - shift)
    angle = np.linspace(outer, 2 * np.pi - outer, POINTS)
    back = np.linspace(2 * np.pi - inner, inner, POINTS)
    return [np.concatenate([_polar(np.ones(POINTS), angle), _polar(np.full(POINTS, radius), back) + [shift, 0]])]


def cross(rng: Rng) -> list[Array]:
    a = rng.uniform(0.3, 0.42)
    x = np.array([a, 1, 1, a, a, -a, -a, -1, -1, -a, -a, a])
    y = np.array([a, a, -a, -a, -1, -1, -a, -a, a, a, 1, 1])
    return [_along(np.stack([x, y], 1))]


def gear(rng: Rng) -> list[Array]:
    angle = _circle()
    teeth, depth = rng.integers(8, 12), rng.uniform(0.22, 0.3)
    return [_polar(1 - depth * (np.sin(teeth * angle) > 0), angle)]


def heart(rng: Rng) -> list[Array]:
    t = _circle()
    dent = rng.uniform(4, 6)
    x = 16 * np.sin(t) ** 3
    y = 13 * np.cos(t) - dent * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return [np.stack([x, -y - 2], 1) / 16]


def leaf(rng: Rng) -> list[Array]:
    """Two arcs that meet in two points."""
    t = np.linspace(0, 1, POINTS // 2)
    width, lean = rng.uniform(0.4, 0.55), rng.uniform(0.8, 1.3)
    upper = np.stack([2 * t - 1, width * np.sin(np.pi * t**lean)], 1)
    return [np.concatenate([upper, upper[::-1] * [1, -1]])]


def ring(rng: Rng) -> list[Array]:
    """The second polygon is the hole."""
    angle = _circle()
    outer = _polar(np.ones(POINTS), angle)
    return [outer, outer * rng.uniform(0.4, 0.55)]


def star(rng: Rng) -> list[Array]:
    points, inner = int(rng.integers(5, 7)), rng.uniform(0.42, 0.52)
    angle = _circle(2 * points)
    return [_along(_polar(np.where(np.arange(2 * points) % 2, inner, 1.0), angle))]


def rippled(polygons: list[Array], rng: Rng) -> list[Array]:
    """The outline with low-frequency bumps: each vertex moves along its radius."""
    waves = np.arange(2, 6)
    amplitude, phase = rng.normal(0, RIPPLE / 2, 4), rng.uniform(0, 2 * np.pi, 4)
    result = []
    for polygon in polygons:
        angle = np.arctan2(polygon[:, 1], polygon[:, 0])[:, None]
        result.append(polygon * (1 + (amplitude * np.cos(waves * angle + phase)).sum(1, keepdims=True)))
    return result


# Textures: (u, v) in units of the period -> bool, True where the second tone shows.


def stripes(u: Array, v: Array, rng: Rng) -> Array:
    return (u + 0.05 * np.sin(2 * v)) % 1 < rng.uniform(0.4, 0.6)


def dots(u: Array, v: Array, rng: Rng) -> Array:
    """Discs on a hexagonal lattice."""
    row = np.floor(v / 0.87)
    return np.hypot((u + 0.5 * (row % 2)) % 1 - 0.5, v % 0.87 - 0.435) < rng.uniform(0.26, 0.33)


def checks(u: Array, v: Array, rng: Rng) -> Array:
    stretch = rng.uniform(0.85, 1.15)
    return (np.floor(1.6 * u * stretch) + np.floor(1.6 * v / stretch)) % 2 == 0


def bars(u: Array, v: Array, rng: Rng) -> Array:
    """Across the object, where stripes run along it."""
    return (v + 0.05 * np.sin(2 * u)) % 1 < rng.uniform(0.4, 0.6)


def zigzag(u: Array, v: Array, rng: Rng) -> Array:
    return (u + 0.9 * np.abs(v % 1 - 0.5) * rng.uniform(1.2, 1.8)) % 1 < 0.5


def plain(u: Array, v: Array, rng: Rng) -> Array:  # noqa: ARG001 - every texture takes the same
    """One tone."""
    return np.zeros(u.shape, bool)


def patches(u: Array, v: Array, rng: Rng) -> Array:
    """Camouflage: the sign of a sum of waves of one length in random directions."""
    direction, phase = rng.uniform(0, np.pi, 7), rng.uniform(0, 2 * np.pi, 7)
    waves = [np.cos(4 * (u * np.cos(d) + v * np.sin(d)) + p) for d, p in zip(direction, phase, strict=True)]
    return np.sum(waves, 0) > 0


def circles(u: Array, v: Array, rng: Rng) -> Array:
    """Circles around the middle of the object."""
    return (np.hypot(u, v) + rng.uniform()) % 1 < 0.5


CATEGORIES: dict[str, tuple[Outline, Texture]] = {
    "arrow": (arrow, stripes),
    "crescent": (crescent, dots),
    "cross": (cross, checks),
    "gear": (gear, zigzag),
    "heart": (heart, plain),
    "leaf": (leaf, bars),
    "ring": (ring, patches),
    "star": (star, circles),
}
"""In alphabetical order, as the class ids of ImageNet-S are."""
