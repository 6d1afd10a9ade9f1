"""Many images through a segmenter: read and written in threads beside the network, with memory that stays flat."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import torch

from luss_core.away.pictures import areas, read_indexed, write_indexed, write_overlay
from luss_core.data.check import attempt
from luss_core.data.clips import Clip, clip_of, parts
from luss_core.data.decode import Decoded, decode
from luss_core.data.headers import read_header
from luss_core.data.images import ListedFile
from luss_core.data.outputs import NameLimits
from luss_core.data.video_files import Frame, Part, Seen, read_part
from luss_core.data.video_files import read_header as read_video_header
from luss_core.predict.folder import Folder, Made
from luss_core.predict.inputs import Inputs, Source
from luss_core.predict.segmenter import Segmenter

T = TypeVar("T")
R = TypeVar("R")

MOST_THREADS = 8
"""That work on images: more would hold more in memory than they gain."""
AHEAD = 3
"""Images a thread that are read ahead of the network, or wait to be written, at the most."""
TOGETHER = 16
"""Images of one shape that a GPU takes together. A processor takes one, since its kernels round otherwise for more, and
masks are to be those of infer; its cores take one each, which wait less for each other than cores that share one."""


class Ready(NamedTuple):
    """An image for the network."""

    image: str
    id: str
    decoded: Decoded


class Bad(NamedTuple):
    """A file that cannot be used."""

    path: str
    reason: str


Item = Made | Ready | Bad


class Shot(NamedTuple):
    """Frames of a part of a video."""

    source: Source
    frames: list[Frame]
    seen: int
    """Frames of the part, also those that are not kept."""
    reason: str
    last: bool
    """Whether no part of the video comes behind it."""


class Work:
    """Everything that one call does with its images."""

    def __init__(
        self, segmenter: Segmenter, inputs: Inputs, folder: Folder, *, overlays: bool, every: int, threads: int
    ) -> None:
        """Args:
        every: of how many frames of a video one is taken.
        """
        self.segmenter, self.inputs, self.folder = segmenter, inputs, folder
        self.on_processor = next(segmenter.model.network.parameters()).device.type == "cpu"
        least = 1 if self.on_processor else 2
        self.overlays, self.every, self.threads = overlays, every, min(max(least, threads), MOST_THREADS)
        self.cores = max(1, threads // self.threads)  # of one image
        self.limits, self.colours = NameLimits(folder.out), segmenter.colours
        self.clips = {source.path: self._clip(source) for source in inputs.sources if source.video}
        self._before = dict.fromkeys(self.clips, 0)
        self._kept = dict.fromkeys(self.clips, 0)

    @property
    def total(self) -> int:
        """Images and frames, at the most."""
        frames = sum(clip.kept for clip in self.clips.values() if isinstance(clip, Clip))
        return len(self.inputs.sources) - len(self.clips) + frames

    def run(self) -> Iterator[Made | Bad]:
        """What came of each image, in order."""
        waiting: deque[Future[Made] | Made | Bad] = deque()
        pool = ThreadPoolExecutor(self.threads, initializer=torch.set_num_threads, initargs=(self.cores,))
        try:
            loaded = in_threads(pool, self._load, self._jobs(), AHEAD * self.threads)
            items = (item for found in loaded for item in self._numbered(found))
            for group in grouped(items, 1 if self.on_processor else TOGETHER):
                waiting.extend(self._begun(pool, group))
                while len(waiting) > AHEAD * self.threads:
                    yield _outcome(waiting.popleft())
            while waiting:
                yield _outcome(waiting.popleft())
        finally:
            pool.shutdown(cancel_futures=True)

    def _jobs(self) -> Iterator[tuple[Source, Part | None]]:
        for source in self.inputs.sources:
            clip = self.clips.get(source.path)
            if isinstance(clip, Clip):
                yield from ((source, part) for part in parts(clip, self.every))
            else:
                yield source, None

    def _load(self, job: tuple[Source, Part | None]) -> Item | Shot:
        """In a thread: read a file, unless its mask is there."""
        source, part = job
        if part is not None:
            return self._read_part(source, part)
        if source.video:
            return Bad(source.path, str(self.clips[source.path]))
        path = self.inputs.root / source.path
        if reason := self.limits.reason(ListedFile("", source.id, source.path, "", "")):
            return Bad(source.path, reason)
        model = self.segmenter.model
        header = attempt(read_header, path, self.segmenter.max_megapixels, model.short_side)
        if isinstance(header, str):
            return Bad(source.path, header)
        upright = (header.width, header.height) if header.orientation > 4 else (header.height, header.width)
        if there := self._there(source.path, source.id, upright, path):
            return there
        found = attempt(decode, path, model.short_side, model.white)
        return Bad(source.path, found) if isinstance(found, str) else Ready(source.path, source.id, found)

    def _there(self, image: str, name: str, shape: tuple[int, int], file: Path) -> Made | None:
        """What an earlier call made of an image that is the same since; None where it is not there, or not whole."""
        mask = self.folder.mask(name)
        if not mask.exists() or (self.overlays and not self.folder.overlay(name).exists()):
            return None
        if mask.stat().st_mtime < file.stat().st_mtime:
            return None
        ids = read_indexed(mask)
        if ids is None or ids.shape != shape or ids.max(initial=0) >= len(self.colours):
            return None
        return Made(image, name, *shape, areas(ids, len(self.colours)))

    def _begun(self, pool: ThreadPoolExecutor, group: Sequence[Item]) -> Iterator[Future[Made] | Made | Bad]:
        """What comes of a group, images of one shape or one other thing; masks are written in threads.

        A GPU makes the masks of the group before; a processor makes each in the thread that writes it.
        """
        images = [item for item in group if isinstance(item, Ready)]
        yield from (item for item in group if not isinstance(item, Ready))
        if self.on_processor:
            yield from (pool.submit(self._segment, item) for item in images)
        elif images:
            masks = self.segmenter.masks([item.decoded for item in images])
            yield from (pool.submit(self._write, item, ids) for item, ids in zip(images, masks, strict=True))

    def _segment(self, item: Ready) -> Made:
        """In a thread: the mask of an image, written."""
        (ids,) = self.segmenter.masks([item.decoded])
        return self._write(item, ids)

    def _write(self, item: Ready, ids: np.ndarray) -> Made:
        """In a thread: write a mask and what goes with it."""
        if self.overlays:
            write_overlay(self.folder.overlay(item.id), item.decoded.pixels, ids, self.colours)
        write_indexed(self.folder.mask(item.id), ids, self.colours)
        height, width = ids.shape
        return Made(item.image, item.id, height, width, areas(ids, len(self.colours)))

    def _clip(self, source: Source) -> Clip | str:
        """A video by its header, or why it cannot be read."""
        listed = ListedFile("", source.id, source.path, "", "")
        header = attempt(read_video_header, self.inputs.root / source.path, self.segmenter.max_megapixels)
        if isinstance(header, str):
            return header
        clip = clip_of(listed, header, self.every, self.segmenter.model.short_side)
        return self.limits.reason(clip.image(header.frames)) or clip

    def _read_part(self, source: Source, part: Part) -> Shot:
        frames: list[Frame] = []
        seen = attempt(read_part, self.inputs.root / source.path, part, self.segmenter.model.short_side, frames)
        count, reason = (seen.frames, "") if isinstance(seen, Seen) else (0, seen)
        return Shot(source, frames, count, reason, part.stop is None)

    def _numbered(self, found: Item | Shot) -> Iterator[Item]:
        """Frames one by one: only in order is it known how many came before."""
        if not isinstance(found, Shot):
            yield found
            return
        clip = self.clips[found.source.path]
        assert isinstance(clip, Clip)
        path, before = found.source.path, self._before[found.source.path]
        for frame in found.frames:
            name = clip.image(before + frame.place).id
            shape = frame.image.height, frame.image.width
            there = self._there(name, name, shape, self.inputs.root / path)
            yield there or Ready(name, name, frame.image)
        self._before[path] += found.seen
        self._kept[path] += len(found.frames)
        if found.reason or (found.last and not self._kept[path]):
            yield Bad(path, found.reason or "no frame of it can be decoded")


def in_threads(pool: ThreadPoolExecutor, function: Callable[[T], R], items: Iterable[T], ahead: int) -> Iterator[R]:
    """``function`` of every item, in order, with at most ``ahead`` of them begun but not taken."""
    waiting: deque[Future[R]] = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) >= ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def grouped(items: Iterable[Item], most: int) -> Iterator[list[Item]]:
    """Neighbours that the network can take together: images whose pixels have one shape; all else by itself."""
    group: list[Item] = []
    for item in items:
        if group and (len(group) == most or _shape(group[0]) is None or _shape(group[0]) != _shape(item)):
            yield group
            group = []
        group.append(item)
    if group:
        yield group


def _shape(item: Item) -> tuple[int, ...] | None:
    return item.decoded.pixels.shape if isinstance(item, Ready) else None


def _outcome(item: "Future[Made] | Made | Bad") -> Made | Bad:
    return item.result() if isinstance(item, Future) else item
