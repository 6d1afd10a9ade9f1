"""Video files: what their headers say, and their frames as 8-bit RGB arrays.

PyAV decodes them: it gives the time of every frame, finds places by time and has all codecs in one wheel for any
system, while torchcodec needs the FFmpeg libraries of the system and one version of torch.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from luss_core.data.decode import Decoded, reduced, stored_size

PLUGIN = "av"
USUAL_RATE = 25.0
"""Where a file does not say how many frames a second it has: only decides into which parts it is divided."""
UNSEARCHED = ("mpeg", "mpegvideo")
"""Formats of FFmpeg in which several frames share a time stamp, so that frames behind a place that was searched for
have wrong times. They are read from the beginning, but decoded from the last key frame before that place."""
BEFORE = (0.0, 1.0, 10.0)
"""Seconds by which a place is looked for earlier, where no frame at or before it was found; then from the beginning."""


class Header(NamedTuple):
    """What is known of a video file before it is decoded."""

    height: int
    """Of the pictures as they are stored."""
    width: int
    frames: int
    """How many there are at the most."""
    rate: float
    """Frames a second, on average."""
    start: float
    """Time of the first frame in seconds."""
    seconds: float
    """How long the file says it is; 0 where it does not."""


class Part(NamedTuple):
    """Frames of a video file that are decoded together, by their numbers: time since the first frame x rate, rounded.

    Of a constant frame rate that is how many come before. Divided so, a part is found without reading those before it.
    """

    path: str
    """Below the data root."""
    header: Header
    first: int
    stop: int | None
    """None: up to the end."""
    every: int

    def number(self, time: float) -> int:
        """That of a frame by its time in seconds."""
        return min(max(round((time - self.header.start) * self.header.rate), 0), self.header.frames - 1)


class Frame(NamedTuple):
    """A frame that is kept."""

    place: int
    """How many of the part come before it, also those that are not kept."""
    time: float
    """Seconds, as the file counts them."""
    image: Decoded


class Seen(NamedTuple):
    """How many frames of a part came, and how many cannot be used."""

    frames: int
    damaged: int
    """Places that cannot be decoded."""
    other_size: int
    """Frames of another size than the header says."""


def installed() -> bool:
    """Whether videos can be read here."""
    return find_spec(PLUGIN) is not None


def read_header(path: Path, max_megapixels: float) -> Header:
    """What the file says of its first video stream. Where it does not say how many frames there are, they are counted
    without being decoded.

    Raises:
        ValueError: no video in it, no frames, or more than ``max_megapixels``.
        Exception: not a video; what FFmpeg raises.
    """
    with _opened(path) as (container, stream):
        height, width = stream.codec_context.height, stream.codec_context.width
        if not height or not width:
            raise ValueError("no frame of it can be decoded")
        if width * height > max_megapixels * 1e6:
            size = width * height / 1e6
            raise ValueError(f"frames of {size:.0f} megapixels, more than prepare.max_megapixels = {max_megapixels:g}")
        rate = float(stream.average_rate or stream.guessed_rate or USUAL_RATE)
        start = float((stream.start_time or 0) * stream.time_base)
        frames, seconds = stream.frames, (container.duration or 0) / 1e6
        if not frames:
            frames, start, rate = _counted(container, stream, rate)
    if not frames:
        raise ValueError("no frames")
    return Header(height, width, frames, rate, start, seconds)


def read_part(path: Path, part: Part, short_side: int, kept: list[Frame]) -> Seen:
    """Decode a part, and append to ``kept`` the first of every ``part.every`` numbers, upright and reduced.

    Raises:
        Exception: the file cannot be opened.
    """
    seen = damaged = other = 0
    last_block = -1
    with _opened(path) as (container, stream):
        for frame in _from(container, stream, part):
            if frame is None:
                damaged += 1
                continue
            number = part.number(frame.time)
            if number < part.first:
                continue
            if part.stop is not None and number >= part.stop:
                break
            seen += 1
            if (frame.height, frame.width) != (part.header.height, part.header.width):
                other += 1
            elif part.every == 1 or number // part.every != last_block:
                kept.append(Frame(seen - 1, frame.time, _decoded(frame, short_side)))
                last_block = number // part.every
    return Seen(seen, damaged, other)


def _from(container: Any, stream: Any, part: Part) -> Iterator[Any]:
    """Frames in the order in which they are shown, from the beginning of a part or before; None for damage.

    Files are searched by the time of decoding, and the frame that is found there may be shown after the one that is
    looked for: then the search begins earlier.
    """
    wanted = part.header.start + (part.first - 0.5) / part.header.rate
    if part.first and container.format.name in UNSEARCHED:
        yield from _decode(_from_key_frame(container.demux(stream), wanted))
        return
    for before in BEFORE if part.first else ():
        if wanted - before <= part.header.start:
            break
        with suppress(Exception):  # where a file cannot be searched, it is read from the beginning
            container.seek(int((wanted - before) / stream.time_base), stream=stream)
            frames = _decode(container.demux(stream))
            first = next((frame for frame in frames if frame is not None), None)
            if first is not None and first.time <= wanted:
                yield first
                yield from frames
                return
    if part.first:
        container.seek(0)
    yield from _decode(container.demux(stream))


def _from_key_frame(packets: Iterator[Any], wanted: float) -> Iterator[Any]:
    """Packets from the last key frame on that is shown at a time in seconds, or before it."""
    waiting: list[Any] = []
    for packet in packets:
        time = None if packet.pts is None else float(packet.pts * packet.time_base)
        if packet.is_keyframe and time is not None and time <= wanted:
            waiting = []
        waiting.append(packet)
        if time is not None and time > wanted:
            break
    yield from waiting
    yield from packets


def _decode(packets: Iterator[Any]) -> Iterator[Any]:
    """Frames with a time; None for each place that cannot be decoded, behind which it goes on."""
    errors = import_module(PLUGIN).error.FFmpegError
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except errors:  # cut off
            yield None
            return
        try:
            frames = packet.decode()
        except errors:
            yield None
            continue
        for frame in frames:
            if frame.pts is None:
                frame.pts = frame.dts
            yield None if frame.is_corrupt or frame.pts is None else frame


def _decoded(frame: Any, short_side: int) -> Decoded:
    rgb = reduced(frame.to_image(), stored_size(frame.height, frame.width, short_side))
    turns = round(frame.rotation / 90) % 4
    height, width = (frame.width, frame.height) if turns % 2 else (frame.height, frame.width)
    return Decoded(np.ascontiguousarray(np.rot90(np.asarray(rgb), turns)), height, width)


def _counted(container: Any, stream: Any, rate: float) -> tuple[int, float, float]:
    """How many packets a stream has, the time of the first shown, and frames a second by the times of all."""
    times = [packet.pts for packet in container.demux(stream) if packet.size]
    known = [time for time in times if time is not None]
    if len(known) < 2:
        return len(times), float(known[0] * stream.time_base) if known else 0.0, rate
    first, span = min(known), float((max(known) - min(known)) * stream.time_base)
    if abs((len(times) - 1) / rate - span) > 0.5 / rate:  # what the header says is only nearly exact otherwise
        rate = (len(times) - 1) / span if span else rate
    return len(times), float(first * stream.time_base), rate


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """Raises:
    ValueError: no video in it.
    """
    library = _library()
    try:
        opened = library.open(str(path), metadata_errors="replace")
    except library.error.InvalidDataError as error:
        about = error.log[2].strip() if error.log else "no format that is known"
        raise ValueError(f"not a video, or so damaged or cut short that it cannot be opened ({about})") from error
    with opened as container:
        stream = container.streams.best("video")
        if stream is None:
            raise ValueError("no video in it")
        stream.codec_context.thread_count = 1  # other videos keep the other cores busy
        yield container, stream


@cache
def _library() -> Any:
    library = import_module(PLUGIN)
    library.logging.set_level(library.logging.PANIC)  # what matters is raised
    return library
