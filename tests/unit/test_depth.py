"""Images of 16 bits: one value is white for the whole data set."""

import logging
from pathlib import Path

import numpy as np
import pytest
from folders import prepare, save
from picture_files import deep_png
from PIL import Image

from luss_core.config import PrepareConfig
from luss_core.data.decode import FULL, decode
from luss_core.data.depth import bits_of, white_of
from luss_core.data.headers import read_header
from luss_core.data.store import Store
from luss_core.io import read_json


def values(largest: int, channels: int = 1, seed: int = 0) -> np.ndarray:
    found = np.random.default_rng(seed).integers(0, largest + 1, (8, 9, channels)).astype(np.uint16)
    found[0, 0, :3] = largest
    return found


def expected(pixels: np.ndarray, white: int) -> np.ndarray:
    """(H, W, 3) by the definition, rounded half up."""
    return np.floor(255 * np.minimum(pixels.astype(float), white) / white + 0.5).repeat(3 // pixels.shape[2], 2)


@pytest.mark.parametrize(("value", "bits"), [(0, 8), (255, 8), (256, 9), (4095, 12), (4096, 13), (FULL, 16)])
def test_bits_of_the_largest_value(value, bits):
    assert bits_of(value) == bits


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("white", [300, 4095, 65535])
def test_white_becomes_255(tmp_path, channels, white):
    pixels = values(4095, channels)
    found = decode(deep_png(tmp_path / "x.png", pixels), 100, white).pixels
    np.testing.assert_allclose(found, expected(pixels, white), atol=1 if white == FULL else 0)


@pytest.mark.parametrize("channels", [2, 4])
def test_transparency_of_16_bits_has_the_full_range(tmp_path, channels):
    pixels = values(4095, channels)
    pixels[..., -1] = FULL
    pixels[3, 3, -1] = 0
    assert white_of(tmp_path, [deep_png(tmp_path / "x.png", pixels).name], 1) == (4095, 4095)
    assert read_header(tmp_path / "x.png", 64, 100).deep
    found = decode(tmp_path / "x.png", 100, 4095).pixels
    wanted = expected(pixels[..., :-1], 4095)
    wanted[3, 3] = 255
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_tiff_is_read_as_png(tmp_path, compression):
    pixels = values(1000)
    Image.fromarray(pixels[..., 0]).save(tmp_path / "x.tif", compression=compression)
    np.testing.assert_array_equal(decode(tmp_path / "x.tif", 100, 1023).pixels, expected(pixels, 1023))


def test_pgm_says_itself_what_is_white(tmp_path):
    pixels = values(4095)
    (tmp_path / "x.pgm").write_bytes(b"P5 9 8 4095\n" + pixels.astype(">u2").tobytes())
    np.testing.assert_allclose(decode(tmp_path / "x.pgm", 100, 1023).pixels, expected(pixels, 4095), atol=1)


def test_the_white_of_a_data_set_is_above_all_its_files(tmp_path):
    """Also above those that are not in the sample; a broken file does not matter."""
    names = [f"{i}.png" for i in range(12)]
    for i, name in enumerate(names):
        deep_png(tmp_path / name, values(3000 if i == 7 else 200, 3 if i % 2 else 1))
    (tmp_path / "11.png").write_bytes(b"broken")
    assert white_of(tmp_path, names, 1, sample=2) == (4095, 3000)
    assert white_of(tmp_path, names[:6], 1) == (255, 200)
    assert white_of(tmp_path, [], 1) == (FULL, 0)


def folder(root: Path) -> Path:
    for i, largest in enumerate((1500, 4000, 900, 3000)):
        deep_png(root / f"{i}.png", values(largest, seed=i))
    save(root / "eight.jpg")
    return root


def test_prepare_reads_all_alike_and_says_so(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    root, out = folder(tmp_path / "data"), tmp_path / "out"
    prepare(PrepareConfig(), root=root, out=out, threads=1)
    for row, largest in enumerate((1500, 4000, 900, 3000)):
        np.testing.assert_array_equal(Store(out / "images.h5").read(row), expected(values(largest, seed=row), 4095))
    assert "depth: 4 images of 16 bits (e.g. 0.png); largest value 4000" in caplog.text
    assert "in images of 16 bits the value 4095 (12 bits) is white, in all alike" in caplog.text
    (question,) = read_json(out / "summary.json")["look"]["questions"]
    assert question == (
        "images of 16 bits are read with 4095 as white, since no value is above 4000: for another white set"
        " prepare.white_of_16_bits"
    )


def test_the_setting_decides(tmp_path):
    root, out = folder(tmp_path / "data"), tmp_path / "out"
    prepare(PrepareConfig(white_of_16_bits=1000), root=root, out=out, threads=1)
    np.testing.assert_array_equal(Store(out / "images.h5").read(1), expected(values(4000, seed=1), 1000))
    look = read_json(out / "summary.json")["look"]
    assert look["questions"] == []
    assert "in images of 16 bits the value 1000 is white, in all alike" in look["plan"]
