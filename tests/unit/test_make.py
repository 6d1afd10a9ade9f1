"""What `make run` hands over, and what it keeps away. No Snakemake runs here."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = """#!/bin/sh
printf '%s\\n' "DATA=$LUSS_DATA" "PYTHONPATH=$PYTHONPATH" "$@"
"""


@pytest.fixture
def checkout(tmp_path):
    """A folder whose environment is set up, with a Python that says what it was given."""
    folder = tmp_path / "my {checkout}"
    (folder / ".venv" / "bin").mkdir(parents=True)
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    (folder / ".venv" / "bin" / "python").write_text(PYTHON)
    (folder / ".venv" / "bin" / "python").chmod(0o755)
    (folder / ".venv" / "ready").touch()
    return folder


def make(folder, *words, target="run", **variables):
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    command = ["make", "--no-print-directory", target, *words]
    return subprocess.run(command, cwd=folder, env={**environment, **variables}, capture_output=True, text=True)


@pytest.mark.parametrize("path", ["/data/my photos", "/a {b} #1", '/it\'s "here"', "/a$b; c & d", "~/köln", ""])
def test_a_folder_arrives_whatever_its_path(checkout, path):
    run = make(checkout, f"DATA={path}", "ARGS=-n --config 'run=[a b]'")
    assert run.returncode == 0, run.stderr
    said = run.stdout.splitlines()
    assert said[0] == f"DATA={path}"
    assert said[2:] == ["-m", "luss_core", "run", "--cores", "all", "-n", "--config", "run=[a b]"]


def test_photographs_of_whoever_has_set_nothing_up(checkout):
    run = make(checkout, "DATA=/my $photos", "ARGS=--categories 8", target="photos")
    assert run.returncode == 0, run.stderr
    said = run.stdout.splitlines()
    assert (said[0], said[2:]) == ("DATA=/my $photos", ["-m", "luss_core", "photos", "--categories", "8"])


def test_variables_of_other_programs_do_not_count(checkout):
    said = make(checkout, DATA="/something/else", PYTHONPATH="/with/a/numpy.py").stdout.splitlines()
    assert said[:2] == ["DATA=", "PYTHONPATH="]


def test_the_environment_of_another_checkout_is_refused(checkout, tmp_path):
    other = tmp_path / "other"
    (other / "luss_core").mkdir(parents=True)
    packages = checkout / ".venv" / "lib" / "python3.11" / "site-packages"
    packages.mkdir(parents=True)
    finder = packages / "__editable___luss_0_1_0_finder.py"
    for owner, allowed in ((checkout, True), (other, False), (tmp_path / "moved", True)):
        finder.write_text(f"MAPPING: dict[str, str] = {{'luss_core': '{owner}/luss_core'}}\n")
        run = make(checkout)
        assert (run.returncode == 0) is allowed
        assert (f"error: .venv belongs to the checkout in {other}:" in run.stderr) is not allowed
        assert bool(run.stdout) is allowed
