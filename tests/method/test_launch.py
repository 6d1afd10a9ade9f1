"""The training script in several processes: as users start it, and when something goes wrong in one of them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from luss_core.errors import UserError
from luss_core.runtime import make_device
from tests.unit.prior_data import prepared
from workflow_scripts import pretrain

ROOT = Path(__file__).parents[2]
SETTINGS = {
    "backbone": {"width": 8},
    "decoder": None,
    "attention": False,
    "method": {"name": "swav", "prototypes": 4, "hidden": 8, "dim": 8},
    "views": {"crops": [{"count": 2, "size": 24, "scale": [0.5, 1]}]},
    "train": {"batch_size": 4, "warmup_epochs": 0, "optimizer": "sgd", "lr": 1e-3, "precision": "float32"},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return prepared(tmp_path_factory.mktemp("data"))


def options(data: Path, out: Path, epochs: int, processes: int) -> list[str]:
    settings = {**SETTINGS, "train": {**SETTINGS["train"], "epochs": epochs}}
    given = {
        "settings": json.dumps(settings),
        "images": data / "prepare/images.csv",
        "store": data / "prepare/images.h5",
        "seed": 0,
        "state": out / "state",
        "out": out / "encoder.safetensors",
        "log": out / "log.jsonl",
        "processes": processes,
        "device": "cpu",
    }
    return [text for name, value in given.items() for text in (f"--{name}", str(value))]


def start(data: Path, out: Path, epochs: int, processes: int, before: str = "") -> subprocess.Popen[str]:
    """The script; ``before`` is Python that each process runs first."""
    out.mkdir(exist_ok=True)
    (out / "sitecustomize.py").write_text(before)
    command = [sys.executable, str(ROOT / "workflow_scripts" / "pretrain.py"), *options(data, out, epochs, processes)]
    path = os.pathsep.join([str(out), str(ROOT)])
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path})


@pytest.mark.slow
def test_two_processes_write_what_one_does(data, tmp_path):
    pretrain.main(options(data, tmp_path / "1", 4, 1))
    run = start(data, tmp_path / "2", 4, 2)
    assert run.wait(300) == 0, run.stderr.read()
    one, two = (load_file(tmp_path / str(n) / "encoder.safetensors") for n in (1, 2))
    assert one.keys() == two.keys()
    assert [name for name in one if not torch.allclose(one[name], two[name], rtol=1e-4, atol=1e-4)] == []
    logs = [[json.loads(line) for line in (tmp_path / str(n) / "log.jsonl").open()] for n in (1, 2)]
    for a, b in zip(*logs, strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-4)
        assert a["prototypes_used"] == b["prototypes_used"]


@pytest.mark.slow
def test_sigterm_saves_and_the_same_command_goes_on(data, tmp_path):
    run = start(data, tmp_path, 100_000, 2)
    log = tmp_path / "state" / "log.jsonl"
    deadline = time.monotonic() + 200
    while not (log.exists() and log.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    run.send_signal(signal.SIGTERM)
    message = run.communicate(timeout=60)[1]
    assert run.returncode == 128 + signal.SIGTERM, message
    assert "the same command goes on from there" in message
    saved = torch.load(tmp_path / "state" / "last.pt", weights_only=True)["step"]
    assert saved > 0
    assert len(log.read_text().splitlines()) == saved
    assert not (tmp_path / "encoder.safetensors").exists()


BROKEN = """
import os
if os.environ.get("RANK") == "1":
    import luss_core.stages.pretrain as stage
    from luss_core.errors import UserError
    def refuse(*_):
        raise UserError("the disk of one node is full")
    stage.check_overlap = refuse
"""


@pytest.mark.slow
def test_the_message_of_the_process_that_failed_is_shown(data, tmp_path):
    run = start(data, tmp_path, 4, 2, BROKEN)
    message = run.communicate(timeout=200)[1]
    assert run.returncode == 1
    assert "error: process 1 of 2 failed first: the disk of one node is full" in message
    assert "Traceback" not in message


def test_more_processes_than_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(
        UserError, match=r"4 processes need a GPU each, but there are 1; start fewer, or use --device cpu"
    ):
        make_device("auto", 1, 0, 4)


def test_an_apple_gpu_is_for_one_process(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    with pytest.raises(UserError, match=r"2 processes cannot share an Apple GPU; start one, or use --device cpu"):
        make_device("mps", 1, 0, 2)
