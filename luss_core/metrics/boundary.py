"""Boundary of every region of a label map at once, for boundary IoU (Cheng et al. 2021, arXiv:2103.16562)."""

import math

import numpy as np

DILATION_FRACTION = 0.03
"""Width of the boundary as a fraction of the image diagonal: the ImageNet-S tool's value, the paper has 0.02."""


def boundary_px(height: int, width: int) -> int:
    """Width d of the boundary in pixels, at least 1. Halves are rounded to even, as the official tool does."""
    return max(1, round(DILATION_FRACTION * math.sqrt(height**2 + width**2)))


def boundary(labels: np.ndarray) -> np.ndarray:
    """(H, W) bool: the pixels that erosion takes from the region they belong to."""
    return boundaries(labels).astype(bool)


def boundaries(*maps: np.ndarray) -> np.ndarray:
    """(H, W) uint8: bit i tells whether erosion takes the pixel from the region it belongs to in map i, of up to 8.

    The official tool erodes each region d times by 3 x 3, with zeros around the image. That keeps the pixels whose box
    of (2d + 1) x (2d + 1) lies inside the image and holds one label only, which is asked here of all regions at once:
    every row of the box is constant, and so is its middle column.

    Args:
        maps: (H, W) labels each. Flags of several maps travel as bits of one byte, at the cost of one map.
    """
    height, width = maps[0].shape
    d = boundary_px(height, width)
    every = (1 << len(maps)) - 1
    edge = np.full((height, width), every, np.uint8)
    if min(height, width) > 2 * d:
        across = _pack([labels[:, 1:] == labels[:, :-1] for labels in maps])
        rows = _all_in_window(across, 2 * d, axis=1)  # (H, W - 2d), constant rows of boxes
        down = _pack([labels[1:, d : width - d] == labels[:-1, d : width - d] for labels in maps])
        down &= rows[1:]
        down &= rows[:-1]  # two rows below each other are constant and equal
        np.bitwise_xor(_all_in_window(down, 2 * d, axis=0), every, out=edge[d : height - d, d : width - d])
    return edge


def _pack(flags: list[np.ndarray]) -> np.ndarray:
    """Bool arrays as bits of one uint8 array."""
    packed = flags[0].view(np.uint8)
    for bit, flag in enumerate(flags[1:], start=1):
        packed |= flag.view(np.uint8) << bit
    return packed


def _all_in_window(flags: np.ndarray, length: int, axis: int) -> np.ndarray:
    """For each window of ``length`` along ``axis``, the bits set in all of it; as many as there are windows.

    A window of twice the length is the conjunction of two halves, so the cost is logarithmic in the length.
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
