"""Training logs reduced to what a chart can show."""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from luss_core.errors import UserError

POINTS = 300


@dataclass(frozen=True)
class Log:
    """Means of a training log over equal ranges of steps."""

    steps: int
    """Lines of the log."""
    seconds: float
    """Sum of the time of the steps; 0 where the log has none."""
    columns: dict[str, np.ndarray]
    """Name to (n,) values, `step` among them; NaN where a range has no value."""


@dataclass
class _Bins:
    """Sums over ranges of equal length; the length doubles when there are too many, so memory stays flat."""

    limit: int
    length: int = 1
    rows: list[dict[str, tuple[float, int]]] = field(default_factory=list)

    def add(self, position: int, record: dict[str, float]) -> None:
        if position // self.length >= self.limit:
            self.rows = [_merge(self.rows[i : i + 2]) for i in range(0, len(self.rows), 2)]
            self.length *= 2
        index = position // self.length
        if index == len(self.rows):
            self.rows.append({})
        self.rows[index] = _merge([self.rows[index], {key: (value, 1) for key, value in record.items()}])


def read_log(path: Path, points: int = POINTS) -> Log:
    """A log.jsonl as at most ``points`` means.

    Raises:
        UserError: the file is missing, or a line of it is not a JSON object.
    """
    if not path.is_file():
        raise UserError(f"{path} does not exist; run the stage that writes it")
    bins, steps, seconds = _Bins(points), 0, 0.0
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            record = _numbers(line, path, number)
            bins.add(steps, record)
            seconds += record.get("seconds", 0.0)
            steps += 1
    keys = sorted({key for row in bins.rows for key in row})
    columns = {key: np.array([_mean(row.get(key)) for row in bins.rows]) for key in keys}
    return Log(steps, seconds, columns)


def _numbers(line: str, path: Path, number: int) -> dict[str, float]:
    try:
        record = json.loads(line)
        items = record.items()
    except (ValueError, AttributeError, RecursionError) as error:
        raise UserError(
            f"{path}, line {number} is not a JSON object; delete the file and run its stage again"
        ) from error
    return {
        key: float(value)
        for key, value in items
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }


def _merge(rows: list[dict[str, tuple[float, int]]]) -> dict[str, tuple[float, int]]:
    total: dict[str, tuple[float, int]] = {}
    for row in rows:
        for key, (value, count) in row.items():
            before = total.get(key, (0.0, 0))
            total[key] = (before[0] + value, before[1] + count)
    return total


def _mean(entry: tuple[float, int] | None) -> float:
    return entry[0] / entry[1] if entry else math.nan
