"""One run of the workflow after another in a working folder, also where the last one was killed. Imports no torch.

Each run holds a file below `.snakemake/luss/` as long as it lives, and its jobs another one. So the next run knows what
a lock of Snakemake cannot tell: whether the run that made it still works, or only its jobs, or nothing. The system
takes such a hold from a process that ends, whatever ends it.

A job whose Snakemake has gone ends as on SIGTERM: a training saves its state before. On other machines of a cluster the
job belongs to the Snakemake there.
"""

import atexit
import fcntl
import os
import re
import select
import signal
import socket
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import IO, NamedTuple

from luss_core.errors import UserError
from luss_core.sources import LOCKS

FOLDER = Path(".snakemake") / "luss"
PARENT, RUN = "LUSS_SNAKEMAKE", "LUSS_RUN"
"""Variables of the environment of a job: HOST:PID of its Snakemake; its file below FOLDER."""
PATIENCE = 60.0
"""Seconds in which the jobs of a run that was killed may save and end."""
EVERY = 0.5
"""Seconds between two looks."""
LOOKS = re.compile(
    "--(dry-?run|(detailed-)?summary|dag|(rule|file)graph|d3dag|lint|list.*|report|unlock|archive|containerize"
    "|generate-unit-tests|print-compilation|help|version)(=.*)?|-[lSDhv]|-[a-zA-Z]*n[a-zA-Z]*"
)
"""Arguments with which Snakemake runs no job."""

_held: list[IO[str]] = []
"""What this process holds for as long as it lives."""


class Run(NamedTuple):
    """A run that was here before, or is."""

    host: str
    pid: int
    file: Path

    def __str__(self) -> str:
        return f"process {self.pid}" + ("" if self.host == socket.gethostname() else f" on {self.host}")


def works(arguments: Iterable[str]) -> bool:
    """Whether Snakemake, called with these, runs jobs."""
    return not any(map(LOOKS.fullmatch, arguments))


def begin(dataset: str, seeds: Sequence[int]) -> None:
    """Hold the working folder for a run of these seeds, and clear away what a killed run left locked.

    Waits for jobs of the killed run, which save and end.

    Raises:
        UserError: another run makes the same files, or jobs of a killed run do not end.
    """
    with suppress(OSError):  # read-only, or no locks here: Snakemake's own have to do
        FOLDER.mkdir(parents=True, exist_ok=True)
        living, killed = _others()
        taken = [lock for lock in sorted(LOCKS.glob("*.lock")) if _concerns(lock, dataset, seeds)]
        if living and taken:
            raise UserError(
                f"another run is making these results ({living[0]}); wait until it ends, or stop it with Ctrl-C where"
                " it was started, and then give this command again"
            )
        for run in killed:
            _wait_for_jobs(run)
        if killed and not living:
            for lock in LOCKS.glob("*.lock"):
                lock.unlink(missing_ok=True)
            sys.stderr.write(f"The last run here ({killed[-1]}) was killed; this one goes on from what it left.\n")
        for run in killed:
            run.file.unlink(missing_ok=True)
            _jobs(run.file).unlink(missing_ok=True)
        _hold()


def parent() -> str:
    """What tells the jobs which Snakemake they belong to."""
    return f"{socket.gethostname()}:{os.getpid()}"


def join() -> None:
    """Call at the start of a job: mark that it works for its run, and end it when its Snakemake has gone."""
    if "RANK" in os.environ:
        return  # whoever started the processes ends them
    run = os.environ.get(RUN)
    if run:
        with suppress(OSError):
            lock = _jobs(Path(run)).open("a", encoding="utf-8")
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            lock.write(f"{Path(sys.argv[0]).stem} process {os.getpid()} on {socket.gethostname()}\n")
            lock.flush()
            _held.append(lock)
    host, _, pid = os.environ.get(PARENT, "").rpartition(":")
    if host == socket.gethostname() and pid.isdecimal() and int(pid) in _ancestors():
        Thread(target=_end_with, args=(int(pid),), daemon=True).start()


def _others() -> tuple[list[Run], list[Run]]:
    """Runs that hold their file, and runs of this machine that were killed."""
    living, killed = list[Run](), list[Run]()
    for file in sorted(FOLDER.glob("*.run")):
        host, _, pid = file.stem.rpartition("-")
        run = Run(host, int(pid), file)
        if not _free(file):
            living.append(run)
        elif host == socket.gethostname():
            killed.append(run)
        else:  # locks may not reach from there to here
            raise UserError(
                f"the last run here ({run}) did not end in order; if it no longer works there, delete {file}, call"
                " snakemake --unlock, and then give this command again"
            )
    return living, killed


def _free(file: Path) -> bool:
    """Whether no process holds a file."""
    try:
        with file.open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except FileNotFoundError:
        pass
    return True


def _concerns(lock: Path, dataset: str, seeds: Sequence[int]) -> bool:
    """Whether a lock of Snakemake is on something that a run of these seeds makes or reads."""
    ours = re.compile(rf"results/{re.escape(dataset)}/(?!.*/seed)|results/{re.escape(dataset)}/.*/seed({_any(seeds)})/")
    with suppress(FileNotFoundError), lock.open(encoding="utf-8", errors="replace") as lines:
        return lock.name.endswith(".output.lock") and any(map(ours.match, lines))
    return False


def _any(seeds: Sequence[int]) -> str:
    return "|".join(map(str, seeds))


def _wait_for_jobs(run: Run) -> None:
    """Raises:
    UserError: they do not end.
    """
    file, start, said = _jobs(run.file), time.monotonic(), False
    while not _free(file):
        if time.monotonic() - start > PATIENCE:
            raise UserError(
                f"the last run here ({run}) was killed, but a job of it still works: {_working(file)}; wait until it"
                " ends, or stop it, and then give this command again"
            )
        if not said:
            sys.stderr.write(f"The last run here ({run}) was killed; waiting for its jobs, which save and end.\n")
        said = True
        time.sleep(EVERY)


def _working(jobs: Path) -> str:
    """The jobs that may still work, as far as this machine knows."""
    here = f" on {socket.gethostname()}"
    lines = jobs.read_text(encoding="utf-8").splitlines()
    known = (line for line in lines if not line.endswith(here) or Path("/proc", line.split()[2]).exists())
    return ", ".join(line.removesuffix(here) for line in known)


def _hold() -> None:
    file = (FOLDER / f"{socket.gethostname()}-{os.getpid()}.run").resolve()
    _jobs(file).touch()
    unheld = file.with_suffix(".new")
    lock = unheld.open("w", encoding="utf-8")
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    unheld.replace(file)
    _held.append(lock)
    os.environ[RUN] = str(file)
    atexit.register(_release, file, os.getpid())


def _release(file: Path, pid: int) -> None:
    if os.getpid() == pid:  # not in a copy of the process
        for name in (file, _jobs(file)):
            with suppress(OSError):
                name.unlink(missing_ok=True)


def _jobs(file: Path) -> Path:
    return file.with_suffix(".jobs")


def _ancestors() -> list[int]:
    """Processes that this one descends from; empty where the system does not say."""
    found, pid = list[int](), os.getppid()
    with suppress(OSError, ValueError):
        while pid > 1:
            found.append(pid)
            pid = int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
    return found


def _end_with(pid: int) -> None:
    """Wait for the end of a process, then end this one."""
    try:
        watch = select.poll()
        watch.register(os.pidfd_open(pid), select.POLLIN)
        watch.poll()
    except ProcessLookupError:
        pass
    except OSError:  # not to be watched here
        return
    sys.stderr.write("Snakemake was killed: this job ends as well\n")
    os.kill(os.getpid(), signal.SIGTERM)
