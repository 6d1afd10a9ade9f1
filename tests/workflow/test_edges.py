"""Plain `snakemake` where it would end with a traceback: one sentence, or it works."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest
from PIL import Image

from .conftest import Project


@pytest.fixture
def photographs(tmp_path):
    """Two images in a folder with a name in which characters mean something to shells, YAML and Snakemake."""
    folder = tmp_path / "my {photographs} #1 'x' \"y\", köln: $HOME"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        Image.new("RGB", (8, 8)).save(folder / name)
    return folder


def refused(project: Project, *arguments) -> str:
    """The one message with which Snakemake ends."""
    run = project.snakemake("--dry-run", *arguments)
    assert run.returncode == 1
    message = run.stderr.rstrip().splitlines()[-1]
    assert message.startswith("error: ")
    assert "Traceback" not in run.stderr
    assert 'File "' not in run.stderr
    return message


def test_files_of_settings_that_snakemake_would_end_at(fresh, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_bytes("data_root: /Köln\n".encode("utf-16"))
    assert f"{file}: is written in UTF-16" in refused(fresh, "--configfile", file)
    file.write_text("pretrain: {attention: true}\nclasses: 3\npretrain: {}\n")
    said = "pretrain is given twice, in line 1 and in line 3"
    assert said in refused(fresh, "--configfile", file)
    assert said in refused(fresh, "--configfile", file, "--workflow-profile", "none")  # where nobody looks before


def test_words_that_set_nothing(fresh):
    message = refused(fresh, "--config", "data_root=/data/my", "photos")
    assert "make run DATA='/data/my photos'" in message


def test_a_home_that_cannot_be_written(fresh):
    homeless = replace(fresh, variables={"HOME": "/proc/nope", "XDG_CACHE_HOME": ""})
    assert "export XDG_CACHE_HOME=" in refused(homeless)


def test_numbers_are_names(fresh):
    run = fresh.snakemake("--dry-run", "--config", "dataset=2023_02")
    assert "output: results/2023_02/prepare/images.csv" in run.stdout + run.stderr


def test_any_path_works_for_the_checkout_and_for_the_photographs(fresh, tmp_path, photographs):
    project = fresh.copy(tmp_path / "check {out} 'of' köln")
    run = project.snakemake(
        "--cores", "1", "--config", "dataset=two", "classes=2", f"data_root={photographs}", "--", "prepare"
    )
    assert run.returncode == 0, run.stderr
    assert len((project.work / "results" / "two" / "prepare" / "images.csv").read_text().splitlines()) == 3
    (tmp_path / "names {n}.txt").write_text("a A\n")
    said = refused(project, "--config", f"names={tmp_path}/names {{n}}.txt")
    assert "has a brace" in said
    project.edit("luss_core/runs.py", "is not a folder (seen", "is not there (seen")
    assert "/no is not there" in refused(project, "--config", "data_root=/no")  # the code of this checkout


def test_a_dry_run_writes_nothing(fresh, tmp_path):
    project = replace(fresh, work=tmp_path / "work")
    project.work.mkdir()
    assert "pretrain" in project.planned()
    assert [path.name for path in project.work.iterdir()] == [".snakemake"]  # its own, which is empty


def test_a_dry_run_works_where_nothing_may_be_written(fresh, tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    work.chmod(0o555)
    # root writes anywhere, unless that right is taken from it
    obey = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    if obey and subprocess.run([*obey, "touch", work / "file"], capture_output=True).returncode != 1:
        pytest.skip("this machine has no setpriv that takes rights from root")
    command = [*obey, sys.executable, "-m", "snakemake", "--dry-run", "--directory", work]
    run = subprocess.run([*command, "--snakefile", fresh.source / "Snakefile"], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "This was a dry-run" in run.stdout + run.stderr
    assert list(work.iterdir()) == []
