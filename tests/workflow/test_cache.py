"""Saliency maps, encoders and vectors that runs share through Snakemake's cache; see docs/cache.md."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from PIL import Image

from .conftest import TINY, Project, made_once

SHARED = ("prior/prior.h5", "prior/summary.json", "{run}/pretrain/encoder.safetensors", "{run}/pretrain/log.jsonl")
SHARED = (*SHARED, "{run}/pretrain/heads.safetensors", "{run}/extract/features.h5")
OTHER = {"pretrain": {"train": {"epochs": 9}}}
RENAMED = {"run": ["mine"], "presets": {"shape": OTHER, "mine": {"cluster": {"restarts": 3}}}}
"""Another preset that has the encoder of the first, which is another one here and so does not lend its own."""


def cached(project: Project, *arguments) -> dict[str, bool]:
    """For each rule that would use the cache, whether its output is there already."""
    run = project.snakemake("--dry-run", "--cache", "--configfile", TINY, *arguments)
    assert run.returncode == 0, run.stdout + run.stderr
    found = re.findall(r"Output file \S+/(\w+)/[\w.]+ will be (obtained|written)", run.stdout + run.stderr)
    return {rule: word == "obtained" for rule, word in found}


@pytest.fixture(scope="module")
def first(fresh, tmp_path_factory) -> Project:
    """The project after a run that filled the cache; not to be changed."""

    def cached_in(folder: Path) -> Project:
        return replace(fresh, variables={"SNAKEMAKE_OUTPUT_CACHE": str(folder / "cache")})

    def make(folder: Path) -> None:
        (folder / "cache").mkdir(parents=True)
        project = cached_in(folder).copy(folder)
        features = "results/tiny/shape/seed0/extract/features.h5"
        run = project.snakemake(features, "--cores", "1", "--cache", "--configfile", TINY)
        assert run.returncode == 0, run.stdout + run.stderr
        assert (project.work / "results/tiny/shape/seed0/logs/pretrain.log").read_text()

    folder = made_once(tmp_path_factory, "first", make)
    return cached_in(folder).at(folder)


def test_another_folder_gets_what_the_first_made(first, fresh, tmp_path):
    """From another checkout, under another name of the preset."""
    second = replace(fresh, variables=first.variables).copy(tmp_path)
    (tmp_path / "renamed.yaml").write_text(yaml.safe_dump(RENAMED))
    features = "results/tiny/mine/seed0/extract/features.h5"
    settings = ("--configfile", TINY, tmp_path / "renamed.yaml")
    run = second.snakemake(features, "--cores", "1", "--cache", *settings)
    assert run.returncode == 0, run.stdout + run.stderr
    for name in SHARED:
        there = first.work / "results/tiny" / name.format(run="shape/seed0")
        here = second.work / "results/tiny" / name.format(run="mine/seed0")
        assert here.is_symlink(), name
        assert here.resolve() == there.resolve(), name
    for log in ("logs/prior.log", "mine/seed0/logs/pretrain.log", "mine/seed0/logs/extract.log"):
        assert (second.work / "results/tiny" / log).read_text() == "", log
    # what follows goes on from there, with the cache or without it
    planned = {"cluster", "finetune", "infer", "examine", "evaluate", "export", "report", "all"}
    assert second.planned(*settings) == planned
    assert second.planned(*settings, "--cache") == planned


def test_the_flag_runs_nothing_again(first, finished):
    assert replace(finished, variables=first.variables).planned("--cache", "--configfile", TINY) == set()


FORCED = ("--forcerun", "prior", "pretrain", "extract")


@pytest.mark.parametrize(
    ("settings", "missed"),
    [
        ({"cluster": {"restarts": 3}, "dataset": "tiny"}, set()),
        ({"classes": 9}, set()),
        ({"extract": {"batch_size": 4}}, {"extract"}),
        ({"pretrain": {"method": {"epsilon": 0.1}}}, {"pretrain", "extract"}),
        ({"seeds": [1]}, {"pretrain", "extract"}),
        ({"prior": {"border": 0.5}}, {"prior", "pretrain", "extract"}),
        ({"synthesize": {"seed": 5}}, {"prior", "pretrain", "extract"}),
    ],
)
def test_other_settings_miss(first, tmp_path, settings, missed):
    (tmp_path / "changed.yaml").write_text(yaml.safe_dump(settings))
    found = cached(first, tmp_path / "changed.yaml", *FORCED)
    assert found == {rule: rule not in missed for rule in ("prior", "pretrain", "extract")}


@pytest.mark.parametrize(
    ("file", "old", "missed"),
    [
        ("luss_core/methods/swav.py", "class SwAV", {"pretrain", "extract"}),
        ("luss_core/stages/extract.py", "def extract(", {"extract"}),
        ("luss_core/stages/prepare.py", "def prepare(", {"prior", "pretrain", "extract"}),
    ],
)
def test_other_source_misses(first, tmp_path, file, old, missed):
    project = first.copy(tmp_path)
    project.edit(file, old, f"MORE = 1\n\n\n{old}")
    found = cached(project, *FORCED)
    assert found == {rule: rule not in missed for rule in ("prior", "pretrain", "extract")}


def test_other_photographs_in_the_same_folder_miss(first, fresh, tmp_path):
    """Snakemake sees no change there; the key holds what `prepare` found."""
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    for number in range(8):
        Image.linear_gradient("L").rotate(45 * number).convert("RGB").save(photographs / f"{number}.png")
    project = replace(fresh, variables=first.variables).copy(tmp_path)
    log = project.work / "results/tiny/logs/prior.log"

    def run() -> bool:
        """Whether the maps were computed."""
        arguments = ("--cores", "1", "--cache", "--configfile", TINY, "--config", f"data_root={photographs}")
        made = project.snakemake("prior", *arguments, "--forcerun", "prepare", "prior")
        assert made.returncode == 0, made.stdout + made.stderr
        return log.read_text() != ""  # of rules that did not run Snakemake makes an empty log

    assert run()
    assert not run()
    shutil.copy(photographs / "1.png", photographs / "0.png")
    assert run()


def test_nothing_is_shared_where_the_key_could_not_tell(first, tmp_path):
    assert cached(first, "--config", "track_code=false", *FORCED) == {}
    (tmp_path / "maps").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "maps" / "a.png")
    (tmp_path / "maps.yaml").write_text(yaml.safe_dump({"prior": {"folder": str(tmp_path / "maps")}}))
    assert cached(first, tmp_path / "maps.yaml", *FORCED).keys() == {"pretrain", "extract"}


def test_the_folder_of_the_cache_is_checked(fresh):
    named = replace(fresh, variables={"SNAKEMAKE_OUTPUT_CACHE": "cache"})
    run = named.snakemake("--dry-run", "--cache", "--configfile", TINY)
    assert run.returncode == 1
    assert "error: SNAKEMAKE_OUTPUT_CACHE: 'cache' must be the whole path" in run.stdout + run.stderr
    assert fresh.snakemake("--dry-run", "--cache", "--configfile", TINY).returncode == 0  # Snakemake warns
