"""A copy of the project to run Snakemake in, and the whole workflow run once on a tiny data set."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.conda import channel, command

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = sorted((ROOT / "envs").glob("*.yaml"))
TINY = Path(__file__).parent / "tiny.yaml"
PARTS = ("Snakefile", "config.yaml", "rules", "profiles", "envs", "recipes", "workflow_scripts", "luss_core")


@dataclass(frozen=True)
class Project:
    """A copy of the source, the folder that the results go to, and variables of the environment for Snakemake."""

    source: Path
    work: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def snakemake(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Snakemake called by its path from somewhere else, with no environment activated."""
        command = [
            sys.executable,
            "-m",
            "snakemake",
            "--snakefile",
            self.source / "Snakefile",
            "--directory",
            self.work,
        ]
        return subprocess.run(
            [str(part) for part in (*command, *arguments)],
            capture_output=True,
            text=True,
            env={**os.environ, "PATH": "/usr/local/bin:/usr/bin:/bin", **self.variables},
            cwd=self.source.parent,
        )

    def planned(self, *arguments: str | Path) -> set[str]:
        """Names of the rules that would run."""
        run = self.snakemake("--dry-run", *arguments)
        assert run.returncode == 0, run.stderr
        rules = set(re.findall(r"^(?:local)?rule (\w+):", run.stdout + run.stderr, re.MULTILINE))
        assert rules or "Nothing to be done" in run.stdout + run.stderr
        return rules

    def jobs(self, *arguments: str | Path) -> dict[str, int]:
        """How many jobs of each rule would run."""
        run = self.snakemake("--dry-run", *arguments)
        assert run.returncode == 0, run.stderr
        table = (run.stdout + run.stderr).partition("Job stats:")[2].partition("total")[0]
        return {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text where it first occurs in a file of the source."""
        text = (self.source / name).read_text(encoding="utf-8")
        assert old in text, f"{name} no longer holds {old!r}"
        (self.source / name).write_text(text.replace(old, new, 1), encoding="utf-8")

    def copy(self, folder: Path) -> "Project":
        other = replace(self, source=folder / "source", work=folder / "work")
        shutil.copytree(self.source, other.source)
        shutil.copytree(self.work, other.work, symlinks=True)  # an environment links to all of torch
        return other


@pytest.fixture(scope="session")
def fresh(tmp_path_factory) -> Project:
    """The project without results; not to be changed."""
    folder = tmp_path_factory.mktemp("fresh")
    project = Project(folder / "source", folder / "work")
    project.work.mkdir()
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, project.source / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            project.source.mkdir(exist_ok=True)
            shutil.copy(ROOT / part, project.source / part)
    return project


@pytest.fixture(scope="session")
def finished(fresh, tmp_path_factory) -> Project:
    """The project after one whole run; not to be changed."""
    project = fresh.copy(tmp_path_factory.mktemp("finished"))
    # one core: OpenMP threads that wait for each other are slow where tests run side by side
    run = project.snakemake("--cores", "1", "--configfile", TINY)
    assert run.returncode == 0, run.stdout + run.stderr
    return project


@pytest.fixture
def project(finished, tmp_path) -> Project:
    """A copy of the finished project, to be changed."""
    return finished.copy(tmp_path)


@pytest.fixture(scope="session")
def bare(fresh, tmp_path_factory) -> Project:
    """The project without results, where `conda` is on PATH; not to be changed."""
    pytest.importorskip("rattler", reason="py-rattler, of the dev extra, is not installed")
    base = tmp_path_factory.mktemp("conda") / "base"
    path = f"{command.install(base)}:/usr/local/bin:/usr/bin:/bin"
    channel.build(base / "channels" / "conda-forge", ENVIRONMENTS)
    return replace(fresh, variables={"PATH": path})


def started(environment: Path) -> dict[str, dict]:
    """What the Python of an environment wrote down when it was started for a stage; see RECORDER."""
    lines = map(json.loads, (environment / "started.jsonl").read_text(encoding="utf-8").splitlines())
    return {
        line["arguments"][1].removeprefix("workflow_scripts."): line for line in lines if line["arguments"][0] == "-m"
    }


def made(folder: Path) -> Path:
    """The one environment below a folder."""
    (found,) = (path for path in folder.iterdir() if path.is_dir())
    return found
