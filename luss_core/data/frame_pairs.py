"""Pairs of frames of one video, a given distance apart."""

import logging
from pathlib import Path
from typing import NamedTuple

import numpy as np

from luss_core.config import PretrainConfig
from luss_core.data.sequences import NAME, Sequences, read_sequences
from luss_core.errors import UserError

log = logging.getLogger(__name__)

MICROSECONDS = 1000
"""Of a millisecond: times are compared as whole numbers."""


class Distance(NamedTuple):
    """From the first frame of a pair to the second."""

    frames: int
    ms: float | None = None
    """In place of frames."""

    def __str__(self) -> str:
        return f"{self.frames} frames" if self.ms is None else f"{self.ms:g} ms"

    @property
    def key(self) -> str:
        return "pretrain.method.stride" if self.ms is None else "pretrain.method.stride_ms"


class Pairs(NamedTuple):
    """Frames, and to each the other one."""

    first: np.ndarray
    """(n,) int64 rows of images.csv, rising."""
    second: np.ndarray
    """(n,) int64 row of the partner of each."""
    video: np.ndarray | None = None
    """(n,) int64 number of the video of each."""


def videos_of(cfg: PretrainConfig, images: Path) -> Sequences | None:
    """The frames of the data set, where the method pairs them; None also where it pairs each image with itself."""
    apart = cfg.method.frame_stride or cfg.method.frame_stride_ms
    return read_sequences(images.with_name(NAME)) if "pairs" in cfg.method.needs and apart else None


def pairs_of(cfg: PretrainConfig, videos: Sequences | None, rows: np.ndarray) -> Pairs:
    """The pairs that a run learns from.

    Args:
        videos: None where each image is paired with itself.
    """
    if videos is None:
        return Pairs(rows, rows)
    return frame_pairs(videos, rows, Distance(cfg.method.frame_stride, cfg.method.frame_stride_ms))


def frame_pairs(videos: Sequences, rows: np.ndarray, distance: Distance) -> Pairs:
    """Every frame that has another one at the distance: after it, or for the last frames of a video before it.

    A distance in milliseconds means the frame that is nearest to it, at least the next one. Images of no video, videos
    shorter than the distance, and frames in the middle of a video that is not twice as long are left out, and the log
    says how many.

    Args:
        rows: (n,) rising rows of images.csv that may be used.

    Raises:
        UserError: no pair is left.
    """
    frames = _sorted(videos, rows)
    length = frames.end - frames.begin
    if distance.ms is None:
        first, second = _by_order(frames, distance.frames)
    else:
        first, second = _by_time(frames, round(distance.ms * MICROSECONDS))
    _say(videos, frames, rows, first, distance, int(length.max(initial=0)))
    found, partner = frames.row[first], frames.row[second]
    order = np.argsort(found)
    return Pairs(found[order], partner[order], frames.video[first][order])


class _Frames(NamedTuple):
    """Frames of one video after the other, in order."""

    row: np.ndarray
    video: np.ndarray
    us: np.ndarray
    """Microseconds since the first of the video."""
    timed: np.ndarray
    """Whether the time is known."""
    begin: np.ndarray
    """Place of the first frame of the video of each."""
    end: np.ndarray
    """And that behind its last."""


def _sorted(videos: Sequences, rows: np.ndarray) -> _Frames:
    used = np.isin(videos.row, rows)
    row, video, frame, ms = (values[used] for values in videos[1:])
    order = np.lexsort((row, frame, video))
    row, video, ms = row[order], video[order], ms[order]
    starts = np.flatnonzero(np.diff(video, prepend=-1))
    lengths = np.diff(starts, append=len(video))
    begin = np.repeat(starts, lengths)
    timed = ~np.isnan(ms)
    us = np.rint(np.where(timed, ms, 0) * MICROSECONDS).astype(np.int64)
    return _Frames(row, video, us - us[begin], timed, begin, begin + np.repeat(lengths, lengths))


def _by_order(frames: _Frames, stride: int) -> tuple[np.ndarray, np.ndarray]:
    """Places of the frames of each pair."""
    place = np.arange(len(frames.row))
    later = place + stride < frames.end
    earlier = ~later & (place - stride >= frames.begin)
    first = np.flatnonzero(later | earlier)
    return first, np.where(later, place + stride, place - stride)[first]


def _by_time(frames: _Frames, us: int) -> tuple[np.ndarray, np.ndarray]:
    """The same for a distance in microseconds."""
    if not len(frames.row):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    place, last = np.arange(len(frames.row)), frames.us[frames.end - 1]
    slack = last // np.maximum(2 * (frames.end - frames.begin - 1), 1)  # half of the time between frames
    later = frames.timed & (place + 1 < frames.end) & (frames.us + us <= last + slack)
    earlier = frames.timed & ~later & (place > frames.begin) & (frames.us - us >= -slack)
    apart = int(frames.us.max()) + 2 * us + 1  # no video reaches the next one
    clock = frames.us + frames.video * apart
    after = np.clip(_nearest(clock, clock + us), place + 1, frames.end - 1)
    before = np.clip(_nearest(clock, clock - us), frames.begin, np.maximum(place - 1, 0))
    first = np.flatnonzero(later | earlier)
    return first, np.where(later, after, before)[first]


def _nearest(clock: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Places in rising times of those nearest to the wanted ones, the earlier of two that are as near."""
    right = np.clip(np.searchsorted(clock, wanted), 1, max(len(clock) - 1, 1))
    right = np.minimum(right, len(clock) - 1)
    left = np.maximum(right - 1, 0)
    return np.where(wanted - clock[left] <= clock[right] - wanted, left, right)


def _say(
    videos: Sequences, frames: _Frames, rows: np.ndarray, first: np.ndarray, distance: Distance, longest: int
) -> None:
    """What is left out, in the log.

    Raises:
        UserError: everything.
    """
    present = np.unique(frames.video)
    short = np.setdiff1d(present, frames.video[first])
    untimed = np.unique(frames.video[~frames.timed]) if distance.ms is not None else short[:0]
    if not len(first):
        raise UserError(_why_none(videos, frames, distance, longest, len(untimed)))
    if len(untimed):
        text = "%d of %d videos have no times, such as %r: set aside, set prepare.video.frame_rate"
        log.warning(text, len(untimed), len(present), videos.names[untimed[0]])
    if len(short := np.setdiff1d(short, untimed)):
        text = "%d of %d videos have no two frames %s apart, such as %r: set aside"
        log.warning(text, len(short), len(present), distance, videos.names[short[0]])
    if lone := len(rows) - len(frames.row):
        log.warning("%d of %d training images are frames of no video: set aside", lone, len(rows))
    log.info("%d frames of %d videos are paired, %s apart", len(first), len(present) - len(short), distance)


def _why_none(videos: Sequences, frames: _Frames, distance: Distance, longest: int, untimed: int) -> str:
    if not len(frames.row):
        return (
            "none of the training images is a frame of a video; give videos or folders of frames, or set"
            " pretrain.method.stride: 0 for photographs"
        )
    if untimed == len(np.unique(frames.video)):
        return (
            f"{distance.key} is {distance}, but no video has times; set prepare.video.frame_rate to the frames a"
            " second, or pretrain.method.stride in frames"
        )
    place = int(np.argmax(frames.end - frames.begin))
    seconds = f" over {frames.us.max() / 1e3:,.0f} ms at the most" if distance.ms is not None else ""
    return (
        f"no video has two frames {distance} apart: the longest, {videos.names[frames.video[place]]!r}, has {longest}"
        f" frames{seconds}; set {distance.key} to less, or give longer videos"
    )
