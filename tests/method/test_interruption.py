"""A killed run goes on; a broken one stops in time and loses nothing."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from luss_core.data.loader import BatchSampler, Order, Plane, Views, shuffled
from luss_core.data.views import Key
from luss_core.errors import UserError
from luss_core.methods.base import Output
from luss_core.train.folder import TrainingFolder, differences, inputs
from luss_core.train.loop import Resources, fit
from tests.method.test_methods import CPU, TRAIN, VIEWS, make, train, views

KILLED = """
import sys, torch
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.method.test_methods import TRAIN, train
torch.set_num_threads(1)
method = train("swav", Path({folder!r}), cfg=TRAIN.model_copy(update={{"epochs": {epochs}}}), workers={workers})
torch.save(method.state_dict(), {out!r})
"""
ROOT = Path(__file__).parents[2]


def start(folder: Path, out: Path, epochs: int, workers: int = 0) -> subprocess.Popen[bytes]:
    code = KILLED.format(root=str(ROOT), folder=str(folder), out=str(out), epochs=epochs, workers=workers)
    return subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, start_new_session=True)


@pytest.mark.slow
def test_sigkill_and_again_gives_the_weights_of_an_uninterrupted_run(tmp_path):
    epochs = 12
    one = train("swav", tmp_path / "whole", cfg=TRAIN.model_copy(update={"epochs": epochs})).state_dict()
    folder, out = tmp_path / "killed", tmp_path / "killed.pt"
    kills = 0
    while not out.exists() and kills < 3:
        process = start(folder, out, epochs)
        seen = _checkpoint_time(folder)
        deadline = time.monotonic() + 120
        while process.poll() is None and _checkpoint_time(folder) == seen and time.monotonic() < deadline:
            time.sleep(0.01)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
    assert kills >= 1
    assert start(folder, out, epochs).wait(300) == 0
    two = torch.load(out, weights_only=True)
    assert [n for n in one if not torch.equal(one[n], two[n])] == []


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_sigterm_saves_the_step_in_progress(tmp_path, workers):
    """Sent to the whole process group, as Slurm does: processes of the loader get it too."""
    process = start(tmp_path / "run", tmp_path / "out.pt", epochs=2000, workers=workers)
    deadline = time.monotonic() + 120
    while not _checkpoint_time(tmp_path / "run") and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGTERM)
    message = process.communicate(timeout=60)[1].decode()
    step = int(re.search(r"SIGTERM after step (\d+); the same command goes on from there", message)[1])
    assert process.returncode == 1
    assert torch.load(tmp_path / "run" / "last.pt", weights_only=True)["step"] == step
    assert len((tmp_path / "run" / "log.jsonl").read_text().splitlines()) == step


def _checkpoint_time(folder: Path) -> float:
    path = folder / "last.pt"
    return path.stat().st_mtime if path.exists() else 0.0


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_checkpoint(tmp_path):
    method = make("swav")
    forward = method.forward
    method.forward = lambda v, b, p: forward(v, b, p) if p.step < 7 else Output(forward(v, b, p).loss * torch.nan)
    with pytest.raises(UserError, match=r"loss is nan at step 7.*checkpoint is kept.*lr"):
        fit(method, views(), TRAIN, TrainingFolder(tmp_path, {}), Resources(CPU, checkpoint_minutes=0))
    state = torch.load(tmp_path / "last.pt", weights_only=True)
    assert state["step"] == 7
    assert all(torch.isfinite(t).all() for t in state["method"].values())


def folder(path: Path, source: str = "", **settings: object) -> TrainingFolder:
    """As `train` makes it, where ``settings`` are none."""
    return TrainingFolder(path, {"name": "swav"} | settings, source)


def step(folder: TrainingFolder) -> int | None:
    """At which training would go on."""
    state = folder.load(CPU)
    return None if state is None else state["step"]


def files(path: Path) -> list[str]:
    return sorted(file.name for file in path.iterdir() if file.name != "lock")


def test_a_checkpoint_of_other_settings_is_set_aside_and_found_again(tmp_path, caplog):
    train("swav", tmp_path, stop=5)
    assert step(folder(tmp_path)) == 5
    assert caplog.text == ""
    checkpoint, log = ((tmp_path / name).read_bytes() for name in ("last.pt", "log.jsonl"))
    other = folder(tmp_path, train={"lr": 0.01})
    assert step(other) is None
    digest = folder(tmp_path).fingerprint[:8]
    assert files(tmp_path) == [f"before-{digest}.pt", f"last-{digest}.pt", f"log-{digest}.jsonl"]
    (line,) = caplog.messages
    assert "made with other settings or images (train none -> " in line
    assert f"kept as {tmp_path / f'last-{digest}.pt'}" in line

    other.save({"step": 3})
    with other.open_log(0) as file:
        file.write('{"step": 2}\n')
    caplog.clear()
    assert step(folder(tmp_path)) == 5
    aside = other.fingerprint[:8]
    assert files(tmp_path) == ["before.pt", f"last-{aside}.pt", "last.pt", f"log-{aside}.jsonl", "log.jsonl"]
    assert [(tmp_path / name).read_bytes() for name in ("last.pt", "log.jsonl")] == [checkpoint, log]
    assert len(caplog.messages) == 2
    assert "was made with these settings and is" in caplog.messages[1]
    assert step(other) == 3
    assert (tmp_path / "log.jsonl").read_text() == '{"step": 2}\n'


def test_a_warning_names_the_settings_that_differ():
    before = {"pretrain": {"method": {"name": "swav"}, "train": {"lr": 0.004, "epochs": 1}}, "images": 64 * "a"}
    now = {
        "pretrain": {"method": {"name": "byol"}, "train": {"lr": 0.01, "epochs": 1}, "more": True},
        "images": 64 * "b",
    }
    assert differences(before, before) == []
    assert differences(before, now) == [
        "images aaaaaaaa... -> bbbbbbbb...",
        "pretrain.method.name swav -> byol",
        "pretrain.more none -> true",
        "pretrain.train.lr 0.004 -> 0.01",
    ]


class Pixels:
    """Of a store that says it holds the same, whatever its reader gives."""

    fingerprint = "f"

    def __init__(self, value: int = 0):
        self.value = value

    def read(self, row: int) -> np.ndarray:
        return np.full((2, 3, 3), row + self.value, np.uint8)


def test_what_readers_give_is_part_of_what_is_trained():
    def seen(value: int = 0, count: int = 9, label: int = 0, plane: int = 0) -> dict[str, str]:
        rows = np.arange(count)
        return inputs(
            Views(Pixels(value), rows, VIEWS, 0, rows + label, {"saliency": Plane(Pixels(plane))}, rows[::-1])
        )

    def changed(**settings: int) -> set[str]:
        now = seen(**settings)
        return {name for name, digest in seen().items() if now[name] != digest}

    assert changed() == set()
    assert changed(value=1) == {"images"}
    assert changed(label=1) == {"labels"}
    assert changed(plane=1) == {"saliency"}
    assert changed(count=8) == {"images", "labels", "pairs", "saliency"} == changed(count=0)


def test_two_trainers_in_one_folder(tmp_path):
    one, two = folder(tmp_path), folder(tmp_path)
    with one.locked(), pytest.raises(UserError, match="another process is training"), two.locked():
        pass


def test_fewer_images_than_a_batch_are_one_batch(tmp_path, caplog):
    train("swav", tmp_path / "41", cfg=TRAIN.model_copy(update={"batch_size": 41}))
    assert "train.batch_size 41 is lowered to 40: there are 40 images" in caplog.text
    train("swav", tmp_path / "40", cfg=TRAIN.model_copy(update={"batch_size": 40}))
    logs = [folder(tmp_path / name).log.read_text().splitlines() for name in ("40", "41")]
    one, other = ([{**json.loads(line), "seconds": 0} for line in lines] for lines in logs)
    assert one == other
    assert len(one) == TRAIN.epochs


def test_a_whole_training_hands_its_log_over_and_gives_its_weights_again(tmp_path, monkeypatch, caplog):
    """As where its job was taken for failed after the end, and what it wrote was deleted."""
    caplog.set_level("INFO")
    trained = train("swav", tmp_path).state_dict()
    folder(tmp_path).hand_over(tmp_path / "out.jsonl")
    assert [json.loads(line)["step"] for line in (tmp_path / "out.jsonl").open()] == list(range(15))
    monkeypatch.setattr("luss_core.train.loop.train_step", None)
    again = train("swav", tmp_path).state_dict()
    assert all(torch.equal(again[name], tensor) for name, tensor in trained.items())
    assert "going on from step 15 of 15" in caplog.text
    folder(tmp_path).hand_over(tmp_path / "again.jsonl")
    assert (tmp_path / "again.jsonl").read_bytes() == (tmp_path / "out.jsonl").read_bytes()


def test_only_a_training_under_way_goes_on_with_other_source(tmp_path, caplog):
    first, second = (folder(tmp_path, source) for source in ("0123456789", "abcdefghij"))
    first.save({"step": 5, "whole": False})
    assert step(second) == 5
    second.save({"step": 15, "whole": True})
    assert step(second) == 15
    assert caplog.text == ""
    assert step(first) is None
    aside = f"last-{first.fingerprint[:8]}-abcdefgh.pt"
    assert files(tmp_path) == [aside.replace("last", "before"), aside]
    assert f"made with other source or libraries, and whole: kept as {tmp_path / aside}" in caplog.text
    first.save({"step": 7, "whole": False})
    assert step(second) == 15
    assert step(first) == 7


def batches(start: int, order: Order | None = None) -> list[list[tuple[int, Key]]]:
    return list(BatchSampler(np.arange(100, 123), 5, order or shuffled(23, seed=1), start, stop=12))


def test_every_epoch_is_a_permutation_and_any_start_continues_it():
    whole = batches(0)
    assert [[key.epoch for _, key in batch] for batch in whole] == [[k // 4] * 5 for k in range(12)]
    for epoch in range(3):
        seen = [image for batch in whole[4 * epoch : 4 * epoch + 4] for image in batch]
        assert len(seen) == 20 == len({position for position, _ in seen})
        assert all((key.row, key.repeat) == (position + 100, 0) for position, key in seen)
    positions = [[position for position, _ in batch] for batch in whole]
    assert positions[:4] != positions[4:8]
    assert batches(7) == whole[7:]


def test_images_that_an_order_repeats_are_told_apart():
    drawn = [image for batch in batches(0, lambda _: np.arange(23) % 4)[:4] for image in batch]
    assert [(position, key.repeat) for position, key in drawn] == [(k % 4, k // 4) for k in range(20)]
