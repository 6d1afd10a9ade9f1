"""Stores with altered bytes are found, and the message names file and remedy."""

import re
import subprocess
import sys

import h5py
import numpy as np
import pytest
from stores import altered, write_store

from luss_core.__main__ import main
from luss_core.data.verify import verify
from luss_core.errors import UserError

IMAGES = [np.random.default_rng(i).integers(0, 256, (4 + i, 5, 3), np.uint8) for i in range(6)]


@pytest.mark.parametrize("spare", [0, 50])
def test_a_whole_store_passes(tmp_path, spare):
    assert len(verify(write_store(tmp_path / "images.h5", IMAGES, {}, spare=spare))) == 6
    assert len(verify(write_store(tmp_path / "prior.h5", [image[..., :1] for image in IMAGES], {}))) == 6


def test_altered_pixels_are_found(tmp_path):
    path = write_store(tmp_path / "images.h5", IMAGES, {})
    content = bytearray(path.read_bytes())
    for row in (2, 5):
        content[content.index(IMAGES[row].tobytes()) + 7] ^= 128
    path.write_bytes(content)
    found = r"images.h5 is damaged: 2 of 6 images .* the first in row 2 .*; delete it and run the stage prepare again"
    with pytest.raises(UserError, match=found):
        verify(path)


@pytest.mark.parametrize("name", ["offset", "height", "width", "checksum"])
def test_an_altered_index_is_found(tmp_path, name):
    path = write_store(tmp_path / "prior.h5", IMAGES, {})
    with altered(path) as file:
        file[name][3] += 1
    with pytest.raises(UserError, match=r"prior.h5 is damaged: its index .* run the stage prior again"):
        verify(path)


def test_a_store_without_checksum_says_so(tmp_path):
    path = tmp_path / "images.h5"
    with h5py.File(path, "w") as file:
        file["pixels"] = np.zeros(9, np.uint8)
    with pytest.raises(
        UserError, match=r"has no checksum: an older version .* wrote it. Move it away and run the stage"
    ):
        verify(path)


def test_the_command(tmp_path, capsys):
    path = write_store(tmp_path / "images.h5", IMAGES, {})
    main(["check-store", str(path), str(path)])
    line = r"\S+images.h5: 6 images as they were written, [\d.e-]+ GB; read in random order: \d+ images/s, \d+ MB/s\n"
    assert re.fullmatch(line * 2, capsys.readouterr().out)
    path.write_bytes(path.read_bytes()[:-3000])
    done = subprocess.run([sys.executable, "-m", "luss_core", "check-store", str(path)], capture_output=True, text=True)
    assert done.returncode == 1
    assert re.fullmatch(r"error: .*images.h5 is (damaged or )?cut short.*run the stage prepare again\n", done.stderr)
    with pytest.raises(UserError, match="nowhere.h5 does not exist; run the stage prepare"):
        main(["check-store", str(tmp_path / "nowhere.h5")])
