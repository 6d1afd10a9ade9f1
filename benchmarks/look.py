"""What looking costs in the stage prepare (bar: 3 % on 2,400 photographs), against another checkout of this program.

    git worktree add ../before COMMIT
    python benchmarks/look.py --before ../before --data FOLDER [--rounds 7]

Both prepare the same folder in turn, round after round, so that the speed of the machine cancels; the medians of the
seconds of the processor, and of those of the clock, are printed with their ratio.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, required=True, help="the other checkout")
    parser.add_argument("--data", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args(argv)
    checkouts = {"before": args.before.resolve(), "now": Path(__file__).resolve().parents[1]}
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in checkouts}
    for number in range(args.rounds + 1):
        for name, checkout in checkouts.items():
            seconds = prepare(checkout, args.data.resolve(), args.threads)
            if number:  # the first fills the caches of the system
                taken[name].append(seconds)
    for kind, what in enumerate(("processor", "clock")):
        before, now = (statistics.median(seconds[kind] for seconds in taken[name]) for name in checkouts)
        print(f"{what:9} {before:6.2f} s before, {now:6.2f} s now: {now / before:.3f} times")


def prepare(checkout: Path, data: Path, threads: int) -> tuple[float, float]:
    """Seconds of the processor and of the clock for the whole stage."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "workflow_scripts.prepare", "--root", data, "--out", f"{folder}/out"]
        command += ["--state", f"{folder}/state", "--threads", str(threads)]
        environment = {**os.environ, "PYTHONPATH": str(checkout)}
        begun, used = time.perf_counter(), os.times()
        subprocess.run(command, cwd=checkout, env=environment, check=True, capture_output=True)
        now = os.times()
        cpu = now.children_user + now.children_system - used.children_user - used.children_system
        return cpu, time.perf_counter() - begun


if __name__ == "__main__":
    main()
