"""Photographs that are added, removed or replaced after a run, and runs that were killed, asked of the workflow."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import yaml

from tests.unit import annotated

from .conftest import TINY

PRIOR = "results/mine/prior/prior.h5"
SETTINGS = ("--configfile", TINY, "--config", "dataset=mine")
AGAIN = "The stage prepare runs again, and all that depends on it."


@pytest.fixture
def photographs(project):
    """The scenes as a folder of the user, of which prior and what comes before it are made."""
    folder = project.work / "photographs"
    shutil.copytree(project.work / "results" / "tiny" / "synthesize", folder)
    run = project.snakemake("--cores", "1", *SETTINGS, f"data_root={folder}", "--", PRIOR)
    assert run.returncode == 0, run.stdout + run.stderr
    return folder


def test_changed_photographs_run_what_depends_on_them_again(project, photographs):
    given = (*SETTINGS, f"data_root={photographs}")
    images = sorted((photographs / "train").rglob("*.*"))
    for file in images:
        os.utime(file)  # a copy of a folder has other times
    assert project.planned(*given, "--", PRIOR) == set()
    shutil.copy(images[0], images[1])
    images[2].unlink()
    shutil.copy(images[3], images[3].with_name("new" + images[3].suffix))
    before = {path: path.stat().st_mtime_ns for path in project.work.rglob("*")}
    plan = project.snakemake("--dry-run", *given, "seeds=[0,1]")
    output = plan.stdout + plan.stderr
    files = images[3].with_name("new" + images[3].suffix), images[2], images[1]
    new, removed, replaced = (file.relative_to(photographs).as_posix() for file in files)
    line = (
        f"data_root {photographs} has changed since results/mine/prepare was made: 1 image is new ({new!r}), 1 was"
        f" removed ({removed!r}), 1 was replaced ({replaced!r}). {AGAIN}"
    )
    assert output.count(line) == 1
    for rule, jobs in (("prepare", 1), ("prior", 1), ("pretrain", 2)):
        assert output.count(f"\nrule {rule}:\n") == jobs
    ours = {path for path in before if ".snakemake" not in path.parts}
    assert {path for path in project.work.rglob("*") if ".snakemake" not in path.parts} == ours
    assert all(path.stat().st_mtime_ns == before[path] for path in ours)  # a dry run writes nothing
    run = project.snakemake("--cores", "1", *given, "--", PRIOR)
    assert run.returncode == 0, run.stdout + run.stderr
    assert project.planned(*given, "--", PRIOR) == set()


def test_a_label_for_probes_that_was_replaced_runs_both_probes_again(project, tmp_path):
    root = annotated.camvid(tmp_path / "camvid")
    train = {"epochs": 1, "warmup_epochs": 0}
    probes = {
        "data": {"format": "camvid", "root": str(root)},
        "linear": {"train": train},
        "limited": {
            "percents": [50],
            "views": {"crops": [{"count": 1, "size": 16, "scale": [0.5, 1]}]},
            "train": train,
        },
    }
    (tmp_path / "probes.yaml").write_text(yaml.safe_dump({"probes": probes}))
    made = [f"results/tiny/shape/seed0/probes/{place}/scores.json" for place in ("linear", "limited/50")]
    given = ("--configfile", TINY, tmp_path / "probes.yaml", "--", *made)
    run = project.snakemake("--cores", "1", *given)
    assert run.returncode == 0, run.stdout + run.stderr
    assert project.planned(*given) == set()
    shutil.copy(root / "testannot" / "0001TP_006690.png", root / "testannot" / "0001TP_006720.png")
    plan = project.snakemake("--dry-run", *given)
    assert f"probes.data.root {root} has changed since probes learned from it: 1 file was replaced" in plan.stderr
    assert project.planned(*given) == {"linear", "limited"}


def test_too_few_images_are_one_message_before_any_stage(project, photographs):
    given = (*SETTINGS, f"data_root={photographs}", "classes=41")
    run = project.snakemake("--dry-run", *given)
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1] == (
        "error: the images are not enough for the settings: 40 training images, but classes = 41 needs at least as"
        " many; add images, or lower it"
    )
    assert "Building DAG" not in run.stderr


def test_a_training_whose_snakemake_was_killed_saves_ends_and_goes_on(project, tmp_path):
    (tmp_path / "longer.yaml").write_text(
        yaml.safe_dump({"checkpoint_minutes": 60, "pretrain": {"train": {"epochs": 2000}}})
    )
    target = "results/tiny/shape/seed0/pretrain/encoder.safetensors"
    command = ("--cores", "1", "--configfile", TINY, tmp_path / "longer.yaml", "--", target)
    run = project.work / "results" / "tiny" / "shape" / "seed0"
    snakemake = [sys.executable, "-m", "snakemake", "--snakefile", project.source / "Snakefile"]
    first = subprocess.Popen(
        [*snakemake, "--directory", project.work, *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    log, state = run / "logs" / "pretrain.log", run / "state" / "pretrain"
    steps = state / "log.jsonl"
    wait_for(lambda: steps.exists() and '"step": 29,' in steps.read_text())
    said = log.read_text()
    assert "pretrain: shape on 40 images" in said
    second = project.snakemake(*command)
    assert second.returncode == 1
    assert second.stderr.splitlines()[-1] == (
        f"error: another run is making these results (process {first.pid}); wait until it ends, or stop it with Ctrl-C"
        " where it was started, and then give this command again"
    )
    first.send_signal(signal.SIGKILL)
    first.wait()
    wait_for(lambda: "the same command goes on from there" in log.read_text())  # it was not emptied
    assert log.read_text().startswith(said)
    third = subprocess.Popen(
        [*snakemake, "--directory", project.work, *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert (
            next(line for line in third.stderr if "killed" in line)
            == f"The last run here (process {first.pid}) was killed; this one goes on from what it left.\n"
        )
        wait_for(lambda: log.exists() and "going on from step" in log.read_text())
    finally:  # its training ends with it
        third.kill()
        third.communicate()


def wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)
