"""How long Snakemake plans 36 runs before the first job starts (bar: 20 s).

    python benchmarks/dry_run.py

`snakemake -n` in an empty folder for the six presets of the ablation and six seeds, every report and the comparison as
targets; beside it what Snakemake takes to start (`--version`), one run instead of 36, and the 36 with an empty cache of
shared outputs (docs/cache.md). They take turns; medians over the rounds are printed. Wall-clock time: other work on the
machine counts.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from luss_core.config import RUN_STAGES, Config

ROOT = Path(__file__).resolve().parents[1]
BAR = 20.0
PRESETS = Config().ablation
SEEDS = range(6)
SWEEP = ("--config", f"run=[{','.join(PRESETS)}]", f"seeds=[{','.join(map(str, SEEDS))}]", "--", "all", "compare")
CASES = {
    "starting Snakemake": ("--version",),
    "1 run": ("-n", "--", "all"),
    "36 runs": ("-n", *SWEEP),
    "36 runs, empty cache": ("-n", "--cache", *SWEEP),
}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        taken: dict[str, list[float]] = {case: [] for case in CASES}
        for _ in range(args.rounds):
            for case, arguments in CASES.items():
                taken[case].append(seconds(Path(folder), arguments))
        jobs = count(snakemake(Path(folder), CASES["36 runs"]))
    medians = {case: statistics.median(values) for case, values in taken.items()}
    for case, values in taken.items():
        print(f"{case:22}{medians[case]:6.1f} s   ({min(values):.1f} to {max(values):.1f})")
    whole, start = medians["36 runs"], medians["starting Snakemake"]
    print(f"{jobs} jobs planned; {100 * start / whole:.0f} % of the time is Snakemake's own start")
    print(f"{'PASS' if whole <= BAR else 'FAIL'}: {whole:.1f} s (bar: {BAR:g} s)")
    if whole > BAR:
        sys.exit(1)


def seconds(folder: Path, arguments: tuple[str, ...]) -> float:
    start = time.perf_counter()
    snakemake(folder, arguments)
    return time.perf_counter() - start


def snakemake(folder: Path, arguments: tuple[str, ...]) -> str:
    """What Snakemake says, called in a working folder of its own so that no result is there.

    Raises:
        subprocess.CalledProcessError: the plan failed.
    """
    cache = folder / "cache"
    cache.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", folder / "work"]
    environment = {**os.environ, "SNAKEMAKE_OUTPUT_CACHE": str(cache)}
    run = subprocess.run([*command, *arguments], cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    return run.stdout + run.stderr


def count(plan: str) -> int:
    """Jobs of a plan, after a look that every stage of every run is in it."""
    lines = [line.split() for line in plan.partition("Job stats:")[2].splitlines()]
    table = {line[0]: int(line[1]) for line in lines if len(line) == 2 and line[1].isdigit()}
    if any(table[stage] != len(PRESETS) * len(SEEDS) for stage in RUN_STAGES):
        sys.exit(f"not the plan that was asked for: {table}")
    return table["total"]


if __name__ == "__main__":
    main()
