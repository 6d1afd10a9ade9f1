"""The folder of a training: lock, checkpoint and log. It outlives interruptions, and the end of the training as well.

A job can be taken for failed although it was through, as when SLURM finds it over its time limit, and Snakemake then
deletes what it made; the last checkpoint gives that back. One of other settings is set aside and not written over: with
the settings of before, training goes on from there. Of several processes all read the folder and the first writes it.

The checkpoint before the last is kept: where the last turns out to be damaged, training goes on from that.
"""

import hashlib
import json
import logging
import math
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import torch

from luss_core import group
from luss_core.data.loader import Images, Views
from luss_core.errors import UserError
from luss_core.io import atomic, locked, writing
from luss_core.train import checkpoint
from luss_core.train.checkpoint import Damaged

logger = logging.getLogger(__name__)

LETTERS = 8
"""Of a digest in the name of a file, or where a long value is shown."""
SHOWN = 3
"""Settings that differ, of those that a warning names."""


class Origin(NamedTuple):
    """What a checkpoint says of itself."""

    fingerprint: str
    """Of the settings."""
    source: str
    settings: Any
    """None where it does not say."""
    whole: bool
    """Whether the training is through."""

    @property
    def suffix(self) -> str:
        """For the names of its files while they are set aside."""
        source = f"-{self.source[:LETTERS]}" if self.whole else ""
        return f"-{self.fingerprint[:LETTERS]}{source}"


class TrainingFolder:
    """State of one training on disk."""

    def __init__(self, path: Path, settings: Any, source: str = ""):
        """Args:
        path: where the state lives; no output of a rule, since those are deleted when a job is interrupted.
        settings: everything that decides what is trained, as JSON can hold it; a checkpoint made with other settings is
            not used.
        source: digest of the source and the libraries that decide the numbers, see `sources.of_training`.
        """
        self.path = path
        self.checkpoint, self.before, self.log = path / "last.pt", path / "before.pt", path / "log.jsonl"
        self.settings, self.source = json.dumps(settings, sort_keys=True), source
        self.fingerprint = hashlib.sha256(self.settings.encode()).hexdigest()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder against a second trainer.

        Raises:
            UserError: another process trains here, or the folder cannot be written.
        """
        with nullcontext() if group.rank() else locked(self.path, "training"):
            yield

    def save(self, state: dict[str, Any]) -> None:
        """Write the checkpoint whole or not at all; ``state["whole"]`` says that the training is through.

        The last one becomes the one before once the new one has been read back from the disk.
        """
        if group.rank():
            return
        origin = {"fingerprint": self.fingerprint, "settings": self.settings, "source": self.source}
        with atomic(self.checkpoint) as partial:
            checkpoint.write(partial, origin | state)
            if self.checkpoint.exists():
                self.checkpoint.replace(self.before)

    def load(self, device: torch.device) -> dict[str, Any] | None:
        """The checkpoint, or None where there is none made with these settings; one that was set aside is taken back.

        That of a whole training is used only as long as the source is the same, too: who runs a finished stage again
        with changed source wants to see what changed. What is not used is set aside. Where the last one is damaged,
        the one before it is used.

        Raises:
            UserError: all are damaged, or the folder cannot be written.
        """
        found = self._find()
        state = None if found is None else checkpoint.load(found, device)
        group.agreed(False, device)  # All have read before the first renames.
        if found != self.checkpoint and not group.rank():
            with writing(self.path):
                self._tidy(found)
        return state

    def open_log(self, step: int) -> AbstractContextManager[IO[str] | None]:
        """The log, cut back to the steps before ``step`` and ready for more; None where another process writes it."""
        if group.rank():
            return nullcontext()
        lines = (
            self.log.read_text(encoding="utf-8", errors="replace").splitlines() if step and self.log.exists() else []
        )
        kept = [line for line in lines if _step(line) < step]
        with atomic(self.log) as partial:
            partial.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
        return self.log.open("a", encoding="utf-8")

    def hand_over(self, log: Path) -> None:
        """Write the log of the training to where the workflow wants it."""
        with atomic(log) as partial:
            if self.log.exists():
                shutil.copyfile(self.log, partial)
            else:
                partial.touch()

    def _find(self) -> Path | None:
        """The checkpoint of these settings; that of a whole training by this source first.

        Raises:
            UserError: it is damaged, and so is the one before it.
        """
        under_way = Origin(self.fingerprint, self.source, None, whole=False)
        through = under_way._replace(whole=True)
        lost: dict[Path, str] = {}
        for suffix in (through.suffix, "", under_way.suffix):
            path, origin, damaged = self._newest(suffix)
            if origin is None:
                lost |= damaged
            elif origin.fingerprint == self.fingerprint and (not origin.whole or origin.source == self.source):
                return path
        if lost:
            raise UserError(_lost(lost))
        return None

    def _newest(self, suffix: str) -> tuple[Path, Origin | None, dict[Path, str]]:
        """Of the last checkpoint and the one before it, the newest that is whole, and what is wrong with the others."""
        damaged: dict[Path, str] = {}
        for file in (self.checkpoint, self.before):
            path = _aside(file, suffix)
            if path.exists():
                try:
                    return path, _origin(path), damaged
                except Damaged as error:
                    damaged[path] = str(error)
        return _aside(self.checkpoint, suffix), None, damaged

    def _tidy(self, found: Path | None) -> None:
        """Give the checkpoint that was found the name of the last one, and set aside what has it now."""
        if found == self.before:
            self._put_away(self.checkpoint)
            found.replace(self.checkpoint)
            return
        self._set_aside()
        if found is not None:
            self._take_back(found)

    def _put_away(self, damaged: Path) -> None:
        if damaged.exists():
            away = self.path / "damaged.pt"
            damaged.replace(away)
            logger.warning(
                "%s is damaged and not gone on from; the checkpoint before it is used (kept: %s)", damaged, away
            )

    def _set_aside(self) -> None:
        """The checkpoints and the log, if there is a checkpoint, with a line that says why."""
        newest, origin, _ = self._newest("")
        if origin is None or newest == self.before:
            self._put_away(self.checkpoint)
        if origin is None:
            return
        if newest == self.before:
            newest.replace(self.checkpoint)
        # The last one at the end, so that nothing is without the checkpoint that tells whose it is.
        for file in (self.log, self.before, self.checkpoint):
            if file.exists():
                file.replace(_aside(file, origin.suffix))
        differing = differences(origin.settings, json.loads(self.settings)) if origin.settings else []
        other = "settings or images" + _named(differing)
        if origin.fingerprint == self.fingerprint:
            other = "source or libraries, and whole"
        logger.warning(
            "%s was made with other %s: kept as %s, from where a training like it goes on",
            self.checkpoint,
            other,
            _aside(self.checkpoint, origin.suffix),
        )

    def _take_back(self, found: Path) -> None:
        """Give a checkpoint that was set aside, and what was with it, their names again."""
        suffix = found.stem.removeprefix(self.checkpoint.stem).removeprefix(self.before.stem)
        if found == _aside(self.before, suffix):
            self._put_away(_aside(self.checkpoint, suffix))
            found.replace(_aside(self.checkpoint, suffix))
        for file in (self.log, self.before, self.checkpoint):
            if (aside := _aside(file, suffix)).exists():
                aside.replace(file)
        logger.warning("%s was made with these settings and is %s again", found, self.checkpoint)


def _aside(file: Path, suffix: str) -> Path:
    """Where a file of the folder lies while another training has its name; with no suffix, itself."""
    return file.with_name(f"{file.stem}{suffix}{file.suffix}")


def _lost(damaged: Mapping[Path, str]) -> str:
    """What to say where no checkpoint can be read."""
    named = " and ".join(f"{path} is damaged ({reason})" for path, reason in damaged.items())
    them = "it" if len(damaged) == 1 else "them"
    return (
        f"{named}, and there is no whole checkpoint before it: what this training had learned is lost. Put back a copy"
        f" of it if you have one; else delete {them} and run the same command again, which trains from the start"
    )


def _step(line: str) -> float:
    """The step that a line of the log is of; later than any if the line is torn or damaged."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, TypeError, KeyError):
        return math.inf


def inputs(views: Views) -> dict[str, str]:
    """SHA-256 of everything that a training sees, by name: images, planes, labels and pairs, with their rows.

    Readers do not count as source of a training (`sources.UNTRACKED_IN_TRAINING`), so what they give has to.
    """
    arrays = {"labels": views.labels, "pairs": views.partners}
    found = {name: _digest([], array) for name, array in arrays.items() if array is not None}
    stores = {"images": views.store} | {name: plane.images for name, plane in views.planes.items()}
    return found | {name: _of_images(store, views.rows) for name, store in stores.items()}


def _of_images(images: Images, rows: np.ndarray) -> str:
    """Of what a store says of all its pixels, if it does; of the rows; of three images as the reader gives them."""
    shown = [images.read(row) for row in rows[:: max(1, len(rows) // 2)].tolist()]
    return _digest([getattr(images, "fingerprint", "")], rows, *shown)


def _digest(texts: list[str], *arrays: np.ndarray) -> str:
    found = hashlib.sha256(repr(texts).encode())
    for array in arrays:
        found.update(repr((array.dtype.str, array.shape)).encode() + array.tobytes())
    return found.hexdigest()


def differences(before: Any, now: Any, place: str = "") -> list[str]:
    """What differs between two settings, as "pretrain.train.lr 0.004 -> 0.01"; what one lacks is "none"."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        keys = sorted(before.keys() | now.keys())
        inner = {key: f"{place}.{key}" if place else key for key in keys}
        return [text for key in keys for text in differences(before.get(key), now.get(key), inner[key])]
    return [] if before == now else [f"{place} {_short(before)} -> {_short(now)}"]


def _short(value: Any) -> str:
    text = "none" if value is None else value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 5 * LETTERS else f"{text[:LETTERS]}..."


def _named(differing: list[str]) -> str:
    """The first of them in brackets."""
    more = [f"{len(differing) - SHOWN} more"] if len(differing) > SHOWN else []
    return f" ({', '.join([*differing[:SHOWN], *more])})" if differing else ""


def _origin(path: Path) -> Origin:
    """What a checkpoint says of itself, without reading its tensors.

    Raises:
        Damaged: it does not hold what was written.
    """
    checkpoint.check(path)
    state = checkpoint.load(path, torch.device("cpu"), mmap=True)
    settings = json.loads(state.get("settings", "null"))
    return Origin(state.get("fingerprint", ""), state.get("source", ""), settings, bool(state.get("whole")))
