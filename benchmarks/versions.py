"""Seconds a step in this version beside another checkout, by the `step_cost.py` of each, in turns (bar: not slower).

    git worktree add ../other REVISION
    python benchmarks/versions.py ../other [--data results/embedded] [--threads 1] [--rounds 3]

The embedded data set must have been prepared, `prior` included. Printed is, for every row that both know, the median
over the rounds of this version's seconds divided by the other's of the same round.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, help="a checkout of another version")
    parser.add_argument("--data", type=Path, default=Path("results/embedded"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args(argv)
    data, ratios = args.data.resolve(), dict[str, list[float]]()
    for _ in range(args.rounds):
        ours, theirs = (steps(checkout, data, args.threads) for checkout in (HERE, args.other.resolve()))
        for row in ours.keys() & theirs.keys():
            ratios.setdefault(row, []).append(ours[row] / theirs[row])
    for row, found in sorted(ratios.items()):
        print(f"{row:12} {statistics.median(found):.2f} of the other's time ({min(found):.2f} to {max(found):.2f})")


def steps(checkout: Path, data: Path, threads: int) -> dict[str, float]:
    """Milliseconds a step of every row, as one version prints them."""
    command = [sys.executable, "benchmarks/step_cost.py", "--data", str(data), "--threads", str(threads)]
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": str(threads)}
    run = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=True)
    return {name: float(time) for name, time in re.findall(r"^(\S+) +(\d+) ms a step", run.stdout, re.MULTILINE)}


if __name__ == "__main__":
    main()
