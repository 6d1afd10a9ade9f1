"""What checking costs in the stage prepare (bar: 3 % on 2,400 photographs), against another checkout of this program.

    git worktree add ../before COMMIT
    python benchmarks/look.py --before ../before --data FOLDER [--images 2400] [--rounds 9]

The photographs of a folder, with their masks, are copied under more names until there are enough of them; each
further copy has one byte more, so that no two files are the same. Both checkouts prepare them in turn, round after
round, first the one and then the other, so that the speed of the machine cancels. Of the seconds of the processor and
of those of the clock the medians are printed, and the median of the ratios within a round, with the middle half of them
in brackets. The first decide: those of the clock count other work on the machine as well.
"""

import argparse
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path, PurePosixPath

from luss_core.data.find import find

BAR = 1.03


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, required=True, help="the other checkout")
    parser.add_argument("--data", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--images", type=int, default=2400)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=9)
    args = parser.parse_args(argv)
    checkouts = {"before": args.before.resolve(), "now": Path(__file__).resolve().parents[1]}
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in checkouts}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "data")
        enough(args.data.resolve(), data, args.images)
        for number in range(args.rounds + 1):
            for name in sorted(checkouts, reverse=number % 2 == 1):
                seconds = prepare(checkouts[name], data, Path(folder, "work"), args.threads)
                if number:  # the first fills the caches of the system
                    taken[name].append(seconds)
    ratio, _ = (compared(kind, taken, what) for kind, what in enumerate(("processor", "clock")))
    print(f"{'PASS' if ratio <= BAR else 'FAIL'} (bar: {BAR:g} times the seconds of the processor)")
    if ratio > BAR:
        sys.exit(1)


def compared(kind: int, taken: dict[str, list[tuple[float, float]]], what: str) -> float:
    """Print both, and give their ratio."""
    before, now = ([seconds[kind] for seconds in taken[name]] for name in ("before", "now"))
    ratios = [after / first for first, after in zip(before, now, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    print(
        f"{what:9} {statistics.median(before):6.2f} s before, {statistics.median(now):6.2f} s now:"
        f" {middle:.3f} times ({low:.3f} to {high:.3f})"
    )
    return middle


def enough(source: Path, folder: Path, images: int) -> None:
    """Fill a folder with that many photographs of another one."""
    listed = find(source, None)[0].images
    for number, image in enumerate(itertools.islice(itertools.cycle(listed), images)):
        times = number // len(listed)
        for name in filter(None, (image.path, image.mask)):
            path = PurePosixPath(name)
            copy = folder / path.with_stem(f"{path.stem}_{times}")
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes((source / name).read_bytes() + bytes(times))


def prepare(checkout: Path, data: Path, work: Path, threads: int) -> tuple[float, float]:
    """Seconds of the processor and of the clock for the whole stage."""
    with tempfile.TemporaryDirectory(dir=work.parent) as folder:
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
