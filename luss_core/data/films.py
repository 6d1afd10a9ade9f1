"""What the stage prepare does beside photographs where there are videos."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from luss_core.bounds import Counts, counts_of
from luss_core.config import PrepareConfig
from luss_core.data.arrange import Listing
from luss_core.data.clips import Came, Clip, clip_of, pack_part, parts, read_headers
from luss_core.data.images import ListedFile
from luss_core.data.outcome import Outcome
from luss_core.data.outputs import NameLimits
from luss_core.data.packing import Packed
from luss_core.data.sequences import NAME, find_sequences, write_sequences
from luss_core.data.video_files import Part, installed
from luss_core.errors import UserError
from luss_core.parallel import batches, ordered_map, progress

HEADER_BATCH = 64


class Films:
    """The videos of a data folder, from its listing to videos.csv; nothing at all where there are only photographs."""

    def __init__(self, cfg: PrepareConfig, root: Path, listing: Listing):
        """Raises:
        UserError: video files that cannot be read here, or settings that fit no image.
        """
        self.cfg, self.root, self.files = cfg, root, listing.videos
        self.every = cfg.video.every
        self.clips: list[Clip] = []
        self.came = Came()
        self._longest = self._of_images(listing.images) if cfg.video.on else None
        if self.files and not installed():
            raise UserError(
                f"{len(self.files):,} video files, such as {self.files[0].path!r}, are read by a package that is not"
                " installed here; install it: pip install av, or set prepare.video.sources: [folders] to leave them out"
            )

    def look(self, threads: int, outcome: Outcome, limits: NameLimits) -> None:
        """Read the headers of all files; ``outcome`` gets those that cannot be used."""
        if not self.files:
            return
        jobs = batches((listed.path for listed in self.files), HEADER_BATCH)
        results = ordered_map(partial(read_headers, self.root, self.cfg.max_megapixels), jobs, threads)
        files = iter(self.files)
        for batch in progress(results, len(self.files), "headers of videos", len):
            for header in batch:
                listed = next(files)
                if isinstance(header, str):
                    outcome.rejected.append((listed.path, header))
                    continue
                clip = clip_of(listed, header, self.every, self.cfg.short_side)
                if reason := limits.reason(clip.image(header.frames)):
                    outcome.rejected.append((listed.path, reason))
                else:
                    self.clips.append(clip)

    @property
    def size(self) -> int:
        """Bytes of all frames, at the most."""
        return sum(clip.kept * clip.size for clip in self.clips)

    @property
    def frames(self) -> int:
        """How many are kept, at the most."""
        return sum(clip.kept for clip in self.clips)

    @property
    def paths(self) -> Iterator[str]:
        """Of the files that are decoded."""
        return (clip.listed.path for clip in self.clips)

    @property
    def usable(self) -> int:
        """Files that have frames, as far as is known."""
        return len(self.came.names) if self.came.names else len(self.clips) - len(self.came.empty)

    def jobs(self) -> Iterator[list[Part]]:
        """Each part of each file."""
        return ([part] for _, part in self._parts())

    def work(self, photographs: Callable[[list[ListedFile]], Packed]) -> Callable[[list[Any]], Packed]:
        """What the processes do with a job, of photographs or of frames."""
        return partial(_either, photographs, partial(pack_part, self.root, self.cfg.short_side))

    def counts(self, images: list[ListedFile]) -> Counts:
        """What there is to learn from, as far as is known.

        Args:
            images: those that can be used.
        """
        clips = [clip for clip in self.clips if clip.listed.split == "train"]
        there = counts_of([*images, *(clip.listed for clip in clips)])
        more = sum(clip.kept - 1 for clip in clips)
        longest = max([clip.kept for clip in clips], default=0)
        frames = None if self._longest is None else max(self._longest, longest)
        return there._replace(images=there.images + more, frames=frames)

    def add(self, results: Iterator[Packed], outcome: Outcome) -> None:
        """Take in all the parts; ``outcome`` gets what was packed, and what cannot be used."""
        for (clip, part), batch in zip(self._parts(), results, strict=True):
            self.came.add(clip, part, batch.notes)
            outcome.shapes.append(batch.shapes)
            outcome.checksums.append(batch.checksums)
        outcome.rejected += self.came.empty
        outcome.partly += self.came.partly

    def write(self, out: Path, outcome: Outcome) -> np.ndarray:
        """Add the frames to the images of ``outcome``, which have been counted by then, and write videos.csv.

        Returns:
            (N,) int64 number of the video of each image; -1 for those of none.
        """
        if not self.cfg.video.on:
            return np.full(len(outcome.rows), -1)
        found = find_sequences(outcome.rows, self.cfg.video)
        found = found.joined(self.came.sequences(len(outcome.rows)))
        outcome.rows += self.came.rows
        outcome.sizes += self.came.sizes
        write_sequences(out / NAME, found)
        video = np.full(len(outcome.rows), -1)
        video[found.row] = found.video
        return video

    def _of_images(self, images: list[ListedFile]) -> int:
        """Frames of the longest video to learn from that is no file; a mistake in the settings shows here."""
        found = find_sequences(images, self.cfg.video)
        train = np.array([listed.split == "train" for listed in images], bool)
        return int(np.bincount(found.video[train[found.row]], minlength=1).max())

    def _parts(self) -> Iterator[tuple[Clip, Part]]:
        return ((clip, part) for clip in self.clips for part in parts(clip, self.every))


def _either(
    photographs: Callable[[list[ListedFile]], Packed], frames: Callable[[Part], Packed], job: list[Any]
) -> Packed:
    return frames(job[0]) if isinstance(job[0], Part) else photographs(job)
