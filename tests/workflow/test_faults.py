"""Processes of the stages are killed over and over, as where memory runs out: nothing is lost, no bit changes."""

import os
import random
import subprocess
import sys
import time
from collections import Counter
from threading import Thread

import psutil
import pytest
import yaml

from .conftest import ROOT, TINY, Project

KILLS = 20
SECONDS = (0.1, 1.0)
"""Of life that a process is given; a stage takes longer than that on a fast machine too, to import torch alone."""
MOST = {"pretrain": 8}
"""Kills of a stage, `OTHERS` of those that are not named: on a slow machine the first would never end otherwise."""
OTHERS = 3
LATER = {"pretrain": (0.2, 4.0)}
"""The same for stages that are long, so that they are killed in the middle of their work as well."""


@pytest.fixture(scope="module")
def longer(tmp_path_factory):
    """Settings with a training long enough to be killed more than once."""
    file = tmp_path_factory.mktemp("longer") / "longer.yaml"
    file.write_text(yaml.safe_dump({"pretrain": {"train": {"epochs": 20}}}))
    return "--configfile", TINY, file


def test_twenty_kills_change_no_bit(fresh, finished, longer, tmp_path):
    undisturbed = finished.copy(tmp_path / "undisturbed")
    run = undisturbed.snakemake("--cores", "1", *longer)
    assert run.returncode == 0, run.stdout + run.stderr
    project, killed = fresh.copy(tmp_path / "disturbed"), Counter[str]()
    finish: list[subprocess.CompletedProcess[str]] = []
    work = Thread(target=lambda: finish.append(project.snakemake("--cores", "1", "--retries", str(KILLS), *longer)))
    work.start()
    kill(project, work, killed)
    work.join()
    assert finish[0].returncode == 0, finish[0].stdout + finish[0].stderr
    assert killed.total() == KILLS, killed
    assert len(killed) >= 3, killed  # of twelve stages
    ours, theirs = (p.work / "results" / "tiny" / "shape" / "seed0" for p in (project, undisturbed))
    for name in ("pretrain/encoder.safetensors", "cluster/clusters.h5", "finetune/segmenter.safetensors"):
        assert (ours / name).read_bytes() == (theirs / name).read_bytes(), name
    files = (path for path in (theirs / "infer").rglob("[!.]*") if path.is_file())  # but for those of Snakemake
    written = [path.relative_to(theirs) for path in files]
    assert len(written) == 16 + 2  # masks, scored.h5, threshold.json
    assert [path for path in written if (ours / path).read_bytes() != (theirs / path).read_bytes()] == []
    assert list((project.work / "results").rglob("*.partial")) == []


def test_faults_of_every_kind_change_no_bit_and_are_one_line_each():
    """Some of what `make faults` tries; see there for the kinds."""
    command = [sys.executable, "benchmarks/faults.py", "--faults", "6", "--seed", "3"]
    run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert run.returncode == 0, run.stdout + run.stderr
    assert "0 wrong; 16 masks and all other files as in an undisturbed run" in run.stdout


def kill(project: Project, work: Thread, killed: Counter[str]) -> None:
    """SIGKILL to processes of stages some time after they began, until that was KILLS times or the run has ended."""
    draw = random.Random(0)
    while killed.total() < KILLS and work.is_alive():
        found = [(name, p) for name, p in stage_processes(project) if killed[name] < MOST.get(name, OTHERS)]
        if not found:
            time.sleep(0.1)
            continue
        stage, process = draw.choice(found)
        time.sleep(draw.uniform(*LATER.get(stage, SECONDS)))
        if process.is_running():
            process.kill()
            killed[stage] += 1


def stage_processes(project: Project) -> list[tuple[str, psutil.Process]]:
    """Those that run a script of the project, and the name of it."""
    found = []
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
            if process.cwd() == str(project.work) and command[1:2] == ["-m"] and "workflow_scripts." in command[2]:
                found.append((command[2].removeprefix("workflow_scripts."), process))
        except (psutil.Error, IndexError):  # gone, or another user's
            continue
    return found
