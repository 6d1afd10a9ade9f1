"""What files hold, and files that are read once."""

import subprocess
import sys

import numpy as np
import pytest
from folders import put, save
from PIL import Image

from luss_core.data import contents
from luss_core.data.decode import decode
from luss_core.data.mask_pixels import read_pixels


@pytest.mark.parametrize("suffix", [".jpg", ".JPG", ".png", ".webp", ".tif", ".bmp"])
@pytest.mark.parametrize("size", [0, 1, 2 * contents.END, 2 * contents.END + 1, 100_000])
def test_a_file_that_is_read_once_has_the_digest_of_the_file(tmp_path, suffix, size):
    file = tmp_path / f"a{suffix}"
    put(file, bytes(i % 251 for i in range(size)))
    data, digest = contents.read_once(tmp_path, file.name)
    assert digest == contents.content(file) == contents.held(tmp_path, file.name) != ""
    assert data == (None if suffix in (".tif", ".bmp") else file.read_bytes())


def test_large_and_missing_files_are_left_to_the_decoder(tmp_path, monkeypatch):
    monkeypatch.setattr(contents, "MOST", 100)
    put(tmp_path / "a.jpg", bytes(101))
    assert contents.read_once(tmp_path, "a.jpg") == (None, contents.content(tmp_path / "a.jpg"))
    assert contents.read_once(tmp_path, "b.jpg") == contents.NOTHING


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "I;16"])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize("short_side", [30, 60, 1000])
def test_from_memory_a_file_is_decoded_as_from_the_disk(tmp_path, mode, suffix, short_side):
    image = Image.new("I;16", (9, 7), 513) if mode == "I;16" else picture_of(mode)
    try:
        image.save(tmp_path / f"a{suffix}")
    except OSError:
        pytest.skip("the format has no such mode")
    file = tmp_path / f"a{suffix}"
    data = contents.read_once(tmp_path, file.name).data
    here, there = decode(file, short_side, data=data), decode(file, short_side)
    np.testing.assert_array_equal(here.pixels, there.pixels)
    assert here[1:] == there[1:]
    if suffix == ".png":
        np.testing.assert_array_equal(read_pixels(file, data=data).values, read_pixels(file).values)


def picture_of(mode: str) -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 256, (60, 90, 4), np.uint8)
    return Image.fromarray(noise).convert(mode)


def test_decoded_from_memory_the_file_is_not_opened(tmp_path):
    file = save(tmp_path / "a.jpg")
    expected, data = decode(file, 20).pixels, contents.read_once(tmp_path, "a.jpg").data
    file.unlink()
    np.testing.assert_array_equal(decode(file, 20, data=data).pixels, expected)


def test_the_formats_that_are_loaded_are_all_that_pillow_has():
    code = """
from PIL import Image
from luss_core.data.decode import FORMATS, _formats
found = _formats()
Image.init()
assert found == tuple(name for name in FORMATS if name in Image.OPEN), found
assert len(found) >= 9, found
"""
    subprocess.run([sys.executable, "-c", code], check=True)
