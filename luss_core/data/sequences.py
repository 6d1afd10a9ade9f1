"""Which images are frames of one video, in which order and at what time: videos.csv."""

import csv
import re
from array import array
from collections import defaultdict
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from luss_core.config.sequences import VideoConfig
from luss_core.data.images import READ_ROWS, ListedFile, write_csv
from luss_core.data.kinds import printable, stem_of
from luss_core.errors import UserError

NAME = "videos.csv"
COLUMNS = ("row", "video", "frame", "ms")
LARGEST = 2**62
"""Numbers above are taken for no numbers of frames."""


Frames = tuple[np.ndarray, np.ndarray]
"""Numbers and rows of the frames of a video, in order."""


class Sequences(NamedTuple):
    """Frames of videos; images that are not named belong to none."""

    names: list[str]
    """Of the videos."""
    row: np.ndarray
    """(n,) int64 rows of images.csv."""
    video: np.ndarray
    """(n,) int64 index of ``names``."""
    frame: np.ndarray
    """(n,) int64 rises with time; has gaps where frames are left out."""
    ms: np.ndarray
    """(n,) float64 time in milliseconds; NaN where it is not known."""

    @classmethod
    def make(
        cls,
        names: list[str],
        row: np.ndarray | Sequence[int],
        video: Sequence[int],
        frame: Sequence[int],
        ms: Sequence[float],
    ) -> "Sequences":
        """From sequences of numbers."""
        rows, videos, frames = (np.array(values, np.int64) for values in (row, video, frame))
        return cls(names, rows, videos, frames, np.array(ms, np.float64))

    def joined(self, other: "Sequences") -> "Sequences":
        """These and others, whose videos are not among these."""
        video = np.concatenate([self.video, other.video + len(self.names)])
        row, frame, ms = (np.concatenate([getattr(s, name) for s in (self, other)]) for name in ("row", "frame", "ms"))
        return Sequences(self.names + other.names, row, video, frame, ms)


def find_sequences(images: Sequence[ListedFile], cfg: VideoConfig) -> Sequences:
    """Which images are frames of one video by their paths; row i is image i.

    Raises:
        UserError: a setting fits no image, or a frame by ``cfg.names`` has no number.
    """
    named: dict[str, tuple[array[int], array[int]]] = defaultdict(lambda: (array("q"), array("q")))
    folders: dict[str, array[int]] = defaultdict(lambda: array("q"))
    pattern = re.compile(cfg.names) if cfg.names is not None else None
    for row, listed in enumerate(images):
        stem = stem_of(listed.path)
        folder = stem.rpartition("/")[0]
        match = pattern.search(stem) if pattern else None
        if match:
            numbers, rows = named[_name(match["video"] or "", folder)]
            numbers.append(_number(match, listed.path))
            rows.append(row)
        elif "folders" in cfg.sources:
            folders[folder].append(row)
    if pattern and images and not named:
        raise UserError(
            f"prepare.video.names: {cfg.names!r} fits none of {len(images)} images, such as"
            f" {printable(stem_of(images[0].path))} (the path without its suffix); change it, or set null and"
            " sources: [folders] where each folder is a video"
        )
    _check_rates(cfg, images)
    videos = {name: _by_number(*frames) for name, frames in named.items()}
    for folder, rows in folders.items():  # which may have the name of a video
        videos[f"{folder}/" if folder in videos else folder] = _in_folder(images, rows)
    return _flat(videos, images, cfg)


def _flat(videos: dict[str, Frames], images: Sequence[ListedFile], cfg: VideoConfig) -> Sequences:
    """Frames of one video after the other."""
    nothing = np.empty(0, np.int64)
    times = [np.empty(0)]
    for numbers, rows in videos.values():
        rate = cfg.rate_of(images[rows[0]].path) or np.nan
        times.append(1000 * (numbers - numbers[0]) / rate)
    lengths = [len(rows) for _, rows in videos.values()]
    numbers, rows = (np.concatenate([nothing, *(frames[k] for frames in videos.values())]) for k in range(2))
    return Sequences([*videos], rows, np.repeat(np.arange(len(videos)), lengths), numbers, np.concatenate(times))


def _name(found: str, folder: str) -> str:
    """Two folders may hold a video of one name, but where the pattern reads folders it says all."""
    return found if "/" in found or not folder else f"{folder}/{found}"


def _number(match: re.Match[str], path: str) -> int:
    text = match["frame"] or ""
    if not re.fullmatch(r"[0-9]+", text) or int(text) > LARGEST:
        raise UserError(
            f"prepare.video.names: the group frame finds {text!r} in {printable(path)}; it must find a number, as"
            " (?P<frame>[0-9]+) does"
        )
    return int(text)


def _by_number(numbers: Sequence[int], rows: Sequence[int]) -> Frames:
    found, at = np.array(numbers, np.int64), np.array(rows, np.int64)
    order = np.lexsort((at, found))
    return found[order], at[order]


def _in_folder(images: Sequence[ListedFile], rows: Sequence[int]) -> Frames:
    """In the order of names; the number is the last of a name where it rises, else the place."""
    stems = {row: stem_of(images[row].path).rpartition("/")[2] for row in rows}
    ordered = sorted(rows, key=lambda row: (_natural(stems[row]), images[row].path))
    found = [re.findall(r"[0-9]+", stems[row])[-1:] for row in ordered]
    numbers = [int(number) for numbers in found for number in numbers]
    rising = len(numbers) == len(rows) and all(a < b for a, b in zip(numbers, numbers[1:], strict=False))
    counted = numbers if rising and numbers[-1] <= LARGEST else range(len(rows))
    return np.array(counted, np.int64), np.array(ordered, np.int64)


def _natural(name: str) -> list[str | int]:
    """Sorts frame2 before frame10."""
    return [int(part) if i % 2 else part for i, part in enumerate(re.split(r"([0-9]+)", name))]


def _check_rates(cfg: VideoConfig, images: Sequence[ListedFile]) -> None:
    """Raises:
    UserError: a folder that has a rate holds no image.
    """
    if not isinstance(cfg.frame_rate, dict) or not images:
        return
    for folder in cfg.frame_rate:
        if folder and not any(listed.path.startswith(f"{folder}/") for listed in images):
            raise UserError(
                f"prepare.video.frame_rate: {folder!r} is no folder of images below the data root; the first image is"
                f" {printable(images[0].path)}"
            )


def write_sequences(path: Path, found: Sequences) -> None:
    """videos.csv: one line a frame, in the order of images.csv."""
    order = np.argsort(found.row, kind="stable")
    columns = (found.row.tolist(), found.video.tolist(), found.frame.tolist(), found.ms.tolist())
    lines = ((columns[0][i], found.names[columns[1][i]], columns[2][i], _ms(columns[3][i])) for i in order.tolist())
    write_csv(path, COLUMNS, lines)


def _ms(value: float) -> float | str:
    return "" if np.isnan(value) else round(value, 3)


def read_sequences(path: Path) -> Sequences:
    """What prepare wrote.

    Raises:
        UserError: missing, or no such list.
    """
    codes: dict[str, int] = {}
    blocks = [Sequences.make([], (), (), (), ())]
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            reader = csv.reader(file)
            if tuple(next(reader, ())) != COLUMNS:
                raise ValueError(f"the first line must be {','.join(COLUMNS)}")
            while block := list(islice(reader, READ_ROWS)):
                row, names, frame, ms = zip(*block, strict=True)
                video = [codes.setdefault(name, len(codes)) for name in names]
                blocks.append(Sequences.make([], row, video, frame, [float(each or "nan") for each in ms]))
    except FileNotFoundError as error:
        raise UserError(
            f"{path} does not exist: set prepare.video.sources and run the stage prepare again, which then writes it"
        ) from error
    except (ValueError, csv.Error) as error:
        raise UserError(f"{path} is not whole ({error}); delete it and run the stage prepare again") from error
    columns = [np.concatenate([block[k] for block in blocks]) for k in range(1, 5)]
    return Sequences([*codes], *columns)
