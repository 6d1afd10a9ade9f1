"""Which frames of videos the pages show, and which point of a frame: by nothing that a network makes of them."""

from typing import NamedTuple

import numpy as np

from luss_core.data.frame_pairs import Pairs
from luss_core.data.sequences import Sequences
from luss_core.data.spread import evenly, spread

CELLS = 16
"""Squares along the shorter side of a frame, of which one is marked."""
MARGIN = 2
"""Of them at each border that are not."""
SPREAD = 0.25
"""Deviation of the weight around the middle, in sides of the frame: what a film is of is seldom at its border."""


class ShownPair(NamedTuple):
    """A frame, and a later one of its video."""

    video: str
    """Empty where an image is paired with itself."""
    first: int
    """Row of images.csv."""
    second: int
    frames: int
    """From the first to the second."""


class VideoRow(NamedTuple):
    """One video on a page."""

    name: str
    rows: list[int]
    """Some frames at even distances."""
    frames: int
    """All that it has."""
    rate: float | None
    """Frames a second; None where the times are not known."""


def shown_pairs(videos: Sequences | None, pairs: Pairs, count: int) -> list[ShownPair]:
    """At most ``count`` pairs, spread over the videos; of each one from its first half where that has any.

    So runs of other distances show the same first frames, as long as the videos are twice as long.

    Args:
        videos: None where images are paired with themselves.
    """
    if videos is None:
        return [ShownPair("", row, row, 0) for row in evenly(pairs.first.tolist(), count)]
    at, video, place, length = _in_order(videos)
    first, second = (np.searchsorted(at, rows) for rows in (pairs.first, pairs.second))
    begins = place[first]
    later = place[second] > begins
    early = later & (2 * begins < length[first])
    kept = early | (later & ~np.isin(video[first], video[first[early]]))
    first, second = first[kept], second[kept]
    order = np.lexsort((place[first], video[first]))
    chosen = [order[k] for k in spread([videos.names[v] for v in video[first[order]].tolist()], count)]
    return [
        ShownPair(
            videos.names[video[first[k]]],
            int(at[first[k]]),
            int(at[second[k]]),
            int(place[second[k]] - place[first[k]]),
        )
        for k in chosen
    ]


def video_rows(videos: Sequences, count: int, frames: int) -> list[VideoRow]:
    """At most ``count`` videos, evenly spaced in the order of their names, with at most ``frames`` frames of each."""
    order = np.lexsort((videos.frame, videos.video))
    starts = np.flatnonzero(np.diff(videos.video[order], prepend=-1))
    members = {videos.names[videos.video[part[0]]]: part for part in np.split(order, starts[1:]) if len(part)}
    return [
        VideoRow(
            name,
            videos.row[evenly(members[name].tolist(), frames)].tolist(),
            len(members[name]),
            _rate(videos, members[name]),
        )
        for name in evenly(sorted(members), count)
    ]


def marked_point(image: np.ndarray) -> tuple[float, float]:
    """Where an (H, W, 3) uint8 frame has most of a corner, nearer the middle where there are several.

    The square with the greatest lesser eigenvalue of the structure tensor, which is 0 on even ground and along an edge:
    such a point can be found again in a later frame.

    Returns:
        Its middle, as fractions of height and width.
    """
    side = max(1, min(image.shape[:2]) // CELLS)
    high, wide = (length // side for length in image.shape[:2])
    down, across = np.gradient(image.mean(axis=2)) if min(image.shape[:2]) > 1 else 2 * [np.zeros(image.shape[:2])]
    yy, xx, yx = (
        (a * b)[: high * side, : wide * side].reshape(high, side, wide, side).mean(axis=(1, 3))
        for a, b in ((down, down), (across, across), (down, across))
    )
    corner = (yy + xx) / 2 - np.sqrt(((yy - xx) / 2) ** 2 + yx**2)
    y, x = ((np.arange(n) + 0.5) * side / length for n, length in ((high, image.shape[0]), (wide, image.shape[1])))
    weight = np.exp(-((y[:, None] - 0.5) ** 2 + (x - 0.5) ** 2) / (2 * SPREAD**2))
    inside = np.minimum(np.minimum(y, 1 - y)[:, None], np.minimum(x, 1 - x)) * CELLS > MARGIN
    row, column = np.unravel_index(np.argmax((np.maximum(corner, 0) + 1e-9) * weight * (inside + 1e-9)), corner.shape)
    return float(y[row]), float(x[column])


def _in_order(videos: Sequences) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rows of images.csv, rising; of each the video, its place in it, and how many frames that has."""
    order = np.lexsort((videos.frame, videos.video))
    starts = np.flatnonzero(np.diff(videos.video[order], prepend=-1))
    lengths = np.diff(starts, append=len(order))
    place, length = np.empty(len(order), np.int64), np.empty(len(order), np.int64)
    place[order] = np.arange(len(order)) - np.repeat(starts, lengths)
    length[order] = np.repeat(lengths, lengths)
    rising = np.argsort(videos.row)
    return videos.row[rising], videos.video[rising], place[rising], length[rising]


def _rate(videos: Sequences, frames: np.ndarray) -> float | None:
    """Frames a second, on average; of frames that are left out, as their numbers tell, none is counted."""
    ms = videos.ms[frames]
    seconds = (ms[-1] - ms[0]) / 1000
    return float((len(frames) - 1) / seconds) if seconds > 0 else None
