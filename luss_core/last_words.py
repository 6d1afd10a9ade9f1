"""What a failed run ends with: what the jobs that failed said. Snakemake's own words come before it.

Snakemake shows the whole command of a job that failed twice, with all its settings, and ends with "At least one job did
not complete". Here the screen does without the command, which Snakemake's own log has, and the job's message is last.
"""

import copy
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from snakemake.logging import LogEvent

BEGINNINGS = ("error: ", "stopped by ")
"""Of a message to the user in the log of a job; it goes on to the end of the log."""
SCREEN = "DefaultStreamHandler"
"""Snakemake's name for what it shows on the screen."""
COMMAND = "RuleException:\nCalledProcessError"
"""How it begins to show a command that failed."""


class Failures(logging.Filter):
    """Takes note of the jobs that failed, and of those that did better when they were tried again."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs: dict[int, tuple[str, list[str], Path]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass."""
        event, fields = getattr(record, "event", None), record.__dict__
        if event == LogEvent.JOB_ERROR:
            self._note(fields)
        elif event == LogEvent.GROUP_ERROR:
            for job in fields.get("job_error_info", ()):
                self._note(job)
        elif event == LogEvent.JOB_FINISHED:
            self.jobs.pop(fields.get("job_id", -1), None)
        return True

    def _note(self, job: Any) -> None:
        # Snakemake leaves the working folder before the end
        self.jobs[job["jobid"]] = str(job["rule_name"]), [str(log) for log in job["log"]], Path.cwd()

    def tell(self) -> None:
        """Write to the screen what failed."""
        if self.jobs:
            sys.stderr.write("\n" + "\n".join(last_words(*job) for job in self.jobs.values()) + "\n")
            sys.stderr.flush()


class WithoutCommand(logging.Formatter):
    """Shows records as another formatter does, but for the command of a job that failed."""

    def __init__(self, shown: logging.Formatter):
        super().__init__()
        self.shown = shown

    def format(self, record: logging.LogRecord) -> str:
        """The text of a record."""
        if record.__dict__.get("shellcmd") and getattr(record, "event", None) == LogEvent.JOB_ERROR:
            record = copy.copy(record)
            record.shellcmd = None
        return self.shown.format(record)


def listen(logger: logging.Logger) -> Failures:
    """Take note of failures from here on, and keep commands off the screen."""
    failures = Failures()
    logger.addFilter(failures)
    for handler in logger.handlers:
        if handler.name == SCREEN and handler.formatter is not None:
            handler.setFormatter(WithoutCommand(handler.formatter))
            handler.addFilter(lambda record: not str(record.msg).startswith(COMMAND))
    return failures


def last_words(rule: str, logs: Sequence[str], folder: Path) -> str:
    """Which job failed, where its log is, and from a line of its own on what it said to the user.

    Args:
        rule: name of the rule.
        logs: files, of which the first that exists counts.
        folder: from which they are named.
    """
    log = next((file for file in logs if (folder / file).is_file()), None)
    if log is None:
        return f"error: {rule} failed before it wrote a log; look above for what was said"
    lines = (folder / log).read_text(encoding="utf-8", errors="replace").splitlines()
    start = max((number for number, line in enumerate(lines) if line.startswith(BEGINNINGS)), default=None)
    if start is not None:
        return f"{rule} failed; its log is {log}\n" + "\n".join(lines[start:])
    said = next((line for line in reversed(lines) if line.strip()), "")
    if "Traceback (most recent call last):" in lines:
        return f"error: {rule} failed in a way that is not foreseen: {said}; its log says where: {log}"
    last = f"its last line: {said!r}" if said else "empty"
    return (
        f"error: {rule} ended without a message, as a process does that is killed, for instance because memory ran out;"
        f" its log is {log} ({last}). The same command goes on from there"
    )
