"""What became of the user's files since a stage read them: names, sizes and times, and contents where these differ.

`prepare` writes a record of the images and masks that it saw, `prior` one of the maps of a folder. Each time the
Snakefile is read, the folder is compared with it: 100,000 files take a second on a local disk. A difference gives the
folder another mark, which is a parameter of the rule: Snakemake runs it and what follows again, and a dry run, which
writes nothing, knows it too.

Times alone decide nothing: files that were copied or touched are the same if their contents are. On a drive that is so
slow that not all files were asked for their size and time, the names of the others are compared. Imports no torch.
"""

import hashlib
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache, partial
from json.encoder import encode_basestring_ascii as quoted
from pathlib import Path
from typing import Any, NamedTuple

from luss_core import io
from luss_core.data.contents import THREADS, contents
from luss_core.data.files import list_files
from luss_core.data.kinds import is_video, readable
from luss_core.errors import UserError
from luss_core.parallel import batches

NAME = "files.jsonl"
"""The record, beside the outputs of its stage."""
BATCH = 4096
PATIENCE = 60.0
"""Seconds in which files are asked for their sizes and times."""
COMPARED = 2000
"""Files whose contents are read because only their times differ, at the most; of more an even sample."""

Stamp = tuple[int, int] | None
"""Size in bytes and time of the last change in ns; None where there was no time to ask."""
Seen = dict[str, Stamp]
"""By path below the folder, sorted."""
Row = tuple[str, int | None, int | None, str]
"""Path, stamp, and digest of what the file holds, '' if that is not known."""


class Change(NamedTuple):
    """What differs from a record."""

    new: list[str]
    removed: list[str]
    replaced: list[str]
    touched: list[str]
    """Other times, but the same contents."""

    def __bool__(self) -> bool:
        return bool(self.new or self.removed or self.replaced)


NOTHING = Change([], [], [], [])


def look(
    root: Path,
    masks: str | None = None,
    patience: float = PATIENCE,
    *,
    videos: bool = False,
    files: list[str] | None = None,
) -> Seen:
    """The files with suffixes of images below a folder, and below a folder of masks outside of it.

    Args:
        masks: as in the section prepare.
        patience: seconds in which files are asked for size and time.
        videos: video files as well.
        files: all that lie below the folder, where these are known.
    """
    files = list_files(root, photographs=True).files if files is None else files
    names = _images(files) + (list(filter(is_video, files)) if videos else [])
    if masks is not None:
        folder = root / masks if (root / masks).is_dir() else Path(masks)
        prefix = Path(os.path.relpath(folder.resolve(), root.resolve())).as_posix()
        if not any(name.startswith(f"{prefix}/") for name in names):
            names += [f"{prefix}/{name}" for name in _images(list_files(folder).files)]
    return stamps(root, sorted(names), time.monotonic() + patience)


def stamps(root: Path, names: list[str], deadline: float) -> Seen:
    """Size and time of every file; a file that has gone meanwhile is left out."""
    found: Seen = {}
    with ThreadPoolExecutor(THREADS) as pool:
        for part in pool.map(partial(_stamps, os.fspath(root), deadline), batches(names, BATCH)):
            found |= part
    return found


def digest(seen: Seen) -> str:
    """A text that changes with the name, the size or the time of any file."""
    whole = hashlib.sha256()
    for part in batches(seen.items(), BATCH):
        whole.update(repr(part).encode("utf-8", "surrogateescape"))
    return whole.hexdigest()


def write(path: Path, seen: Seen, known: Mapping[str, str], mark: str) -> None:
    """Write a record.

    Args:
        known: ``content`` of files.
        mark: what the folder goes by in the workflow; empty takes the digest of ``seen``.
    """
    rows = ((name, *(stamp or (None, None)), known.get(name, "")) for name, stamp in seen.items())
    text = digest(seen)
    _write(path, {"digest": text, "mark": mark or text}, rows)


def complete(begun: Path, record: Path, root: Path, known: Iterable[tuple[str, str]]) -> None:
    """Write ``record`` from one without contents; those that are not known are read.

    Args:
        begun: of the time before the files were read, so that what changed meanwhile differs from it.
        known: files and their digests, in the order of their paths.
    """
    head = next(_lines(begun))
    _write(record, head, _completed(begun, root, known))


def mark(record: Path, root: Path, seen: Seen) -> tuple[str, Change]:
    """What the folder goes by, and what differs from the record: the same mark as long as nothing does.

    Raises:
        UserError: the record is not whole.
    """
    now = digest(seen)
    if not record.exists():
        return now, NOTHING
    head = next(_lines(record))
    if head["digest"] == now:
        return head["mark"], NOTHING
    change = compare(record, root, seen)
    return (now if change else head["mark"]), change


@cache
def noticed(
    made: Path, key: str, folder: Path, what: str, writes: bool, masks: str | None = None, videos: bool = False
) -> str:
    """``mark`` of a folder of the user; a change is said in one line, once.

    Args:
        made: folder of a stage, with its record.
        key: of the setting that names ``folder``.
        what: one of the files is.
        writes: whether the record may be brought up to date.
        videos: whether video files count.
    """
    record, seen = made / NAME, look(folder, masks, videos=videos)
    text, change = mark(record, folder, seen)
    if change:
        sys.stderr.write(
            f"{key} {folder} has changed since {made} was made: {described(change, what)}. The stage {made.name} runs"
            " again, and all that depends on it. To keep the results of before, give this run a name of its own:"
            " --config dataset=NAME\n"
        )
    elif change.touched and writes:
        refresh(record, seen)
    return text


def is_known(record: Path, mark: str) -> bool:
    """Whether a record is of the folder that goes by ``mark``."""
    return record.exists() and next(_lines(record))["mark"] == mark


def compare(record: Path, root: Path, seen: Seen) -> Change:
    """What differs between a record and the files that are there."""
    change, unsure = Change([], [], [], []), list[tuple[str, str]]()
    rest = dict(seen)
    for name, size, changed, text in _rows(record):
        if name not in rest:
            change.removed.append(name)
            continue
        stamp = rest.pop(name)
        if stamp is None or size is None or stamp == (size, changed):
            continue
        if stamp[0] != size:
            change.replaced.append(name)
        elif text:
            unsure.append((name, text))
    change.new.extend(rest)
    sample = unsure[:: -(-len(unsure) // COMPARED) or 1]
    here = contents(root, (name for name, _ in sample))
    change.replaced.extend(name for (name, text), now in zip(sample, here, strict=True) if now != text)
    other = set(change.replaced)
    change.touched.extend(name for name, _ in unsure if name not in other)
    return change


def refresh(record: Path, seen: Seen) -> None:
    """Take over the new times of files that hold what they held, so that these are not read again each time."""
    head = next(_lines(record))
    known = {name: text for name, _, _, text in _rows(record)}
    with suppress(UserError):  # a folder that cannot be written: they are read again
        write(record, seen, known, head["mark"])


def described(change: Change, what: str) -> str:
    """ "12 images are new ('cat/1.jpg', ...), 1 was removed ('a.jpg')".

    Args:
        what: one of the files is.
    """
    verbs = {"new": ("is", "are"), "removed": ("was", "were"), "replaced": ("was", "were")}
    texts: list[str] = []
    for word, names in zip(verbs, (change.new, change.removed, change.replaced), strict=True):
        if names:
            one = len(names) == 1
            called = "" if texts else f" {what}" if one else f" {what}s"
            shown = f"({names[0]!r}{'' if one else ', ...'})"
            texts.append(f"{len(names)}{called} {verbs[word][not one]} {word} {shown}")
    return ", ".join(texts)


def _images(names: Iterable[str]) -> list[str]:
    """Those with suffixes of images."""
    endings = {suffix.removeprefix(".") for suffix in readable()}
    return [name for name in names if name.rpartition(".")[2].lower() in endings]


def _stamps(root: str, deadline: float, names: list[str]) -> Seen:
    found: Seen = {}
    late = time.monotonic() > deadline
    for name in names:
        if late:
            found[name] = None
            continue
        with suppress(OSError):
            status = os.stat(f"{root}/{name}")  # noqa: PTH116
            found[name] = status.st_size, status.st_mtime_ns
    return found


def _completed(begun: Path, root: Path, known: Iterable[tuple[str, str]]) -> Iterator[Row]:
    waiting = iter(known)
    ahead = next(waiting, None)
    for part in batches(_rows(begun), BATCH):
        found: dict[str, str] = {}
        while ahead is not None and ahead[0] <= part[-1][0]:
            found[ahead[0]] = ahead[1]
            ahead = next(waiting, None)
        rest = [name for name, *_ in part if name not in found]
        found |= zip(rest, contents(root, rest), strict=True)
        for name, size, changed, _ in part:
            yield name, size, changed, found[name]


def _write(path: Path, head: dict[str, str], rows: Iterable[Row]) -> None:
    with io.atomic(path) as unfinished, unfinished.open("w", encoding="utf-8") as file:
        file.write(json.dumps(head) + "\n")
        file.writelines(map(_line, rows))


def _line(row: Row) -> str:
    """As JSON; json.dumps takes four times as long for a million of them."""
    size, changed = ("null" if number is None else number for number in row[1:3])
    return f"[{quoted(row[0])}, {size}, {changed}, {quoted(row[3])}]\n"


def _lines(record: Path) -> Iterator[Any]:
    """The values in a record.

    Raises:
        UserError: it is cut short.
    """
    try:
        with record.open(encoding="utf-8") as file:
            yield from map(json.loads, file)
    except ValueError as error:
        raise UserError(f"{record} is not whole ({error}); delete it: its stage then runs again") from error


def _rows(record: Path) -> Iterator[Row]:
    lines = _lines(record)
    next(lines, None)
    yield from lines
