"""A SLURM of two pretended nodes, and runs of the tiny workflow on it. `make test-slurm`; takes some minutes."""

import re
import shutil
import subprocess
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
import yte

from luss_core.config import STAGES
from tests.workflow.conftest import ROOT, TINY, Project, bare, fresh

__all__ = ["bare", "fresh"]
HERE = Path(__file__).parent
CANNOT_RUN = 77


@pytest.fixture(scope="session")
def slurm():
    """SLURM is up."""
    up = subprocess.run([HERE / "slurm_up.sh"], capture_output=True, text=True)
    if up.returncode == CANNOT_RUN:
        pytest.skip(up.stderr.strip().splitlines()[-1])
    assert up.returncode == 0, up.stdout + up.stderr
    yield
    subprocess.run([HERE / "slurm_down.sh"], check=True)


def profile(folder: Path, name: str = "slurm", changes: dict[str, Any] | None = None) -> Path:
    """A profile of the project with what makes it fit a test: one core a job, short waits, and ``changes``.

    Jobs with a GPU are given one, a device file, and compute on the processor.

    In ``changes`` keys that are mappings are changed within, and None takes a key away.
    """
    shutil.copytree(ROOT / "profiles" / name, folder)
    with (folder / "config.yaml").open(encoding="utf-8") as file:
        values = yte.process_yaml(file, require_use_yte=True)
    quick = {"slurm-status-command": "squeue", "slurm-init-seconds-before-status-checks": 2} if name == "slurm" else {}
    for key, value in {**quick, "latency-wait": 10, "max-status-checks-per-second": 1}.items():
        values[key] = value
    values["set-threads"] = dict.fromkeys((*STAGES, "join_features", "join_masks"), 1)
    for rule in ("pretrain", "examine", "extract", "finetune", "infer"):
        values["set-resources"][rule] = values["set-resources"][rule] | {"device": "cpu"}
    merge(values, changes or {})
    (folder / "config.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    return folder


def merge(values: dict[str, Any], changes: dict[str, Any]) -> None:
    for key, value in changes.items():
        if isinstance(value, dict):
            values[key] = dict(values[key])  # YAML anchors are one object in two places
            merge(values[key], value)
        elif value is None:
            del values[key]
        else:
            values[key] = value


@dataclass(frozen=True)
class Run:
    """A call of Snakemake that has ended."""

    project: Project
    status: int
    output: str

    @property
    def jobs(self) -> list[dict[str, str]]:
        """What SLURM knows of the jobs of this run, in the order of their submission."""
        text = subprocess.run(
            ["scontrol", "--oneliner", "--details", "show", "jobs"], capture_output=True, text=True, check=True
        )
        found = [dict(re.findall(r"(\w+)=(\S*)", line)) for line in text.stdout.splitlines()]
        mine = [job for job in found if job.get("WorkDir") == str(self.project.work)]
        return sorted(mine, key=lambda job: int(job["JobId"]))

    def of_rule(self, rule: str) -> list[dict[str, str]]:
        """Those of a rule."""
        return [job for job in self.jobs if job.get("Comment", "").startswith(f"rule_{rule}_")]


def run(project: Project, profile: Path, *arguments: str | Path) -> Run:
    """Give the workflow to the cluster and wait for its end."""
    done = project.snakemake("--workflow-profile", profile, *arguments)
    return Run(project, done.returncode, done.stdout + done.stderr)


@pytest.fixture(scope="session")
def whole(slurm, fresh, tmp_path_factory) -> Run:  # noqa: ARG001
    """The tiny workflow from beginning to end."""
    folder = tmp_path_factory.mktemp("whole")
    return run(fresh.copy(folder), profile(folder / "profile"), "--configfile", TINY)


def training(epochs: int) -> dict[str, Any]:
    """Settings of a plain SwAV run."""
    return {"run": ["swav"], "pretrain": {"train": {"epochs": epochs}}}


BROKEN = {
    "run": ["swav", "broken"],
    "pretrain": {"train": {"epochs": 1}},
    "presets": {"broken": {"pretrain": {"train": {"lr": 1e30}}}},
}
SHORT = {"runtime": "1 * attempt", "mem_mb": "1000 * attempt"}
"""SLURM looks every half minute: a job of one minute ends after 60 to 90 seconds, and is warned after 20 to 50."""
CASES = {
    # too much for the first time limit, also where processors are twice as fast as where this was written
    "limit": (training(500), {"retries": 6, "set-resources": {"pretrain": SHORT | {"slurm_extra": None}}}),
    "warned": (
        training(300),
        {"retries": 6, "set-resources": {"pretrain": SHORT | {"slurm_extra": "'--signal=TERM@10'"}}},
    ),
    "broken": (BROKEN, {"retries": 0}),
    "nodes": (training(2) | {"nodes": 2, "device": "cpu"}, {"retries": 0}),
    "partition": (training(2), {"retries": 0, "set-resources": {"pretrain": {"slurm_partition": "nowhere"}}}),
    "gpu": (training(2), {"retries": 0, "set-resources": {"pretrain": {"device": "auto"}}}),
}


@pytest.fixture(scope="session")
def cases(whole, bare, tmp_path_factory) -> dict[str, Future[Run]]:
    """Pretraining in several ways, side by side, on the data set of the whole run."""
    with ThreadPoolExecutor() as pool:
        futures = {}
        for name, (settings, changes) in CASES.items():
            folder = tmp_path_factory.mktemp(name)
            (folder / "settings.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
            files = [f"results/tiny/{preset}/seed0/pretrain/encoder.safetensors" for preset in settings["run"]]
            arguments = ["--configfile", TINY, folder / "settings.yaml", "--", *files]
            project = whole.project.copy(folder)
            futures[name] = pool.submit(run, project, profile(folder / "profile", changes=changes), *arguments)
        folder = tmp_path_factory.mktemp("generic")
        arguments = ["--configfile", TINY, "--", "prepare"]
        futures["generic"] = pool.submit(
            run, whole.project.copy(folder), profile(folder / "profile", "cluster-generic"), "--forceall", *arguments
        )
        arguments = ["--configfile", TINY, "--use-conda", "--", "synthesize"]
        folder = tmp_path_factory.mktemp("conda")
        futures["conda"] = pool.submit(run, bare.copy(folder), profile(folder / "profile"), *arguments)
        yield futures
