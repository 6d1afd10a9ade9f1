"""Long names: temporary files fit where the final ones do, and what cannot fit is set aside before any work."""

import os

import numpy as np
import pytest
from folders import PATIENT, prepare, rejected, save

from luss_core import io
from luss_core.config import PrepareConfig
from luss_core.data.images import ListedFile, read_images
from luss_core.data.masks import read_mask, write_mask
from luss_core.data.outputs import NameLimits, ignores_case


@pytest.mark.parametrize("stem", ["x" * 251, "é" * 125, "x" * 64, "m"])
def test_a_mask_is_written_under_the_longest_name_there_is(tmp_path, stem):
    write_mask(tmp_path / f"{stem}.png", np.ones((2, 3), np.uint16))
    assert read_mask(tmp_path / f"{stem}.png").sum() == 6
    assert [path.name for path in tmp_path.iterdir()] == [f"{stem}.png"]


def test_a_folder_is_filled_under_the_longest_name_there_is(tmp_path):
    with io.atomic_folder(tmp_path / ("x" * 255)) as partial:
        (partial / "a").touch()
    assert (tmp_path / ("x" * 255) / "a").is_file()


@pytest.mark.parametrize("length", range(1, 256, 6))
def test_temporary_names_are_hardly_longer_than_the_final_one(tmp_path, length):
    name = io.partial_name(tmp_path / ("x" * length)).name
    assert len(name) <= max(length, io.LONG_NAME + len("..partial"))


def test_temporary_names_of_long_names_differ(tmp_path):
    assert io.partial_name(tmp_path / ("x" * 250 + "1")) != io.partial_name(tmp_path / ("x" * 250 + "2"))


def test_photographs_whose_outputs_cannot_be_named_are_set_aside(tmp_path):
    root, out = tmp_path / "data", tmp_path / "out"
    fits, second = save(root / f"{'y' * 250}.jpg"), save(root / f"{'y' * 250}.bmp", seed=1)
    for i in range(25):
        save(root / f"{i}.jpg", seed=i)
    prepare(PrepareConfig(), root=root, out=out, threads=1)
    (reason,) = rejected(out).items()
    assert reason == (
        second.name,
        "name too long: its mask would have a name of 258 bytes, of 255 allowed; shorten it",
    )
    assert fits.name in read_images(out / "images.csv").path


def test_the_limits_of_the_disk_of_the_results_count(tmp_path, monkeypatch):
    """As with eCryptfs, whose names have 143 bytes."""
    monkeypatch.setattr(os, "pathconf", lambda _, name: {"PC_NAME_MAX": 143, "PC_PATH_MAX": 4096}[name])
    limits = NameLimits(tmp_path / "not" / "yet" / "there")
    assert limits.reason(ListedFile("train", "cat/" + "x" * 139, "", "", "")) == ""
    assert "of 144 bytes, of 143" in limits.reason(ListedFile("train", "cat/" + "x" * 140, "", "", ""))
    assert "144 bytes" in limits.reason(ListedFile("train", "ü" * 70, "", "", ""))
    deep = "/".join(["x" * 100] * 40)
    assert limits.reason(ListedFile("train", deep, "", "", "")).startswith("path too long")
    save(tmp_path / "data" / f"{'z' * 150}.jpg")
    save(tmp_path / "data/1.jpg")
    prepare(PATIENT, root=tmp_path / "data", out=tmp_path / "out", threads=1)
    assert list(rejected(tmp_path / "out")) == [f"{'z' * 150}.jpg"]


def test_this_disk_tells_cases_apart_or_does_not(tmp_path):
    (tmp_path / "a").touch()
    assert ignores_case(tmp_path) == (tmp_path / "A").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
