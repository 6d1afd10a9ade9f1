"""Boundary of every region of a label map at once, for boundary IoU (Cheng et al. 2021, arXiv:2103.16562)."""

import math

import numpy as np

DILATION_FRACTION = 0.03
"""Width of the boundary as a fraction of the image diagonal: the ImageNet-S tool's value, the paper has 0.02."""


def boundary_px(height: int, width: int) -> int:
    """Width d of the boundary in pixels, at least 1. Halves are rounded to even, as the official tool does."""
    return max(1, round(DILATION_FRACTION * math.sqrt(height**2 + width**2)))


def boundary(labels: np.ndarray) -> np.ndarray:
    """(H, W) bool: the pixels that erosion takes from the region they belong to.

    The official tool erodes each region d times by 3 x 3, with zeros around the image. That keeps the pixels whose box
    of (2d + 1) x (2d + 1) lies inside the image and holds one label only, which is asked here of all regions at once:
    every row of the box is constant, and so is its middle column.
    """
    height, width = labels.shape
    d = boundary_px(height, width)
    edge = np.ones((height, width), bool)
    if min(height, width) > 2 * d:
        rows = _all_in_window(labels[:, 1:] == labels[:, :-1], 2 * d, axis=1)  # (H, W - 2d)
        rows = _all_in_window(rows, 2 * d + 1, axis=0)  # (H - 2d, W - 2d)
        middle = labels[:, d : width - d]
        column = _all_in_window(middle[1:] == middle[:-1], 2 * d, axis=0)  # (H - 2d, W - 2d)
        np.logical_not(rows & column, out=edge[d : height - d, d : width - d])
    return edge


def _all_in_window(flags: np.ndarray, length: int, axis: int) -> np.ndarray:
    """For each window of ``length`` along ``axis``, whether all flags in it are set; as many as there are windows.

    Windows of twice the length are the conjunction of two halves, so the cost is logarithmic in the length.
    """
    size, done = flags.shape[axis], 1
    while done < length:
        step = min(done, length - done)
        done += step
        kept = size - done + 1
        flags = _part(flags, 0, kept, axis) & _part(flags, step, step + kept, axis)
    return flags


def _part(flags: np.ndarray, start: int, stop: int, axis: int) -> np.ndarray:
    return flags[start:stop] if axis == 0 else flags[:, start:stop]
