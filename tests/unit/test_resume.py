"""prepare and prior killed at any moment: the next run goes on, to the same files byte for byte."""

import logging
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from picture_files import picture
from prior_data import prepared, save_map, state_of

from luss_core import io
from luss_core.config import PrepareConfig, PriorConfig
from luss_core.data.images import read_images
from luss_core.data.masks import write_mask
from luss_core.errors import UserError
from luss_core.stages.prepare import prepare
from luss_core.stages.prior import prior

BATCHES = {"prepare": 10, "prior": 9}
"""One image is broken."""
OUTPUTS = {
    "prepare": ("files.jsonl", "images.csv", "images.h5", "rejected.csv", "summary.json"),
    "prior": ("files.jsonl", "prior.h5", "summary.json"),
}

PROGRAM = """
import os, signal, sys, time
from pathlib import Path
from luss_core import io
from luss_core.config import PrepareConfig, PriorConfig
from luss_core.data import packing
from luss_core.stages import prepare, prior
from luss_core.stages.prepare import Packing

stage, data, out, state, threads, moment, after = sys.argv[1:]
data, out, state, left = Path(data), Path(out), Path(state), int(after)
prepare.DECODE_BATCH = prior.BATCH = 2

def kill(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def half(record):
    global left
    left -= 1
    text = usual(record)
    return text if left else text[:len(text) // 2]

def slow(self, batch):
    packed(self, batch)
    time.sleep(0.1)

usual, packed = packing._line, Packing._add
if moment == "pixels":
    packing._record = kill
elif moment == "line":
    packing._line = half
    Packing._add = lambda self, batch: packed(self, batch) if left else kill()
    left += 1  # the title
elif moment == "index":
    packing.verify = kill
elif moment == "lists":
    Packing.hand_over = kill
elif moment == "summary":
    io.write_json = kill
elif moment == "slow":
    Packing._add = slow
if stage == "prepare":
    cfg = PrepareConfig(short_side=40, max_rejected_fraction=1, allow_missing=True)
    prepare.prepare(cfg, root=data / "photographs", out=out, state=state, threads=int(threads))
else:
    prior.prior(PriorConfig(), images=data / "prepare/images.csv", store=data / "prepare/images.h5", out=out,
                state=state, threads=int(threads))
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Images of three splits, some with masks, some broken."""
    root = tmp_path_factory.mktemp("data")
    folder = prepared(root) / "photographs"
    for i in range(9):
        picture(50 + i, 60, i).save(folder / "train" / "cat" / f"more{i}.jpg")
    (folder / "train" / "cat" / "broken.png").write_bytes((folder / "train" / "cat" / "0.png").read_bytes()[:200])
    write_mask(folder / "test-segmentation" / "cat" / "1.png", np.zeros((9, 9), np.uint16))
    cfg = PrepareConfig(short_side=40, allow_missing=True)
    prepare(cfg, root=folder, out=root / "prepare", state=root / "state", threads=1)
    return root


def start(stage: str, data: Path, out: Path, moment: str, after: int = 0, threads: int = 1) -> subprocess.Popen:
    arguments = [stage, data, out, state_of(out), threads, moment, after]
    return subprocess.Popen([sys.executable, "-c", PROGRAM, *map(str, arguments)], stderr=subprocess.PIPE, text=True)


def files(stage: str, out: Path) -> dict[str, bytes]:
    assert not state_of(out).exists()
    assert sorted(path.name for path in out.iterdir()) == sorted(OUTPUTS[stage])
    return {name: (out / name).read_bytes() for name in OUTPUTS[stage]}


@pytest.fixture(scope="module", params=["prepare", "prior"])
def whole(request, data, tmp_path_factory) -> tuple[str, dict[str, bytes]]:
    """A stage, and the files of a run that is not interrupted."""
    out = tmp_path_factory.mktemp("whole") / "out"
    assert start(request.param, data, out, "").wait() == 0
    return request.param, files(request.param, out)


def lines(out: Path) -> int:
    """Of the journal."""
    journal = state_of(out) / "journal.jsonl"
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


@pytest.mark.slow
def test_killed_at_the_worst_moments(whole, data, tmp_path):
    stage, expected = whole
    out = tmp_path / "out"
    out.mkdir()
    for name, content in expected.items():  # of an earlier run
        (out / name).write_bytes(content)
    for moment, after, kept in (
        ("pixels", 0, 0),  # the pixels of a batch are written, its line is not
        ("line", 3, 2),  # half of the line of the third batch is written
        ("line", 1, 2),
        ("pixels", 0, 2),
        ("index", 0, BATCHES[stage]),  # the index is written, the name not given
        ("lists", 0, BATCHES[stage]),
    ):
        process = start(stage, data, out, moment, after)
        said = process.communicate()[1]
        assert process.returncode == -signal.SIGKILL, said
        assert not any((out / name).exists() for name in ("images.h5", "prior.h5", "summary.json"))  # nor the old ones
        assert lines(out) == 1 + kept, moment
    assert start(stage, data, out, "").wait() == 0
    assert files(stage, out) == expected


@pytest.mark.slow
def test_killed_just_before_the_end_it_begins_anew(whole, data, tmp_path):
    """The last step, with the store under its name already, which Snakemake then deletes."""
    stage, expected = whole
    out = tmp_path / "out"
    assert start(stage, data, out, "summary").wait() == -signal.SIGKILL
    assert start(stage, data, out, "").wait() == 0
    assert files(stage, out) == expected


@pytest.mark.slow
def test_killed_from_outside_with_its_processes(whole, data, tmp_path):
    stage, expected = whole
    out = tmp_path / "out"
    for wanted in (2, 5, 8):
        process = start(stage, data, out, "slow", threads=2)
        while lines(out) < wanted and process.poll() is None:
            time.sleep(0.01)
        process.kill()
        assert process.wait() == -signal.SIGKILL
        assert wanted <= lines(out) <= BATCHES[stage]
    assert start(stage, data, out, "slow", threads=2).wait() == 0
    assert files(stage, out) == expected


def test_a_second_process_ends_with_a_message(data, tmp_path):
    process = start("prepare", data, tmp_path / "out", "slow")
    while lines(tmp_path / "out") < 2:
        time.sleep(0.01)
    try:
        with pytest.raises(UserError, match="another process is preparing in .*out.state; wait for it or stop it"):
            prepare(
                PrepareConfig(),
                root=data / "photographs",
                out=tmp_path / "out",
                state=tmp_path / "out.state",
                threads=1,
            )
    finally:
        process.kill()
        process.wait()


class Interrupted(Exception):  # noqa: N818
    pass


def interrupt(monkeypatch, stage: str, function: str, after: int) -> list[int]:
    """Let a stage stop at a batch; the list grows with every batch that is made."""
    module, made = sys.modules[f"luss_core.stages.{stage}"], []
    usual = getattr(module, function)

    def work(*arguments):
        if len(made) == after:
            raise Interrupted
        made.append(1)
        return usual(*arguments)

    monkeypatch.setattr(module, "DECODE_BATCH" if stage == "prepare" else "BATCH", 2)
    monkeypatch.setattr(module, function, work)
    return made


def test_a_change_of_settings_or_files_begins_anew_and_says_so(data, tmp_path, monkeypatch, caplog):
    made = interrupt(monkeypatch, "prepare", "check", 4)
    folder = data / "photographs"
    changed = folder / "train/cat/more8.jpg"
    stopped = []
    for short_side, touched in ((40, 0), (44, 0), (44, 0), (44, 1)):
        os.utime(changed, ns=(10**18 + touched, 10**18 + touched))
        made.clear()
        cfg = PrepareConfig(short_side=short_side)
        with pytest.raises(Interrupted), caplog.at_level(logging.INFO):
            prepare(cfg, root=folder, out=tmp_path / "out", state=tmp_path / "state", threads=1)
        stopped.append(lines_of(tmp_path / "state"))
    assert stopped == [5, 5, 9, 5]
    assert caplog.text.count("beginning anew") == 2


@pytest.mark.parametrize("stage", ["prepare", "prior"])
def test_another_commit_goes_on_but_other_source_or_libraries_begin_anew(data, tmp_path, monkeypatch, stage):
    """An edit of the README must not throw away hours of decoding."""
    made = interrupt(monkeypatch, stage, "check" if stage == "prepare" else "_make", 3)
    store = {"images": data / "prepare/images.csv", "store": data / "prepare/images.h5"}
    paths = {"out": tmp_path / "out", "state": tmp_path / "state", "threads": 1}
    runs = {
        "prepare": partial(prepare, PrepareConfig(), root=data / "photographs", **paths),
        "prior": partial(prior, PriorConfig(), **store, **paths),
    }

    def lines_after() -> int:
        made.clear()
        with pytest.raises(Interrupted):
            runs[stage]()
        return lines_of(tmp_path / "state")

    assert lines_after() == 4
    monkeypatch.setattr(io, "_commit", lambda: "another+")
    assert lines_after() == 7
    module = sys.modules[f"luss_core.stages.{stage}"]
    monkeypatch.setattr(module, "digest_of_source", lambda _: "other")
    assert lines_after() == 4
    monkeypatch.setattr(io, "versions", lambda _: {"numpy": "0"})
    assert lines_after() == 4


def lines_of(state: Path) -> int:
    return (state / "journal.jsonl").read_bytes().count(b"\n")


def test_other_maps_begin_anew(data, tmp_path, monkeypatch):
    made = interrupt(monkeypatch, "prior", "_make", 3)
    store = {"images": data / "prepare/images.csv", "store": data / "prepare/images.h5"}
    for size, expected in ((64, 4), (64, 7), (32, 4)):
        made.clear()
        with pytest.raises(Interrupted):
            prior(PriorConfig(size=size), **store, out=tmp_path / "out", state=tmp_path / "state", threads=1)
        assert lines_of(tmp_path / "state") == expected


def test_maps_that_cannot_be_used_are_read_again(data, tmp_path):
    """Also where nothing but a network drive was broken, and the files have not changed."""
    store = {"images": data / "prepare/images.csv", "store": data / "prepare/images.h5"}
    listing = read_images(store["images"])
    for row, (height, width) in enumerate(zip(listing.height, listing.width, strict=True)):
        save_map(tmp_path / "maps" / listing.split[row] / f"{listing.id[row]}.png", np.zeros((height, width), np.uint8))
    cfg = PriorConfig(folder=str(tmp_path / "maps"))
    with pytest.raises(UserError, match="all maps are black"):
        prior(cfg, **store, out=tmp_path / "out", state=tmp_path / "state", threads=1)
    assert not (tmp_path / "state").exists()


def test_a_higher_limit_on_rejected_files_finishes_the_work(data, tmp_path, monkeypatch):
    made = interrupt(monkeypatch, "prepare", "check", 99)
    paths = {"root": data / "photographs", "out": tmp_path / "out", "state": tmp_path / "state"}
    with pytest.raises(UserError, match="1 of 19 images cannot be used.* not in the files, delete .*state first"):
        prepare(PrepareConfig(max_rejected_fraction=0.01), **paths, threads=1)
    assert len(made) == BATCHES["prepare"]
    with pytest.raises(
        UserError, match=r"\(test\), images or masks .* 1 in all.* not in the files, delete .*state first"
    ):
        prepare(PrepareConfig(max_rejected_fraction=0.1), **paths, threads=1)
    prepare(PrepareConfig(max_rejected_fraction=0.1, allow_missing=True), **paths, threads=1)
    assert len(made) == BATCHES["prepare"]
    assert not (tmp_path / "state").exists()
