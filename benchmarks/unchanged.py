"""How long it takes to notice that nothing changed in a finished run of 100,000 photographs (bar: 5 s).

    python benchmarks/unchanged.py

Makes a folder of 100,000 small files in 100 folders, and of it the record that prepare leaves. `snakemake -n` then
plans one stage, so that the time is that of its start, of reading the Snakefile and of comparing the folder. Beside it
stand the comparison alone, its memory, and what is said after three files were changed. Wall-clock time: other work on
the machine counts.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from luss_core import changed

ROOT = Path(__file__).resolve().parents[1]
BAR = 5.0
FOLDERS = 100
DATASET = "unchanged"


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
        looks, runs = [], []
        for _ in range(args.rounds):
            start = time.perf_counter()
            _, change = changed.mark(record, photographs, changed.look(photographs))
            looks.append(time.perf_counter() - start)
            start = time.perf_counter()
            said = snakemake(work, photographs)
            runs.append(time.perf_counter() - start)
            if change or "has changed" in said:
                sys.exit("something changed")
        alter(photographs)
        start = time.perf_counter()
        said = snakemake(work, photographs)
        noticed = time.perf_counter() - start
        (line,) = (line for line in said.splitlines() if "has changed" in line)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    whole = statistics.median(runs)
    print(f"{args.files} files: the look alone {statistics.median(looks):.2f} s, {memory:.0f} MB")
    print(f"snakemake -n, nothing changed: {whole:.1f} s; with a change: {noticed:.1f} s\n  {line}")
    print(f"{'PASS' if whole <= BAR else 'FAIL'}: {whole:.1f} s (bar: {BAR:g} s)")
    if whole > BAR:
        sys.exit(1)


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


def snakemake(work: Path, photographs: Path) -> str:
    """What Snakemake says."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", work, "-n"]
    command += ["--config", f"dataset={DATASET}", f"data_root={photographs}"]
    target = f"results/{DATASET}/prepare/images.csv"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run([*command, "--", target], env=environment, check=True, capture_output=True, text=True)
    return run.stdout + run.stderr


if __name__ == "__main__":
    main()
