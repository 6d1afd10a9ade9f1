"""Packing goes on from whatever an interruption left, to the same bytes."""

import logging
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

from luss_core import io
from luss_core.data.packing import Packing, digest_of_files, packed
from luss_core.data.store import Store
from luss_core.errors import UserError

IMAGES = [np.random.default_rng(i).integers(0, 256, (3 + i, 7, 3), np.uint8) for i in range(11)]
SPARE = 100


class StoppedError(Exception):
    pass


class Packer:
    """Packs IMAGES in batches of two, all but the odd sixth; notes which batches it was asked for."""

    def __init__(self, folder: Path, key: str = "a"):
        self.folder, self.state, self.path, self.key = folder, folder / "state", folder / "out/images.h5", key
        self.asked: list[int] = []

    def work(self, rows: list[int], stop: int) -> tuple:
        if rows[0] // 2 == stop:
            raise StoppedError
        self.asked.append(rows[0] // 2)
        images = [IMAGES[row] for row in rows if row != 6]
        return packed(len(rows), [i.tobytes() for i in images], [i.shape[:2] for i in images], {"rows": rows, "x": 0.1})

    def run(self, stop: int = 99, complete: bool = True, threads: int = 1) -> list[dict]:
        """What came of the batches; stops before one of them if told to."""
        size = sum(image.size for image in IMAGES) + SPARE
        with io.locked(self.state, "packing"):
            packing = Packing(self.state, self.path, size, self.key)
            jobs = ([row for row in (i, i + 1) if row < len(IMAGES)] for i in range(0, len(IMAGES), 2))
            notes = [
                batch.notes for batch in packing.run(lambda rows: self.work(rows, stop), jobs, threads, 11, "images")
            ]
            packing.complete({"made": "here"})
            if complete:
                packing.hand_over()
        return notes

    def interrupted(self, stop: int) -> "Packer":
        with pytest.raises(StoppedError):
            self.run(stop)
        self.asked.clear()
        return self

    @property
    def journal(self) -> Path:
        return self.state / "journal.jsonl"


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> bytes:
    """The file that an uninterrupted run makes."""
    packer = Packer(tmp_path_factory.mktemp("whole"))
    packer.run()
    store = Store(packer.path)
    for row, image in enumerate(IMAGES[:6] + IMAGES[7:]):
        np.testing.assert_array_equal(store.read(row), image)
    return packer.path.read_bytes()


NOTES = [{"rows": [i, i + 1], "x": 0.1} for i in range(0, 10, 2)] + [{"rows": [10], "x": 0.1}]


@pytest.mark.parametrize("stop", [0, 1, 4, 5])
def test_an_interrupted_run_goes_on(tmp_path, whole, stop):
    packer = Packer(tmp_path).interrupted(stop)
    assert not packer.path.exists()
    assert packer.run() == NOTES
    assert packer.asked == list(range(stop, 6))
    assert packer.path.read_bytes() == whole


def test_a_run_may_be_interrupted_many_times(tmp_path, whole):
    packer = Packer(tmp_path)
    for stop in (2, 2, 3, 5):
        packer.interrupted(stop)
    packer.run()
    assert packer.asked == [5]
    assert packer.path.read_bytes() == whole


def test_a_run_may_end_between_the_index_and_the_name(tmp_path, whole):
    packer = Packer(tmp_path)
    packer.run(complete=False)
    packer.asked.clear()
    assert packer.run() == NOTES
    assert packer.asked == []
    assert packer.path.read_bytes() == whole


@pytest.mark.parametrize("lost", [1, 2, 20, 100])
def test_a_torn_line_of_the_journal_is_made_again(tmp_path, whole, lost, caplog):
    packer = Packer(tmp_path).interrupted(4)
    last = packer.journal.read_bytes().splitlines(keepends=True)[-1]
    assert len(last) > 100
    packer.journal.write_bytes(packer.journal.read_bytes()[:-lost])
    assert packer.run() == NOTES
    assert packer.asked == [3, 4, 5]
    assert packer.path.read_bytes() == whole
    assert "damaged" not in caplog.text


@pytest.mark.parametrize("tail", [b"\0" * 500, b"half a line", b"\n\n", b"00000000 {}\n"])
def test_rubbish_at_the_end_of_the_journal_is_cut_off(tmp_path, whole, tail):
    packer = Packer(tmp_path).interrupted(4)
    packer.journal.write_bytes(packer.journal.read_bytes() + tail)
    assert packer.run() == NOTES
    assert packer.asked == [4, 5]
    assert packer.path.read_bytes() == whole


def test_an_altered_line_of_the_journal_and_what_follows_are_made_again(tmp_path, whole):
    packer = Packer(tmp_path).interrupted(4)
    lines = packer.journal.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b'"rows": [2', b'"rows": [9')
    packer.journal.write_bytes(b"".join(lines))
    assert packer.run() == NOTES
    assert packer.asked == [1, 2, 3, 4, 5]
    assert packer.path.read_bytes() == whole


def test_damaged_pixels_and_what_follows_are_made_again(tmp_path, whole, caplog):
    packer = Packer(tmp_path).interrupted(5)
    store = packer.state / "images.h5"
    content = bytearray(store.read_bytes())
    content[content.index(IMAGES[4].tobytes()) + 5] ^= 1
    store.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert packer.run() == NOTES
    assert packer.asked == [2, 3, 4, 5]
    assert packer.path.read_bytes() == whole
    assert "images.h5: batch 2 is damaged; making it and what follows again" in caplog.text


@pytest.mark.parametrize("size", [0, 100, 2560, 3012])
def test_pixels_cut_short_are_made_again(tmp_path, whole, size):
    """As after a power failure, with the journal on the disk before the pixels."""
    packer = Packer(tmp_path).interrupted(5)
    store = packer.state / "images.h5"
    store.write_bytes(store.read_bytes()[:size])
    assert packer.run() == NOTES
    assert packer.asked[0] == (2 if size == 3012 else 0)
    assert packer.path.read_bytes() == whole


def test_a_lost_store_begins_anew(tmp_path, whole):
    packer = Packer(tmp_path).interrupted(5)
    (packer.state / "images.h5").unlink()
    packer.run()
    assert packer.asked == [0, 1, 2, 3, 4, 5]
    assert packer.path.read_bytes() == whole


def test_work_with_another_key_begins_anew_and_says_so(tmp_path, whole, caplog):
    Packer(tmp_path, "b").interrupted(3)
    packer = Packer(tmp_path)
    with caplog.at_level(logging.INFO):
        assert packer.run() == NOTES
    assert packer.asked == [0, 1, 2, 3, 4, 5]
    assert packer.path.read_bytes() == whole
    assert f"{packer.state} was begun with other settings, files or software: beginning anew" in caplog.text


def test_a_second_process_is_refused(tmp_path):
    with (
        io.locked(tmp_path / "state", "packing"),
        pytest.raises(UserError, match=r"another process is packing in .*state; wait for it or stop it"),
    ):
        Packer(tmp_path).run()
    Packer(tmp_path).run()


def test_a_state_on_another_file_system_is_refused(tmp_path):
    elsewhere = Path("/dev/shm")
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("one file system")
    with pytest.raises(UserError, match=r"--state /dev/shm must be on the same file system as"):
        Packing(elsewhere, tmp_path / "images.h5", 10, "a")


def test_the_digest_follows_names_sizes_and_times(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    digests = [digest_of_files(tmp_path, names, 2) for names in (["a", "b"], ["b", "a"], ["a", "", "b"], ["a", "c"])]
    assert len(set(digests)) == 4
    assert digest_of_files(tmp_path, ["a", "b"], 1) == digests[0]
    (tmp_path / "b").write_text("longer")
    assert digest_of_files(tmp_path, ["a", "b"], 2) != digests[0]


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from luss_core.data.packing import Packing, packed
from luss_core.errors import UserError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
folder = Path(sys.argv[1])
(folder / "state").mkdir(exist_ok=True)
work = lambda job: packed(1, [bytes(1200)], [[20, 20]], {})
try:
    packing = Packing(folder / "state", folder / "out/images.h5", int(sys.argv[2]), "a")
    for batch in packing.run(work, ([i] for i in range(100)), 1, 100, "images"):
        pass
    packing.complete({})
    packing.hand_over()
except UserError as error:
    print(error)
"""


@pytest.mark.parametrize("limit", [2_000, 20_000, 123_000])
def test_a_full_disk_is_a_user_error_after_which_the_work_goes_on(tmp_path, limit):
    """A limit on the file size stands in for the disk: for the room of the pixels, the pixels, and the index."""

    def run(size: int, most: int) -> str:
        command = [sys.executable, "-c", FULL_DISK, str(tmp_path), str(size), str(most)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert run(120_000, limit).startswith("cannot write")
    assert list((tmp_path / "out").iterdir()) == []
    assert run(120_000, 10**9) == ""
    assert zlib.crc32(Store(tmp_path / "out/images.h5").read(99)) == zlib.crc32(bytes(1200))
