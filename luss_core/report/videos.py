"""A sheet of the videos that were learned from: some frames of some of them."""

from dataclasses import dataclass
from pathlib import Path

from luss_core.data.images import ImageList
from luss_core.data.sequences import read_sequences
from luss_core.data.shown_frames import VideoRow, video_rows
from luss_core.data.store import Store
from luss_core.report.pictures import photo_uri

VIDEOS = 12
FRAMES = 6
HIGH = 200
"""Pixels of the longer side of a frame."""


@dataclass(frozen=True)
class VideoStrip:
    """One video."""

    name: str
    about: str
    """How long it is."""
    frames: list[tuple[str, str]]
    """Picture and what it is."""


@dataclass(frozen=True)
class VideoSheet:
    """What a page shows of the videos."""

    videos: int
    """All that there are."""
    frames: int
    others: int
    """Images of no video."""
    strips: list[VideoStrip]


def video_sheet(path: Path | None, images: ImageList, pixels: Store) -> VideoSheet | None:
    """Of the videos of videos.csv; None without it, or where no image is a frame.

    Raises:
        UserError: it is damaged.
    """
    found = read_sequences(path) if path else None
    if found is None or not len(found.row):
        return None
    strips = [
        VideoStrip(video.name, described(video), [_frame(images, pixels, row) for row in video.rows])
        for video in video_rows(found, VIDEOS, FRAMES)
    ]
    return VideoSheet(len(found.names), len(found.row), len(images) - len(found.row), strips)


def described(video: VideoRow) -> str:
    """ "80 frames, 24 a second: 3.3 seconds"."""
    frames = f"{video.frames:,} frame{'s' if video.frames != 1 else ''}"
    if video.rate is None:
        return frames
    return f"{frames}, {video.rate:.3g} a second: {(video.frames - 1) / video.rate:.3g} seconds"


def _frame(images: ImageList, pixels: Store, row: int) -> tuple[str, str]:
    return photo_uri(pixels.read(row), longest=HIGH), f"frame {images.id[row]}"
