"""Which files are to be segmented, and what their masks will be called. Imports no torch."""

import glob
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from luss_core.data.files import list_files
from luss_core.data.kinds import Tally, is_image, is_video, kind_of, stem_of
from luss_core.data.video_files import installed
from luss_core.errors import UserError

MANIFEST = "predict.json"
"""A folder that holds it is an output of predict, and its masks are no photographs."""
WILDCARDS = "*?["
SHOWN = 5


class Source(NamedTuple):
    """One file to be segmented."""

    path: str
    """Below the root, with forward slashes."""
    id: str
    """Of its mask, without suffix; of a video the folder of the masks of its frames."""
    video: bool


class Inputs(NamedTuple):
    """All files to be segmented."""

    root: Path
    """The deepest folder that all that was asked for has in common; masks keep the tree below it."""
    sources: list[Source]
    """In order of their paths."""
    left_out: Tally
    problems: list[tuple[str, str]]
    """What cannot be read, with the reason."""


def gather(asked: Sequence[str]) -> Inputs:
    """The files behind files, folders and patterns; a file that was named itself is taken whatever its suffix.

    Raises:
        UserError: something that does not exist, nothing to segment, or a video that no package here can read.
    """
    files, folders = _sort(_spread(asked))
    root = Path(os.path.commonpath([*folders, *(os.path.dirname(file) for file in files)]))  # noqa: PTH120
    paths = dict.fromkeys(os.path.relpath(file, root) for file in files)
    left_out, problems = Tally(), []
    for folder in folders:
        found = list_files(Path(folder), photographs=True)
        prefix = "" if Path(folder) == root else f"{os.path.relpath(folder, root)}/"
        left_out.include(found.left_out)
        problems += [(prefix + path, reason) for path, reason in found.problems]
        for path in _below(found.files, left_out):
            paths[prefix + path] = None
    if not paths:
        lines = "; ".join(left_out.lines[:SHOWN]) or "nothing"
        raise UserError(f"{' '.join(asked)}: no images; found: {lines}. Give JPEG, PNG or other images, or a folder")
    videos = [path for path in paths if is_video(path)]
    if videos and not installed():
        raise UserError(
            f"{videos[0]!r} is a video, and what reads videos is not installed here; install it: pip install av"
        )
    return Inputs(root, list(_with_ids(sorted(paths))), left_out, problems)


def _spread(asked: Sequence[str]) -> Iterator[str]:
    """Whole paths of what was asked for; patterns, which a shell did not replace, by what they fit."""
    for text in asked:
        if os.path.lexists(text) or not any(sign in text for sign in WILDCARDS):
            yield os.path.abspath(text)  # noqa: PTH100 - links keep the names that were given
            continue
        found = sorted(glob.glob(text, recursive=True))  # noqa: PTH207 - of the working folder or of /
        if not found:
            raise UserError(f"{text}: no file fits this pattern (seen from {Path.cwd()}); give images or a folder")
        yield from (os.path.abspath(path) for path in found)  # noqa: PTH100


def _sort(paths: Iterator[str]) -> tuple[list[str], list[str]]:
    """Files and folders."""
    files, folders = [], []
    for path in paths:
        if os.path.isdir(path):  # noqa: PTH112
            folders.append(path)
        elif os.path.lexists(path):
            files.append(path)
        else:
            raise UserError(f"{path} does not exist; give images, a folder of images, or a pattern such as '*.jpg'")
    return files, folders


def _below(files: list[str], left_out: Tally) -> Iterator[str]:
    """Images and videos of a folder, without what predict itself has written there."""
    own = tuple(name.removesuffix(MANIFEST) for name in files if Path(name).name == MANIFEST)
    for path in files:
        if own and path.startswith(own):
            continue
        if is_image(path) or (is_video(path) and installed()):
            yield path
        else:
            left_out.add(kind_of(path), path)


def _with_ids(paths: list[str]) -> Iterator[Source]:
    """Masks are called as their images; where that would be one name for two, the suffix stays in it."""
    often = Counter(stem_of(path).casefold() for path in paths if not is_video(path))
    often.update(path.casefold() for path in paths)  # 1.jpg.png beside 1.jpg and 1.webp
    for path in paths:
        video = is_video(path)
        plain = not video and often[stem_of(path).casefold()] == 1
        yield Source(path, stem_of(path) if plain else path, video)
