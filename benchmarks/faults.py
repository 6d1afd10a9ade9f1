"""The stages from photographs to one exported file, again and again under real faults: nothing lost, one line each.

    python benchmarks/faults.py --faults 100

Each fault befalls one stage of a small embedded data set: SIGKILL and SIGTERM at random moments, a small disk (tmpfs),
a read-only one, a limit on the size of files, inputs and states that are damaged, lost, exchanged, locked by another
program or taken away during the work, a second process in the same folder, a clock that stands in 1970. What the stage
says must be one line; done again as that line says it must give the files of an undisturbed run, byte for byte. Without
the right to mount, full and read-only disks are left out, and that is said.
"""

import argparse
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import h5py
import numpy as np
from small_run import ARGUMENTS, CHECKED, WITH_STATE, Ended, digests, run, write_settings

from luss_core.io import locked
from tests.fuzz.mutations import mutated

LARGE = 1 << 28
"""Bytes of the disk while nothing is wrong with it."""
TRIES = 4
"""Of a stage after a fault."""
ENDED = ("error: ", "stopped by ")


class Driver:
    """A folder with a whole run, whose stages are disturbed one at a time."""

    def __init__(self, folder: Path, seed: int):
        self.work, self.random = folder / "disk" / "work", np.random.default_rng(seed)
        self.disk = folder / "disk"
        self.disk.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={LARGE}", "tmpfs", str(self.disk)]
        self.mounted = bool(shutil.which("mount")) and subprocess.run(mount, capture_output=True).returncode == 0
        self.seconds: dict[str, float] = {}
        self.largest: dict[str, int] = {}
        """Bytes of the largest file that a stage writes."""
        self.expected: dict[str, dict[str, str]] = {}

    def make(self) -> None:
        """The undisturbed run."""
        self.work.mkdir()
        write_settings(self.work)
        for stage in ARGUMENTS:
            ended = run(stage, self.work)
            if ended.status:
                raise SystemExit(f"{stage} fails undisturbed: {ended.said}")
            self.seconds[stage] = ended.seconds
            files = [path for folder in (stage, f"state/{stage}") for path in (self.work / folder).rglob("*")]
            self.largest[stage] = max(path.stat().st_size for path in files)
        self.expected = {stage: digests(self.work / stage) for stage in ARGUMENTS}

    def close(self) -> None:
        if self.mounted:
            subprocess.run(["umount", "--lazy", str(self.disk)], check=False)

    def remount(self, option: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{option}", str(self.disk)], check=True)

    def forget(self, stage: str, *, state: bool) -> None:
        """Take away what a stage wrote, as where its work is still to be done."""
        shutil.rmtree(self.work / stage, ignore_errors=True)
        if state:
            shutil.rmtree(self.work / "state" / stage, ignore_errors=True)

    def input_of(self, stage: str) -> Path:
        """A file with a checksum that a stage reads."""
        return self.work / str(self.random.choice([file for file, readers in CHECKED.items() if stage in readers]))

    def moment(self, stage: str) -> float:
        """Seconds after its beginning at which a stage is at work."""
        return float(self.random.uniform(0.05, 0.95)) * self.seconds[stage]


def killed(driver: Driver, stage: str, number: int = signal.SIGKILL) -> Ended:
    moment = driver.moment(stage)

    def kill(process: int) -> None:
        time.sleep(moment)
        with suppress(ProcessLookupError):
            os.kill(process, number)

    return run(stage, driver.work, meanwhile=kill)


def terminated(driver: Driver, stage: str) -> Ended:
    return killed(driver, stage, signal.SIGTERM)


def full(driver: Driver, stage: str) -> Ended:
    needed = sum(path.stat().st_size for path in driver.work.rglob("*") if path.is_file())
    used = shutil.disk_usage(driver.disk).used
    driver.remount(f"size={used + 4096 + int(driver.random.uniform(0, 0.03) * needed)}")
    try:
        return run(stage, driver.work)
    finally:
        driver.remount(f"size={LARGE}")


def read_only(driver: Driver, stage: str) -> Ended:
    driver.remount("ro")
    try:
        return run(stage, driver.work)
    finally:
        driver.remount("rw")


def limited(driver: Driver, stage: str) -> Ended:
    most = int(driver.random.uniform(0.02, 1) * driver.largest[stage])
    return run(stage, driver.work, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)))


def damaged(driver: Driver, stage: str) -> Ended:
    path = driver.input_of(stage)
    path.write_bytes(mutated(path.read_bytes(), driver.random))
    return run(stage, driver.work)


def damaged_state(driver: Driver, stage: str) -> Ended:
    killed(driver, stage)
    files = [path for path in (driver.work / "state" / stage).glob("*") if path.stat().st_size]
    for path in driver.random.permutation(np.array(files, object))[: driver.random.integers(1, 3)]:
        path.write_bytes(mutated(path.read_bytes(), driver.random))
    return run(stage, driver.work)


def lost(driver: Driver, stage: str) -> Ended:
    driver.input_of(stage).unlink()
    return run(stage, driver.work)


def exchanged(driver: Driver, stage: str) -> Ended:
    path = driver.input_of(stage)
    others = [driver.work / file for file in (*CHECKED, "export/model.safetensors") if not file.startswith(stage)]
    alike = [other for other in others if other.suffix == path.suffix and other != path]
    shutil.copyfile(alike[driver.random.integers(len(alike))], path)
    return run(stage, driver.work)


HOLDER = "import h5py, sys; file = h5py.File(sys.argv[1], 'r+'); print(flush=True); sys.stdin.read()"


def held(driver: Driver, stage: str) -> Ended:
    files = [file for file, readers in CHECKED.items() if stage in readers and h5py.is_hdf5(driver.work / file)]
    command = [sys.executable, "-c", HOLDER, driver.work / str(driver.random.choice(files))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        ended = run(stage, driver.work)
        other.communicate()
    return ended


def second(driver: Driver, stage: str) -> Ended:
    with locked(driver.work / "state" / stage, "training"):
        return run(stage, driver.work)


def gone(driver: Driver, stage: str) -> Ended:
    """Its folder of outputs and what it works in are deleted while it works."""
    moment = driver.moment(stage)

    def delete(_: int) -> None:
        time.sleep(moment)
        driver.forget(stage, state=True)

    return run(stage, driver.work, meanwhile=delete)


def clock(driver: Driver, stage: str) -> Ended:
    def backwards() -> None:
        time.time = lambda: 1000.0 - time.monotonic() % 1000

    return run(stage, driver.work, backwards)


Fault = Callable[[Driver, str], Ended]
EVERYWHERE: tuple[Fault, ...] = (killed, terminated, limited, gone, clock)
MOUNTED: tuple[Fault, ...] = (full, read_only)
OF_INPUTS: tuple[Fault, ...] = (damaged, lost, exchanged)
OF_STATE: tuple[Fault, ...] = (damaged_state, second)
SILENT = (killed, terminated)
"""After which a stage may end without a word."""


def faults_of(driver: Driver, stage: str) -> list[Fault]:
    """What can befall a stage."""
    reads = [file for file, readers in CHECKED.items() if stage in readers]
    found = [*EVERYWHERE, *(MOUNTED if driver.mounted else ()), *(OF_INPUTS if reads else ())]
    found += [held] if any(file.endswith(".h5") for file in reads) else []
    return found + [*(OF_STATE if stage in WITH_STATE else ())]


def complaint(fault: Fault, ended: Ended) -> str:
    """What is wrong with what a stage said; '' if nothing is."""
    lines = [line for line in ended.said.splitlines() if line.startswith(ENDED)]
    if "Traceback" in ended.said:
        return f"a traceback: {ended.said[-1500:]}"
    if ended.status < 0 and fault not in (*SILENT, damaged_state):
        return f"ended by signal {-ended.status}: {ended.said[-500:]}"
    if ended.status > 0 and (len(lines) != 1 or ended.said.rstrip().splitlines()[-1] != lines[0]):
        return f"not one line: {ended.said[-1500:]}"
    return ""


def mended(driver: Driver, stage: str, ended: Ended) -> str:
    """Do what the stage said until it is through; what is wrong then, or ''."""
    for _ in range(TRIES):
        for file, readers in CHECKED.items():  # "run the stage X again"
            maker = file.partition("/")[0]
            if stage in readers and digests(driver.work / maker) != driver.expected[maker]:
                driver.forget(maker, state=False)
                run(maker, driver.work)
        if "delete" in ended.said and f"state/{stage}" in ended.said:  # all checkpoints are damaged
            shutil.rmtree(driver.work / "state" / stage, ignore_errors=True)
        if (ended := run(stage, driver.work)).status == 0:
            driver.seconds[stage] = min(driver.seconds[stage], ended.seconds)
            same = digests(driver.work / stage) == driver.expected[stage]
            return "" if same else "other files than an undisturbed run"
    return f"does not go on: {ended.said[-1500:]}"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    counts, silent, wrong, start = Counter[str](), Counter[str](), list[str](), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        driver = Driver(Path(folder), args.seed)
        try:
            driver.make()
            if not driver.mounted:
                print("no right to mount a small disk: full and read-only disks are left out (run it as root)")
            stages = [stage for stage in ARGUMENTS if stage != "synthesize"]
            plan = [(fault, stage) for stage in stages for fault in faults_of(driver, stage)]
            order = driver.random.permutation(len(plan))
            for number in range(args.faults):
                fault, stage = plan[order[number % len(plan)]]
                name = f"{number + 1}: {fault.__name__} in {stage}"
                driver.forget(stage, state=bool(driver.random.integers(4)))
                ended = fault(driver, stage)
                counts[fault.__name__] += 1
                silent[fault.__name__] += ended.status == 0
                problems = [complaint(fault, ended), mended(driver, stage, ended)]
                wrong += [f"{name}: {problem}" for problem in problems if problem]
                last = next((line for line in reversed(ended.said.splitlines()) if line.startswith(ENDED)), "")
                print(f"{name}: status {ended.status} {last.replace(str(driver.work), '')}", flush=True)
            whole = all(digests(driver.work / stage) == driver.expected[stage] for stage in ARGUMENTS)
        finally:
            driver.close()
    print(f"{'fault':15}{'times':>7}{'no harm':>9}")
    for kind, times in sorted(counts.items()):
        print(f"{kind:15}{times:7}{silent[kind]:9}")
    masks = len([name for name in driver.expected["infer"] if name.startswith("masks")])
    same = f"{masks} masks and all other files as in an undisturbed run" if whole else "files differ"
    print(f"{args.faults} faults in {time.monotonic() - start:.0f} s: {len(wrong)} wrong; {same}")
    print("\n".join(wrong))
    return int(bool(wrong) or not whole)


if __name__ == "__main__":
    sys.exit(main())
