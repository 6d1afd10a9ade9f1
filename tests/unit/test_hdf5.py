"""HDF5 files that are damaged, held by another program, or written by another: told apart, in one line."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from hdf5_files import ABOUT, IMAGES, clusters, features, read_store, scored
from stores import write_store

from luss_core.data.features import Features, read_clusters
from luss_core.data.scored import read_scored, scored_images
from luss_core.data.store import Store
from luss_core.errors import UserError

FILES: dict[str, tuple[Callable[[Path], Path], Callable[[Path], object], str]] = {
    "images.h5": (lambda path: write_store(path, IMAGES, ABOUT), read_store, "prepare"),
    "features.h5": (features, lambda path: list(Features(path).blocks()), "extract"),
    "clusters.h5": (clusters, read_clusters, "cluster"),
    "scored.h5": (scored, lambda path: [read_scored(image) for image in scored_images(path).values()], "infer"),
}


@pytest.fixture(params=FILES)
def file(request, tmp_path):
    make, read, stage = FILES[request.param]
    return make(tmp_path / request.param), read, stage


def test_one_flipped_bit_anywhere_is_found_or_changes_nothing(file):
    path, read, stage = file
    whole, expected = path.read_bytes(), repr(read(path))
    random = np.random.default_rng(0)
    for place in random.integers(0, len(whole), 150).tolist():
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << int(random.integers(8))]) + whole[place + 1 :])
        found, said = outcome(read, path)
        if said:
            assert re.fullmatch(rf".*{path.name} is damaged.*run the stage {stage} again", said), place
        else:
            assert found == expected, place
            assert 105 <= place < 512, "only what follows the checksum in the first block says nothing"


def outcome(read: Callable[[Path], object], path: Path) -> tuple[str, str]:
    """What was read, and what was said."""
    try:
        return repr(read(path)), ""
    except UserError as error:
        return "", str(error)


@pytest.mark.parametrize("damage", ["short", "zeros", "empty", "text"])
def test_damage_is_named(file, damage):
    path, read, stage = file
    whole = path.read_bytes()
    path.write_bytes({"short": whole[:-1], "zeros": bytes(len(whole)), "empty": b"", "text": b"<html>" * 99}[damage])
    with pytest.raises(
        UserError, match=rf"{path.name} is damaged or cut short \(.*\); delete it and run the stage {stage}"
    ):
        read(path)


HOLDER = "import h5py, sys; file = h5py.File(sys.argv[1], 'r+'); print(flush=True); sys.stdin.read()"


def test_a_file_that_another_program_has_open_may_be_whole(file):
    path, read, _ = file
    expected = repr(read(path))
    with subprocess.Popen([sys.executable, "-c", HOLDER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        with pytest.raises(UserError) as error:
            read(path)
        text = str(error.value)
        who = (
            rf"another program \(python\S*, process {other.pid}\)"
            if Path("/proc/locks").exists()
            else "another program"
        )
        assert re.match(
            rf"{re.escape(str(path))} is locked: {who} has it open for writing\. Close it there and run", text
        )
        assert "delete" not in text
        assert "damaged" not in text
        other.communicate()
    assert repr(read(path)) == expected  # opening it for writing has changed nothing


def test_files_of_other_programs_are_not_deleted(file):
    path, read, stage = file
    with h5py.File(path, "w") as other:
        other["theirs"] = np.arange(9)
    with pytest.raises(UserError) as error:
        read(path)
    assert (
        f"has no checksum: an older version or another program wrote it. Move it away and run the stage {stage}"
        in str(error.value)
    )
    assert "delete" not in str(error.value)


def test_a_file_of_another_stage_is_not_called_damaged(tmp_path):
    clusters(tmp_path / "features.h5")
    said = r"features\.h5 is not what the stage extract writes \(.*\); move it away and run the stage extract again"
    with pytest.raises(UserError, match=said):
        Features(tmp_path / "features.h5")


def test_a_folder_in_place_of_a_file(tmp_path):
    (tmp_path / "features.h5").mkdir()
    with pytest.raises(
        UserError, match=r"features\.h5 cannot be read \(Is a directory\); check its rights and the disk"
    ):
        Features(tmp_path / "features.h5")


def test_a_store_that_is_cut_while_it_is_read(tmp_path):
    path = write_store(tmp_path / "images.h5", IMAGES, ABOUT)
    store = Store(path)
    assert np.array_equal(store.read(0), IMAGES[0])
    os.truncate(path, 5000)
    with pytest.raises(UserError, match="was cut short while it was read; run the stage prepare again"):
        store.read(1)


def test_provenance_is_what_it_was(tmp_path):
    with h5py.File(features(tmp_path / "features.h5")) as file:
        assert json.loads(file.attrs["provenance"]) == ABOUT
