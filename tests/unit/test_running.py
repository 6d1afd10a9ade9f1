"""Runs in one folder: one after the other, and what a killed one left does not stop the next."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from luss_core import running
from luss_core.errors import UserError

OUTPUTS = "results/photos/prepare/images.csv\nresults/photos/shape/seed0/pretrain/encoder.safetensors\n"

RUN = """
import os, subprocess, sys, time
from pathlib import Path
from luss_core import running
os.environ[running.PARENT] = running.parent()
running.begin("photos", [0])
running.LOCKS.mkdir(parents=True, exist_ok=True)
(running.LOCKS / "0.output.lock").write_text(sys.argv[1])
job = subprocess.Popen(["bash", "-c", sys.argv[2] + '"$0" -c "$1"; true', sys.executable, sys.argv[3]])
while not Path("working").exists():
    time.sleep(0.02)
print(job.pid, flush=True)
time.sleep(60)
"""
JOB = """
import signal, sys, time
from pathlib import Path
from luss_core import running
def save(*_):
    Path("saved").touch()
    sys.exit(1)
signal.signal(signal.SIGTERM, save)
running.join()
Path("working").touch()
time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(running.RUN, raising=False)
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.setattr(running, "_held", [])
    yield tmp_path
    for lock in running._held:
        lock.close()


@pytest.fixture
def start(folder):  # noqa: ARG001 - where it is started
    """Start a run with a job, as Snakemake does: below a shell that outlives it."""
    started = []

    def run(before: str = "", outputs: str = OUTPUTS) -> subprocess.Popen:
        environment = {**os.environ, "PYTHONPATH": str(Path(running.__file__).parents[1])}
        process = subprocess.Popen(
            [sys.executable, "-c", RUN, outputs, before, JOB],
            stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True,
        )  # fmt: skip
        started.append(process)
        process.stdout.readline()
        return process

    yield run
    for process in started:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_a_second_run_is_one_line(start):
    first = start()
    with pytest.raises(UserError) as error:
        running.begin("photos", [0])
    assert str(error.value) == (
        f"another run is making these results (process {first.pid}); wait until it ends, or stop it with Ctrl-C where"
        " it was started, and then give this command again"
    )


@pytest.mark.parametrize(("dataset", "seeds"), [("others", [0]), ("photos", [1, 2])])
def test_runs_that_make_other_files_go_side_by_side(start, dataset, seeds):
    start(outputs="results/photos/shape/seed0/pretrain/encoder.safetensors\n")
    running.begin(dataset, seeds)
    assert len(list(running.FOLDER.glob("*.run"))) == 2
    assert (running.LOCKS / "0.output.lock").exists()


def test_a_job_saves_and_ends_with_its_snakemake_and_the_next_run_goes_on(start, folder, capsys):
    killed = start()
    killed.kill()
    killed.wait()
    running.begin("photos", [0])
    assert (folder / "saved").exists()  # it waited for that
    assert not list(running.LOCKS.glob("*"))
    (own,) = running.FOLDER.glob("*.run")
    assert own.stem.endswith(f"-{os.getpid()}")
    said = capsys.readouterr().err
    assert said.endswith(f"The last run here (process {killed.pid}) was killed; this one goes on from what it left.\n")


def test_a_job_that_does_not_end_is_named(start, monkeypatch):
    killed = start(f"{running.PARENT}= ")  # it does not know its Snakemake, as on another machine
    killed.kill()
    killed.wait()
    monkeypatch.setattr(running, "PATIENCE", 0.1)
    with pytest.raises(
        UserError, match=rf"\(process {killed.pid}\) was killed, but a job of it still works: -c process \d+;"
    ):
        running.begin("photos", [0])
    assert (running.LOCKS / "0.output.lock").exists()


@pytest.mark.usefixtures("folder")
def test_a_run_of_another_machine_is_left_to_the_user():
    running.FOLDER.mkdir(parents=True)
    (running.FOLDER / "node-7-12.run").touch()
    with pytest.raises(UserError, match=r"\(process 12 on node-7\) did not end in order; .*delete .*node-7-12.run"):
        running.begin("photos", [0])


@pytest.mark.usefixtures("folder")
def test_a_lock_that_nobody_is_known_to_have_left_stays():
    running.LOCKS.mkdir(parents=True)
    (running.LOCKS / "0.output.lock").write_text(OUTPUTS)
    running.begin("photos", [0])
    assert (running.LOCKS / "0.output.lock").exists()


@pytest.mark.usefixtures("folder")
def test_nothing_is_left_after_a_run():
    program = "from luss_core import running; running.begin('photos', [0]); print(*running.FOLDER.iterdir())"
    environment = {**os.environ, "PYTHONPATH": str(Path(running.__file__).parents[1])}
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert ".run" in run.stdout
    assert list(running.FOLDER.iterdir()) == []


@pytest.mark.usefixtures("folder")
def test_jobs_of_others_are_not_ended(monkeypatch):
    """A number in the environment may be that of another process by now, or on another machine."""
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    for value in (f"{running.parent().partition(':')[0]}:{stranger.pid}", f"elsewhere:{os.getppid()}", "", "nonsense"):
        monkeypatch.setenv(running.PARENT, value)
        running.join()
    stranger.communicate(b"\n")
    time.sleep(0.1)  # it would have ended this process


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("--cores all", True),
        ("-c2 compare --configfile a.yaml", True),
        ("-n", False),
        ("-np --cores 1", False),
        ("--dry-run", False),
        ("--dryrun", False),
        ("--unlock", False),
        ("--report page.html", False),
        ("--report-after-run --cores 1", True),
        ("--touch -c1", True),
        ("--nolock -c1", True),
        ("--summary", False),
        ("--lint", False),
    ],
)
def test_which_commands_run_jobs(command, expected):
    assert running.works(command.split()) is expected
