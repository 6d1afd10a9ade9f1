"""Outlines of regions as polygons that hold the centres of exactly their pixels."""

from collections.abc import Iterator

import numpy as np
from scipy.ndimage import find_objects, label
from skimage.measure import find_contours


def outlines(inside: np.ndarray) -> Iterator[np.ndarray]:
    """(n, 2) float64 x and y of a ring around each connected region of (H, W) bool; centres of pixels are at .5.

    Rings run half a pixel outside the outermost centres, along straight lines and diagonals. A hole is part of the
    ring, reached and left along one line; so the even-odd rule, by which all programs fill, leaves it out.
    """
    regions, _ = label(inside)
    for number, place in enumerate(find_objects(regions), start=1):
        region = np.pad(regions[place] == number, 1)
        rings = [_corners(ring) for ring in find_contours(region.astype(np.float32), 0.5, fully_connected="low")]
        outer, *holes = sorted(rings, key=lambda ring: -abs(_area(ring)))
        for hole in holes:
            outer = _joined(outer, hole)
        top, left = place[0].start, place[1].start
        yield outer[:, ::-1] + (left - 0.5, top - 0.5)


def _corners(ring: np.ndarray) -> np.ndarray:
    """A closed ring without its last point, which is the first, and without those on a straight line."""
    points = ring[:-1]
    before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    return points[before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]]


def _area(ring: np.ndarray) -> float:
    (y, x), (later_y, later_x) = ring.T, np.roll(ring, -1, axis=0).T
    return float((y * later_x - x * later_y).sum() / 2)


def _joined(outer: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """One ring of two: from the corner nearest to the topmost of the hole, around it, and back on the same line."""
    start = int(hole[:, 0].argmin())
    at = int(np.square(outer - hole[start]).sum(axis=1).argmin())
    around = np.roll(hole, -start, axis=0)
    return np.concatenate([outer[: at + 1], around, around[:1], outer[at:]])
