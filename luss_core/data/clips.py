"""Video files in the stage prepare: headers first, then all frames, part by part, as images of the store."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from luss_core.data.check import attempt
from luss_core.data.decode import stored_size
from luss_core.data.images import ListedFile
from luss_core.data.packing import Packed, packed
from luss_core.data.sequences import Sequences
from luss_core.data.video_files import Frame, Header, Part, Seen, read_header, read_part
from luss_core.errors import UserError

PART_BYTES = 24 << 20
"""Pixels that a process hands over at once."""
DIGITS = 6
"""Of the number of a frame in the id of its image, at the least."""


class Clip(NamedTuple):
    """A video file with a sound header."""

    listed: ListedFile
    header: Header
    kept: int
    """Frames that are kept, at the most."""
    size: int
    """Bytes of one of them."""

    def image(self, frame: int) -> ListedFile:
        """A frame as an image of the list."""
        return self.listed._replace(id=f"{self.listed.id}/{frame:0{DIGITS}d}")


def read_headers(root: Path, max_megapixels: float, paths: list[str]) -> list[Header | str]:
    """Of each file, or the reason why there is none."""
    return [attempt(read_header, root / path, max_megapixels) for path in paths]


def clip_of(listed: ListedFile, header: Header, every: int, short_side: int) -> Clip:
    """What is to be expected of a video file."""
    height, width = stored_size(header.height, header.width, short_side)
    return Clip(listed, header, -(-header.frames // every), 3 * height * width)


def parts(clip: Clip, every: int) -> Iterator[Part]:
    """A clip in parts of PART_BYTES, in order."""
    step = every * max(1, PART_BYTES // clip.size)
    for first in range(0, clip.header.frames, step):
        stop = first + step if first + step < clip.header.frames else None
        yield Part(clip.listed.path, clip.header, first, stop, every)


def pack_part(root: Path, short_side: int, part: Part) -> Packed:
    """Decode one part.

    Returns:
        Its frames, and as notes
        reason: why it cannot be read, '' where it can;
        seen: what came of it;
        places: of each frame how many came before it;
        times: of each frame in seconds;
        sizes: height and width of each frame, upright.
    """
    frames: list[Frame] = []
    seen = attempt(read_part, root / part.path, part, short_side, frames)
    images = [frame.image for frame in frames]
    notes = {
        "reason": seen if isinstance(seen, str) else "",
        "seen": list(seen) if isinstance(seen, Seen) else [0, 0, 0],
        "places": [frame.place for frame in frames],
        "times": [frame.time for frame in frames],
        "sizes": [(image.height, image.width) for image in images],
    }
    pixels = [image.pixels.tobytes() for image in images]
    return packed(len(images), pixels, [image.pixels.shape[:2] for image in images], notes)


@dataclass
class Came:
    """What came of the parts so far."""

    rows: list[ListedFile] = field(default_factory=list)
    """One a frame."""
    sizes: list[np.ndarray] = field(default_factory=list)
    video: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    frame: list[int] = field(default_factory=list)
    ms: list[float] = field(default_factory=list)
    empty: list[tuple[str, str]] = field(default_factory=list)
    """Files without a frame that can be used."""
    partly: list[tuple[str, str]] = field(default_factory=list)
    """Files some frames of which are missing."""
    _seen: Seen = Seen(0, 0, 0)
    _begin: int = 0
    _zero: float = 0
    _reason: str = ""

    def add(self, clip: Clip, part: Part, notes: dict[str, Any]) -> None:
        """Take in the next part; parts come in order.

        Raises:
            UserError: the clip has more frames than its header says, for which there is no room.
        """
        if not part.first:
            self._seen, self._begin, self._reason = Seen(0, 0, 0), len(self.rows), ""
        if not self._began and notes["times"]:
            self._zero = notes["times"][0]
            self.names.append(clip.listed.path)
        for place, time in zip(notes["places"], notes["times"], strict=True):
            number = self._seen.frames + place
            self.rows.append(clip.image(number))
            self.video.append(len(self.names) - 1)
            self.frame.append(number)
            self.ms.append(1000 * (time - self._zero))
        self.sizes.append(np.array(notes["sizes"], np.int64).reshape(-1, 2))
        self._seen = Seen(*(a + b for a, b in zip(self._seen, notes["seen"], strict=True)))
        self._reason = self._reason or notes["reason"]
        if len(self.rows) - self._begin > clip.kept:
            raise UserError(
                f"{clip.listed.path}: its header speaks of {clip.header.frames} frames, but there are more; write it"
                " anew (ffmpeg -i old.avi -c copy new.mp4), or take it out of the data folder"
            )
        if part.stop is None:
            self._end(clip, part.every)

    def sequences(self, first: int) -> Sequences:
        """Which rows are frames of which file.

        Args:
            first: row of the first frame.
        """
        rows = first + np.arange(len(self.rows), dtype=np.int64)
        return Sequences.make(self.names, rows, self.video, self.frame, self.ms)

    @property
    def _began(self) -> bool:
        return len(self.rows) > self._begin

    def _end(self, clip: Clip, every: int) -> None:
        if not self._began:
            self.empty.append((clip.listed.path, self._reason or "no frame of it can be decoded"))
        elif problems := list(self._problems(clip, every)):
            self.partly.append((clip.listed.path, f"{'; '.join(problems)}; its other frames are kept"))

    def _problems(self, clip: Clip, every: int) -> Iterator[str]:
        """What is missing of a clip of which some frames can be used."""
        header, seen = clip.header, self._seen
        if self._reason:
            yield self._reason
        frames, last = len(self.rows) - self._begin, self.ms[-1] / 1000
        if lost := header.frames - seen.frames:
            yield f"{lost:,} of {header.frames:,} frames cannot be read, as where a file is damaged or cut short"
        elif header.seconds - last > max(header.seconds / 10, (2 + every) / header.rate) and frames > 1:
            yield f"ends after {last:.1f} of {header.seconds:.1f} seconds, as where a file is cut short"
        elif seen.damaged:
            yield f"damaged in {seen.damaged:,} places"
        if seen.other_size:
            yield (
                f"{seen.other_size:,} of {header.frames:,} frames have another size than the first,"
                f" {header.width} x {header.height} pixels"
            )
