"""Damaged checkpoints: never gone on from, told in one line, and the one before is used, bit for bit."""

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from luss_core.errors import UserError
from luss_core.train import checkpoint
from luss_core.train.folder import TrainingFolder
from luss_core.train.loop import Resources, fit
from tests.method.test_methods import CPU, TRAIN, make, train, views

STATE = {"step": 3, "method": {"a": torch.arange(500.0), "b": torch.ones(7)}, "optimizer": {"state": {}}}


def garbage(path: Path, place: int = 3000, size: int = 4096) -> None:
    """Other bytes in the middle of a file, as a failing disk leaves them."""
    content = bytearray(path.read_bytes())
    content[place : place + size] = np.random.default_rng(0).bytes(len(content[place : place + size]))
    path.write_bytes(content)


def folder(path: Path, **settings: object) -> TrainingFolder:
    """As `train` makes it, where ``settings`` are none."""
    return TrainingFolder(path, {"name": "swav"} | settings)


def saved(path: Path, *steps: int, **settings: object) -> TrainingFolder:
    made = folder(path, **settings)
    for step in steps:
        made.save(STATE | {"step": step})
    return made


def step(made: TrainingFolder) -> int | None:
    state = made.load(CPU)
    return None if state is None else state["step"]


def files(path: Path) -> list[str]:
    return sorted(file.name for file in path.iterdir())


def test_a_training_goes_on_from_the_checkpoint_before_a_damaged_one_bit_for_bit(tmp_path, caplog):
    whole = train("swav", tmp_path / "whole").state_dict()
    method = make("swav")
    fit(method, views(), TRAIN, folder(tmp_path / "a"), Resources(CPU, checkpoint_minutes=0), stop=5)
    garbage(tmp_path / "a" / "last.pt", place=200_000)
    caplog.set_level("INFO")
    resumed = train("swav", tmp_path / "a").state_dict()
    assert [name for name in whole if not torch.equal(whole[name], resumed[name])] == []
    assert (
        f"{tmp_path / 'a' / 'last.pt'} is damaged and not gone on from; the checkpoint before it is used" in caplog.text
    )
    assert "going on from step 4 of 15" in caplog.text
    steps = [json.loads(line)["step"] for line in (tmp_path / "a" / "log.jsonl").open()]
    assert steps == list(range(15))


def test_the_one_before_is_kept_until_the_new_one_is_read_back(tmp_path, monkeypatch):
    made = saved(tmp_path, 3, 4)
    assert files(tmp_path) == ["before.pt", "last.pt"]
    before = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}
    write = checkpoint._Hashed.write

    def flipped(self, content):
        write(self, content)
        self.file.seek(-1, 1)
        self.file.write(bytes([bytes(content)[-1] ^ 1]))

    monkeypatch.setattr(checkpoint._Hashed, "write", flipped)
    with pytest.raises(UserError, match=r"the disk does not give back the checkpoint that was written \(its checksum"):
        made.save(STATE | {"step": 5})
    assert {name: (tmp_path / name).read_bytes() for name in files(tmp_path)} == before


def test_killed_between_two_names(tmp_path):
    made = saved(tmp_path, 3, 4)
    (tmp_path / "last.pt").replace(tmp_path / "before.pt")
    assert step(made) == 4
    assert files(tmp_path) == ["last.pt"]


def test_a_damaged_checkpoint_is_never_written_over_a_whole_one(tmp_path):
    made = saved(tmp_path, 3, 4)
    garbage(tmp_path / "last.pt")
    assert step(made) == 3
    made.save(STATE | {"step": 4})
    assert files(tmp_path) == ["before.pt", "damaged.pt", "last.pt"]
    garbage(tmp_path / "last.pt")
    assert step(made) == 3


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda content: content[: len(content) // 2], "cut short"),
        (lambda content: content[:-1], "cut short|checksum"),
        (lambda content: content[: -len(checkpoint.MARK) - 64], "cut short"),
        (lambda content: bytes(len(content)), "nothing but zeros"),
        (lambda _: b"", "empty"),
        (lambda _: b"<html>", "no checkpoint"),
        (lambda content: content[:700] + bytes([content[700] ^ 4]) + content[701:], "checksum"),
    ],
)
def test_both_damaged_says_what_is_lost_and_how_to_go_on(tmp_path, damage, reason):
    made = saved(tmp_path, 3, 4)
    for name in ("last.pt", "before.pt"):
        (tmp_path / name).write_bytes(damage((tmp_path / name).read_bytes()))
    with pytest.raises(UserError) as error:
        made.load(CPU)
    text = str(error.value)
    found = (
        rf"\S+last\.pt is damaged \(.*({reason}).*\) and \S+before\.pt is damaged \(.*({reason}).*\), and there is no"
    )
    assert re.match(found, text), text
    assert "is lost" in text
    assert "delete them and run the same command again" in text
    assert "weights_only" not in text
    assert "\n" not in text


def test_a_checkpoint_of_before_there_were_checksums_is_gone_on_from(tmp_path):
    made = folder(tmp_path)
    state = {"fingerprint": made.fingerprint, "settings": made.settings, "source": ""} | STATE
    torch.save(state, tmp_path / "last.pt")
    assert step(made) == 3
    place = (tmp_path / "last.pt").read_bytes().index(torch.arange(500.0).numpy().tobytes())
    garbage(tmp_path / "last.pt", place, size=100)
    with pytest.raises(UserError, match=r"last\.pt is damaged \(its part last/data/0 is not as it was written\)"):
        made.load(CPU)


def test_a_file_of_other_things_is_not_loaded(tmp_path):
    for value in ([1, 2], {"step": torch.nn.Linear(1, 1)}):
        content = io.BytesIO()
        torch.save(value, content)
        (tmp_path / "last.pt").write_bytes(content.getvalue())
        with pytest.raises(UserError, match=r"last\.pt is damaged \(it holds no state of a training\)"):
            folder(tmp_path).load(CPU)


def test_what_is_set_aside_keeps_the_one_before(tmp_path, caplog):
    ours, other = saved(tmp_path, 3, 4), folder(tmp_path, lr=1)
    assert step(other) is None
    aside = ours.fingerprint[:8]
    assert files(tmp_path) == [f"before-{aside}.pt", f"last-{aside}.pt"]
    saved(tmp_path, 7, lr=1)
    garbage(tmp_path / f"last-{aside}.pt")
    caplog.clear()
    assert step(ours) == 3
    assert files(tmp_path) == ["damaged.pt", f"last-{other.fingerprint[:8]}.pt", "last.pt"]
    assert f"last-{aside}.pt is damaged" in caplog.text
    garbage(tmp_path / "last.pt")
    assert step(other) == 7


def test_damaged_and_of_other_settings(tmp_path, caplog):
    saved(tmp_path, 3, 4)
    garbage(tmp_path / "last.pt")
    assert step(folder(tmp_path, lr=1)) is None
    assert files(tmp_path) == ["damaged.pt", f"last-{folder(tmp_path).fingerprint[:8]}.pt"]
    assert len(caplog.messages) == 2
    assert step(folder(tmp_path)) == 3


def test_a_damaged_log_is_cut_and_not_in_the_way(tmp_path):
    made = folder(tmp_path)
    (tmp_path / "log.jsonl").write_bytes(b'{"step": 0}\n{"step": 1\n\xff{"step": 1}\n{"stp": 1}\n[1]}\n{"step": 2}\n')
    with made.open_log(2) as file:
        file.write('{"step": 2}\n')
    assert (tmp_path / "log.jsonl").read_text() == '{"step": 0}\n{"step": 2}\n'
