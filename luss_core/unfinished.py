"""Which rows of a benchmark have no scores, and why: what its page is told where jobs failed. Imports no torch."""

from collections.abc import Collection
from pathlib import Path

from luss_core.config import BenchmarkRow, BenchmarkRows, MissingRun, MissingRuns
from luss_core.last_words import last_words

LOGS = {"extract": ("extract", "join_features"), "infer": ("infer", "join_masks")}
"""Rules of a stage, where it has several: with `shards` its parts are joined."""
SHARED = ("synthesize", "prepare", "prior")
"""Stages of the data set, which all rows wait for."""


def folder_of(data: Path, row: BenchmarkRow, stage: str, seed: int) -> Path:
    """Where the output of a stage lies for a row; ``data`` is the folder of the data set."""
    return data / row.stages[stage] / f"seed{seed}"


def missing_runs(rows: BenchmarkRows, data: Path, failed: Collection[str], waiting: Collection[str]) -> MissingRuns:
    """The runs that cannot be shown.

    Args:
        data: folder of the data set, such as results/embedded.
        failed: logs of the jobs that failed.
        waiting: folders `<run>/<stage>` of the jobs that did not end well, those that failed among them; what older
            jobs left there is not what the settings of now give.
    """
    pairs = [(row, seed) for row in rows.rows for seed in rows.seeds]
    found = (_missing(row, seed, data, failed, waiting) for row, seed in pairs)
    return MissingRuns(runs=tuple(run for run in found if run))


def _missing(
    row: BenchmarkRow, seed: int, data: Path, failed: Collection[str], waiting: Collection[str]
) -> MissingRun | None:
    """The first stage that failed, else the first that was not reached; None where the run is whole."""
    folders = {stage: folder_of(data, row, stage, seed) for stage in row.stages}
    left = [stage for stage, folder in folders.items() if str(folder / stage) in waiting]
    if not left:
        return None
    for stage in (*SHARED, *row.stages):
        logs = data / "logs" if stage in SHARED else folders[stage] / "logs"
        log = next((log for log in sorted(failed) if _is_of(Path(log), logs, stage)), None)
        if log:
            said = said_last(stage, log)
            return MissingRun(row=row.name, seed=seed, stage=stage, failed=True, said=said, log=log)
    return MissingRun(row=row.name, seed=seed, stage=left[0], failed=False)


def _is_of(log: Path, folder: Path, stage: str) -> bool:
    """Whether a log is of a stage, or of a part of it, such as extract.1-of-3.log."""
    return log.parent == folder and log.name.partition(".")[0] in LOGS.get(stage, (stage,))


def said_last(stage: str, log: str) -> str:
    """The message of a stage that failed, in one line without what it begins with."""
    text = last_words(stage, [log], Path())
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if lines[0].startswith(f"{stage} failed; its log is"):
        lines = lines[1:]
    return " ".join(lines).removeprefix("error: ")


def scored_runs(rows: BenchmarkRows, data: Path, missing: MissingRuns | None = None) -> str:
    """--run NAME:SEED:DIR for every run that is not missing."""
    without = {(run.row, run.seed) for run in (missing.runs if missing else ())}
    pairs = [(row, seed) for row in rows.rows for seed in rows.seeds if (row.name, seed) not in without]
    return " ".join(f"--run {row.name}:{seed}:{folder_of(data, row, 'evaluate', seed)}" for row, seed in pairs)
