"""`--use-conda`: the rules run in the environments of envs/, made from stub packages; see docs/conda.md."""

from dataclasses import replace
from pathlib import Path

import pytest

from luss_core.config import STAGES
from tests.conda import channel

from .conftest import ENVIRONMENTS, ROOT, TINY, Project, made, made_once, started

CUDA = {"CONDA_OVERRIDE_CUDA": "12.8"}


@pytest.fixture(scope="module")
def done(bare, tmp_path_factory) -> Project:
    """The same after a whole run with --use-conda; not to be changed."""

    def make(folder: Path) -> None:
        run = bare.copy(folder).snakemake("--cores", "1", "--configfile", TINY, "--use-conda")
        assert run.returncode == 0, run.stdout + run.stderr

    return bare.at(made_once(tmp_path_factory, "done", make))


def asked(name: str) -> set[str]:
    return set(channel.dependencies(ROOT / "envs" / f"{name}.yaml"))


def installed(environment: Path) -> set[str]:
    return {file.name.rsplit("-", 2)[0] for file in (environment / "conda-meta").glob("*.json")}


@pytest.mark.parametrize("name", [file.stem for file in ENVIRONMENTS if file.stem != "luss"])
def test_other_environments_than_that_of_the_whole_run_are_made_and_used(bare, tmp_path, name):
    project = replace(bare, variables={**bare.variables, **CUDA}).copy(tmp_path)
    arguments = ("--cores", "1", "--configfile", TINY, "--config", f"environment={name}", "--use-conda")
    run = project.snakemake("synthesize", *arguments)
    assert run.returncode == 0, run.stdout + run.stderr
    environment = made(project.work / ".snakemake" / "conda")
    assert asked(name) <= installed(environment)
    assert started(environment)["synthesize"]["active"] == str(environment)


def test_a_gpu_environment_without_a_gpu_is_refused(bare, tmp_path):
    hidden = {"CONDA_OVERRIDE_CUDA": ""}  # also where the tests have a GPU
    project = replace(bare, variables={**bare.variables, **hidden}).copy(tmp_path)
    arguments = ("--cores", "1", "--config", "environment=luss-gpu", "--use-conda", "--conda-create-envs-only")
    run = project.snakemake("synthesize", *arguments)
    assert run.returncode == 1
    assert "__cuda" in run.stdout + run.stderr


def test_every_stage_runs_in_the_environment_alone(done):
    environment = made(done.work / ".snakemake" / "conda")
    assert asked("luss") <= installed(environment)
    starts = started(environment)
    assert starts.keys() == set(STAGES)
    for stage, start in starts.items():
        assert start["active"] == str(environment), stage
        outside = [folder for folder in start["path"] if "site-packages" in folder and str(environment) not in folder]
        assert outside == [], stage
    packages = environment / channel.SITE_OF_ENV
    assert (packages / "torch").exists()
    assert not (packages / "snakemake").exists()


def test_the_flag_the_prefix_and_a_move_run_nothing_again(done, tmp_path):
    settings = ("--configfile", TINY)
    assert done.planned(*settings) == set()
    assert done.planned(*settings, "--use-conda") == set()
    assert done.planned(*settings, "--use-conda", "--conda-prefix", tmp_path / "prefix") == set()
    moved = done.copy(tmp_path)
    assert moved.planned(*settings, "--use-conda") == set()
    assert moved.planned(*settings) == set()


def test_conda_used_after_a_run_without_it_runs_nothing_again(bare, finished):
    project = replace(finished, variables=bare.variables)
    assert project.planned("--configfile", TINY, "--use-conda") == set()
