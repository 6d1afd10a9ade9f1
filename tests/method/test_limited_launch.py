"""The script of limited-sample probes as users start it: in two processes, and stopped."""

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

from luss_core.config import EncoderConfig
from luss_core.models.encoder import Encoder
from luss_core.models.weights import save_weights
from tests.unit import annotated
from workflow_scripts import limited

ROOT = Path(__file__).parents[2]
LONG = 20
"""Epochs: time enough to be stopped in."""
NETWORK = EncoderConfig.model_validate({"backbone": {"width": 8}})


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("limited")
    annotated.camvid(folder / "camvid")
    torch.manual_seed(0)
    about = {"encoder": NETWORK.model_dump(mode="json"), "weights": None}
    save_weights(folder / "encoder.safetensors", Encoder(NETWORK), about)
    return folder


def options(data: Path, out: Path, epochs: int, processes: int = 1) -> list[str]:
    """Of the script, for 100 % of six labels."""
    settings = {
        "data": {"format": "camvid", "root": str(data / "camvid")},
        "limited": {
            "percents": [100],
            "views": {"crops": [{"count": 1, "size": 16, "scale": [0.5, 1]}]},
            "train": {"epochs": epochs, "batch_size": 2, "lr": 1e-3, "precision": "float32"},
        },
    }
    out.mkdir(exist_ok=True)
    given = {
        "settings": json.dumps(settings),
        "root": data / "camvid",
        "encoder": data / "encoder.safetensors",
        "percent": 100,
        "seed": 0,
        "state": out / "state",
        "out": out / "scores.json",
        "table": out / "per_class.csv",
        "probe": out / "probe.safetensors",
        "log": out / "log.jsonl",
        "processes": processes,
        "checkpoint-minutes": 0,
        "threads": 1,
        "device": "cpu",
    }
    return [text for name, value in given.items() for text in (f"--{name}", str(value))]


def start(data: Path, out: Path, epochs: int, processes: int = 1) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "workflow_scripts" / "limited.py"), *options(data, out, epochs, processes)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory) -> Path:
    """What a training of LONG epochs writes that nobody stops."""
    out = tmp_path_factory.mktemp("whole")
    limited.main(options(data, out, LONG))
    return out


def finish(run: subprocess.Popen[str]) -> str:
    """What it said."""
    try:
        said = run.communicate(timeout=300)[1]
    finally:
        run.kill()
    assert run.returncode == 0, said
    return said


@pytest.mark.slow
def test_two_processes_learn_what_one_does(data, tmp_path):
    limited.main(options(data, tmp_path / "1", 3))
    finish(start(data, tmp_path / "2", 3, 2))
    one, two = (load_file(tmp_path / str(n) / "probe.safetensors") for n in (1, 2))
    assert one.keys() == two.keys()
    assert [name for name in one if not torch.allclose(one[name], two[name], rtol=1e-4, atol=1e-4)] == []
    logs = [[json.loads(line) for line in (tmp_path / str(n) / "log.jsonl").open()] for n in (1, 2)]
    assert [len(lines) for lines in logs] == [9, 9]
    assert all(a["loss"] == pytest.approx(b["loss"], rel=1e-4) for a, b in zip(*logs, strict=True))
    scores = [json.loads((tmp_path / str(n) / "scores.json").read_text()) for n in (1, 2)]
    assert scores[0]["accuracy"] == pytest.approx(scores[1]["accuracy"], abs=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGKILL])
def test_a_probe_that_was_stopped_or_killed_ends_as_one_that_was_not(data, whole, tmp_path, stop):
    run = start(data, tmp_path / "stopped", LONG)
    checkpoint = tmp_path / "stopped" / "state" / "last.pt"
    deadline = time.monotonic() + 200
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    run.send_signal(stop)
    said = run.communicate(timeout=60)[1]
    assert run.returncode == (128 + stop if stop == signal.SIGTERM else -stop), said
    assert not (tmp_path / "stopped" / "scores.json").exists()
    assert "going on from step" in finish(start(data, tmp_path / "stopped", LONG))
    one, two = (load_file(out / "probe.safetensors") for out in (whole, tmp_path / "stopped"))
    assert [name for name in one if not torch.equal(one[name], two[name])] == []
    assert len((tmp_path / "stopped" / "log.jsonl").read_text().splitlines()) == 3 * LONG
