"""What Snakemake says as it works, as one sentence: which stage of how many, and how long it may still take."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from luss_core.photos.work import SHORT, WORDS, in_words

STARTED = re.compile(r"(?:local)?(?:rule|checkpoint) (\w+):$")
FINISHED = re.compile(r"Finished jobid: \d+ \(Rule: (\w+)\)")
COUNT = re.compile(r"(\w+) +(\d+)$")
TARGETS = {"all"}
"""Jobs that do nothing."""
DEFAULT = 20.0
"""Seconds of a stage of which nothing is known."""
TRUST = 0.2
"""The estimates count as if so much of the work had taken just that: one short stage says little of the others."""
OVERDUE = 0.15
"""Of the time that a stage has taken so far it takes at least once more this part: nobody knows when it ends."""


class Running(NamedTuple):
    """A job that works."""

    stage: str
    since: float


class Progress:
    """Reads the lines of Snakemake one by one.

    Args:
        estimates: seconds of each stage, by its name.
    """

    def __init__(self, estimates: Mapping[str, float]):
        self.estimates = estimates
        self.jobs: dict[str, int] = {}
        """How many of each stage are to run, once Snakemake has said so."""
        self.running: list[Running] = []
        self.started = self.finished = 0
        self._left: dict[str, int] = {}
        self._expected = self._taken = 0.0
        self._in_table = False

    @property
    def total(self) -> int:
        """How many jobs there are."""
        return sum(self.jobs.values())

    def feed(self, line: str, now: float) -> bool:
        """Take note of a line; says whether it is news.

        Args:
            now: seconds on any clock.
        """
        line = line.rstrip()
        if line == "Job stats:":
            self._in_table, self.jobs = True, {}
        elif self._in_table:
            return self._row(line)
        elif found := STARTED.match(line):
            return self._start(found[1], now)
        elif found := FINISHED.match(line):
            return self._finish(found[1], now)
        return False

    def left(self, now: float) -> float:
        """Seconds until the end, by what the stages so far took in comparison with their estimates."""
        pace = self._pace()
        waiting = sum(count * self._estimate(stage) for stage, count in self._left.items()) * pace
        return waiting + max((self._rest(job, now, pace) for job in self.running), default=0.0)

    def sentence(self, now: float) -> str:
        """What happens now."""
        if not self.running:
            return f"starting, {self._wait(now)}" if self.total else "planning"
        stage = self.running[-1].stage
        what = WORDS.get(stage, stage)
        return f"stage {min(self.started, self.total)} of {self.total}: {what}, {self._wait(now)}"

    def _wait(self, now: float) -> str:
        left = self.left(now)
        return f"{'about ' if left >= SHORT else ''}{in_words(left)} left"

    def _row(self, line: str) -> bool:
        found = COUNT.match(line)
        if found and found[1] == "total":
            self._in_table, self._left = False, dict(self.jobs)
            self._expected = self._taken = TRUST * sum(
                count * self._estimate(name) for name, count in self.jobs.items()
            )
            return False
        if found and found[1] not in TARGETS:
            self.jobs[found[1]] = int(found[2])
        return False

    def _start(self, stage: str, now: float) -> bool:
        if stage in TARGETS:
            return False
        self.started += 1
        self._left[stage] = max(0, self._left.get(stage, 0) - 1)
        self.running.append(Running(stage, now))
        return True

    def _finish(self, stage: str, now: float) -> bool:
        job = next((job for job in self.running if job.stage == stage), None)
        if job is None:
            return False
        self.running.remove(job)
        self.finished += 1
        self._taken += now - job.since
        self._expected += self._estimate(stage)
        return False

    def _estimate(self, stage: str) -> float:
        return self.estimates.get(stage, DEFAULT)

    def _pace(self) -> float:
        return self._taken / self._expected if self._expected else 1.0

    def _rest(self, job: Running, now: float, pace: float) -> float:
        gone = now - job.since
        return max(self._estimate(job.stage) * pace - gone, OVERDUE * gone)
