"""A copy of the project to run Snakemake in, and the whole workflow run once on a tiny data set."""

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
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
        other = self.at(folder)
        shutil.copytree(self.source, other.source)
        shutil.copytree(self.work, other.work, symlinks=True)  # an environment links to all of torch
        return other

    def at(self, folder: Path) -> "Project":
        """The copy in a folder."""
        return replace(self, source=folder / "source", work=folder / "work")


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


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that the first worker of the session to need it makes; the others wait for it."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    with folder.with_suffix(".lock").open("a+", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.seek(0)
        if not lock.read():
            shutil.rmtree(folder, ignore_errors=True)  # left by a worker that failed
            make(folder)
            lock.write("made")
    return folder


@pytest.fixture(scope="session")
def finished(fresh, tmp_path_factory) -> Project:
    """The project after one whole run; not to be changed."""

    def make(folder: Path) -> None:
        # one core: OpenMP threads that wait for each other are slow where tests run side by side
        run = fresh.copy(folder).snakemake("--cores", "1", "--configfile", TINY)
        assert run.returncode == 0, run.stdout + run.stderr

    return fresh.at(made_once(tmp_path_factory, "finished", make))


@pytest.fixture
def project(finished, tmp_path) -> Project:
    """A copy of the finished project, to be changed."""
    return finished.copy(tmp_path)


@pytest.fixture(scope="session")
def bare(fresh, tmp_path_factory) -> Project:
    """The project without results, where `conda` is on PATH; not to be changed."""
    pytest.importorskip("rattler", reason="py-rattler, of the dev extra, is not installed")

    def make(base: Path) -> None:
        command.install(base)
        channel.build(base / "channels" / "conda-forge", ENVIRONMENTS)

    base = made_once(tmp_path_factory, "conda", make)
    return replace(fresh, variables={"PATH": f"{base}/bin:/usr/local/bin:/usr/bin:/bin"})


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
