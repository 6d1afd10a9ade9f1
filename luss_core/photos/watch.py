"""Snakemake at work: its words go to a file, and one line on the screen says how far it is."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import IO, NamedTuple

from luss_core.photos.progress import Progress

EVERY = 0.25
"""Seconds between two looks at what Snakemake says."""
AGAIN = 30.0
"""Seconds after which a log hears of the same stage again."""


class End(NamedTuple):
    """How Snakemake ended."""

    status: int
    """0 where all was made."""
    stopped: bool
    """Whether the user sent a signal."""
    said: list[str]
    """Its lines."""


def watch(command: Sequence[str], log: Path, estimates: Mapping[str, float]) -> End:
    """Run Snakemake to its end, and show how far it is.

    Ctrl-C and SIGTERM reach Snakemake and its jobs once each, so that trainings save. What it says goes into a file and
    not through this process, so that it goes on where this one is killed.

    Args:
        command: the program and its arguments.
        log: to which is added.
        estimates: seconds of each stage.
    """
    progress, screen = Progress(estimates), Screen(sys.stdout)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out, log.open(encoding="utf-8", errors="replace") as words:
        words.seek(0, os.SEEK_END)
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, process_group=0)
        with _Signals(child, screen) as signals:
            said = _follow(child, words, progress, screen)
    if signals.received:
        return End(128 + signals.received, True, said)
    return End(child.returncode, False, said)


def _follow(child: subprocess.Popen[bytes], words: IO[str], progress: Progress, screen: "Screen") -> list[str]:
    said, rest = list[str](), ""
    while True:
        ended = child.poll() is not None
        *lines, rest = (rest + words.read()).split("\n")
        now = time.monotonic()
        news = [progress.feed(line, now) for line in lines]
        said += lines
        screen.show(progress.sentence(now), progress.started, now, any(news))
        if ended:
            screen.end()
            return [*said, rest] if rest else said
        time.sleep(EVERY)


class Screen:
    """Where progress is shown: one line that changes on a terminal, lines below each other in a file."""

    def __init__(self, stream: IO[str]):
        self.stream, self.changing = stream, stream.isatty()
        self._shown, self._stage, self._last = "", -1, float("inf")

    def show(self, sentence: str, stage: int, now: float, news: bool = False) -> None:
        """Show a sentence where it says something else than the last."""
        if self.changing and sentence != self._shown:
            width = shutil.get_terminal_size().columns - 1
            self._write(f"\r\x1b[K{sentence[:width]}")
        elif not self.changing and (news and stage != self._stage or now - self._last >= AGAIN):
            self._write(f"{time.strftime('%H:%M')} {sentence}\n")
            self._stage, self._last = stage, now
        self._shown = sentence

    def say(self, text: str) -> None:
        """A line that stays."""
        self._write(f"\r\x1b[K{text}\n" if self.changing else f"{text}\n")
        self._shown = ""

    def end(self) -> None:
        """Leave the line."""
        if self.changing:
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()


class _Signals:
    """Hands signals on to Snakemake and its jobs while it is entered."""

    def __init__(self, child: subprocess.Popen[bytes], screen: Screen):
        self.child, self.screen, self.received = child, screen, 0

    def __enter__(self) -> "_Signals":
        handled = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        self.before = {number: signal.signal(number, self._receive) for number in handled}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _receive(self, number: int, _: FrameType | None) -> None:
        if not self.received and number == signal.SIGINT:
            self.screen.say("Stopping; what works now saves what it has (Ctrl-C once more: at once).")
        self.received = number
        if self.child.poll() is None:
            os.killpg(self.child.pid, signal.SIGINT if number == signal.SIGINT else signal.SIGTERM)
