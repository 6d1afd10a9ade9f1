"""How long it takes to notice that nothing changed in a finished run of 100,000 photographs (bar: 5 s).

    python benchmarks/unchanged.py

Makes a folder of 100,000 small files in 100 folders, and of it the record that prepare leaves. `snakemake -n` then
plans one stage, so that the time is that of its start, of reading the Snakefile and of comparing the folder. Beside it
stand the same without a folder, the comparison alone, its memory, and what is said after three files were changed.
Times are those of the clock, where other work on the machine counts, and of the processor in brackets.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from luss_core import changed

ROOT = Path(__file__).resolve().parents[1]
BAR = 5.0
FOLDERS = 100
DATASET = "unchanged"
T = TypeVar("T")


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        photographs, work = Path(folder, "photographs"), Path(folder, "work")
        make(photographs, args.files)
        record = work / "results" / DATASET / "prepare" / changed.NAME
        changed.write(record, changed.look(photographs), {}, "")
        looks, runs, plain = list[Taken](), list[Taken](), list[Taken]()
        for _ in range(args.rounds):
            (_, change), taken = timed(lambda: changed.mark(record, photographs, changed.look(photographs)))
            looks.append(taken)
            plain.append(timed(lambda: snakemake(work))[1])
            said, taken = timed(lambda: snakemake(work, photographs))
            runs.append(taken)
            if change or "has changed" in said:
                sys.exit("something changed")
        alter(photographs)
        said, noticed = timed(lambda: snakemake(work, photographs))
        (line,) = (line for line in said.splitlines() if "has changed" in line)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{args.files} files: the comparison alone {median(looks)}, {memory:.0f} MB")
    print(f"snakemake -n without a folder of photographs: {median(plain)}")
    print(f"snakemake -n, nothing changed: {median(runs)}; with a change: {noticed}\n  {line}")
    whole = median(runs).clock
    print(f"{'PASS' if whole <= BAR else 'FAIL'}: {whole:.1f} s (bar: {BAR:g} s)")
    if whole > BAR:
        sys.exit(1)


class Taken(NamedTuple):
    """Seconds."""

    clock: float
    processor: float

    def __str__(self) -> str:
        return f"{self.clock:.1f} s ({self.processor:.1f} s)"


def timed(work: Callable[[], T]) -> tuple[T, Taken]:
    """The result, and how long it took, other processes that it started included."""
    before = os.times()
    result = work()
    after = os.times()
    return result, Taken(after.elapsed - before.elapsed, sum(after[:4]) - sum(before[:4]))


def median(taken: list[Taken]) -> Taken:
    return Taken(*map(statistics.median, zip(*taken, strict=True)))


def make(folder: Path, files: int) -> None:
    """Files that look like photographs by their names; nothing decodes them."""
    for number in range(FOLDERS):
        (folder / f"{number:03d}").mkdir(parents=True)
    for number in range(files):
        (folder / f"{number % FOLDERS:03d}" / f"{number:07d}.jpg").write_bytes(b"%d" % number)


def alter(folder: Path) -> None:
    (folder / "000" / "new.jpg").write_bytes(b"new")
    (folder / "001" / "0000001.jpg").unlink()
    (folder / "002" / "0000002.jpg").write_bytes(b"another")


def snakemake(work: Path, photographs: Path | None = None) -> str:
    """What Snakemake says."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", work, "-n"]
    dataset = DATASET if photographs else "generated"
    command += ["--config", f"dataset={dataset}", *([f"data_root={photographs}"] if photographs else [])]
    target = f"results/{dataset}/prepare/images.csv"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run([*command, "--", target], env=environment, check=True, capture_output=True, text=True)
    return run.stdout + run.stderr


if __name__ == "__main__":
    main()
