"""A full or read-only disk, a lost folder and too little memory, met for real if this machine lets us: one line."""

import multiprocessing
import os
import re
import resource
import shutil
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from hdf5_files import clusters, features, scored
from torch import nn

from luss_core import cli, io
from luss_core.data.images import write_csv
from luss_core.data.masks import write_mask
from luss_core.errors import UserError
from luss_core.models.weights import save_weights
from luss_core.shortage import of_disk, of_memory
from luss_core.train.folder import TrainingFolder


def _checkpoint(path: Path) -> None:
    TrainingFolder(path.parent, {}).save({"step": 1, "method": {"a": torch.zeros(20_000)}})


WRITERS = {
    "features.h5": features,
    "clusters.h5": clusters,
    "scored.h5": scored,
    "last.pt": _checkpoint,
    "a.safetensors": lambda path: save_weights(path, nn.Linear(100, 100), {}),
    "a.json": lambda path: io.write_json(path, list(range(9000))),
    "a.csv": lambda path: write_csv(path, ["a"], ([i] for i in range(9000))),
    "a.png": lambda path: write_mask(path, np.random.default_rng(0).integers(0, 60_000, (200, 200))),
}


def mounted(folder: Path, options: str) -> bool:
    """Whether this machine let us mount a small disk there."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    return bool(shutil.which("mount")) and subprocess.run(command, capture_output=True).returncode == 0


@pytest.fixture
def disk(tmp_path):
    """A disk of 8 kB."""
    if not mounted(tmp_path / "disk", "size=8k"):
        pytest.skip("no right to mount a small disk")
    yield tmp_path / "disk"
    subprocess.run(["umount", "--lazy", str(tmp_path / "disk")], check=True)


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_is_one_line_and_leaves_nothing_behind(disk, name):
    with pytest.raises(UserError) as error:
        WRITERS[name](disk / name)
    said = (
        rf"cannot write {disk / name}: no space left, it needs more than the [\d.]+ kB free there\. Free some\. What is"
    )
    assert re.match(said, str(error.value)), str(error.value)
    assert str(error.value).endswith("run the same command again, and it goes on")
    assert list(disk.iterdir()) == []


def test_a_checkpoint_on_a_full_disk_leaves_those_before(disk):
    made = TrainingFolder(disk, {})
    made.save({"step": 1})
    with pytest.raises(UserError, match="no space left"):
        made.save({"step": 2, "method": {"a": torch.zeros(20_000)}})
    assert made.load(torch.device("cpu"))["step"] == 1


def _limited(name: str, path: Path, said: "multiprocessing.Queue[str]") -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
    try:
        WRITERS[name](path)
    except UserError as error:
        said.put(str(error))


@pytest.mark.parametrize("name", ["last.pt", "a.json"])
def test_a_file_that_grows_too_large(tmp_path, name):
    fork = multiprocessing.get_context("fork")
    said = fork.Queue()
    process = fork.Process(target=_limited, args=(name, tmp_path / name, said))
    process.start()
    assert re.match(rf"cannot write .*{name}: larger than a file may be there; raise the limit", said.get(timeout=60))
    process.join()


def test_a_read_only_disk(disk):
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises(
        UserError, match=r"cannot write .*: its disk is read-only; make it writable or give the results"
    ):
        io.write_json(disk / "a.json", {})


def test_a_folder_that_is_gone(tmp_path):
    def write() -> None:
        with io.atomic(tmp_path / "run" / "a.json") as partial:
            shutil.rmtree(partial.parent)
            partial.write_text("{}")

    with pytest.raises(
        UserError, match=r"a\.json: its folder was deleted or its disk taken away while the program ran"
    ):
        write()


def test_the_file_that_could_not_be_read_is_named(tmp_path):
    with (
        pytest.raises(UserError, match=r"cannot write .*a\.json: No such file or directory \(/none/there\)"),
        io.atomic(tmp_path / "a.json"),
    ):
        Path("/none/there").read_text()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. "),
            "process that prepares batches was killed",
        ),
        (RuntimeError("DataLoader worker (pid(s) 7) exited unexpectedly"), "Lower train.batch_size or --threads"),
        (MemoryError(), "the memory of this machine does not suffice. Lower batch_size"),
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
            "the memory of the GPU does not suffice",
        ),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "the memory of this machine"),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), None),
    ],
)
def test_too_little_memory(error, said, capsys):
    def main(_: object) -> None:
        raise error

    found = of_memory(error)
    if said is None:
        assert found is None
        with pytest.raises(RuntimeError):
            cli.run(main)
        return
    assert said in found
    with pytest.raises(SystemExit, match="1"):
        cli.run(main)
    assert capsys.readouterr().err == f"error: {found}\n"


def test_what_a_process_of_the_loader_said_stands_alone(capsys):
    def main(_: object) -> None:
        raise UserError(
            "Caught UserError in DataLoader worker process 0.\nOriginal Traceback\nx.UserError: a is damaged\n"
        )

    with pytest.raises(SystemExit):
        cli.run(main)
    assert capsys.readouterr().err == "error: a is damaged\n"


def test_the_room_that_is_free_is_said_in_the_units_of_people():
    error = OSError(28, os.strerror(28))
    assert re.search(r"more than the [\d.]+ (kB|MB|GB) free there", of_disk(Path("/none/there/a.json"), error))


def test_a_process_that_was_killed_names_memory():
    from luss_core.launch import _said

    assert "was killed, as the system does where memory runs out" in _said(Path("/none"), 1, -signal.SIGKILL)
    assert _said(Path("/none"), 1, 3) == " with status 3"
