"""Mask files: the id codec, single-channel masks, refusals, whole-or-nothing writing, nearest resizing."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from luss_core.data import masks
from luss_core.errors import UserError

SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12)
IDS = hnp.arrays(np.int32, SHAPES, elements=st.integers(0, 65535))


@given(IDS)
def test_codec_is_r_plus_256_g(ids: np.ndarray) -> None:
    pixels = masks.encode(ids)
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels[..., 0] + 256 * pixels[..., 1].astype(int), ids)
    assert not pixels[..., 2].any()
    assert np.array_equal(masks.decode(pixels), ids)


def test_known_codes() -> None:
    assert masks.encode(np.array([[0, 1, 255, 256, 919, 1000]])).tolist() == [
        [[0, 0, 0], [1, 0, 0], [255, 0, 0], [0, 1, 0], [151, 3, 0], [232, 3, 0]]
    ]


@pytest.mark.parametrize("wrong", [-1, 65536])
def test_ids_that_do_not_fit_are_refused(wrong: int) -> None:
    with pytest.raises(ValueError, match="outside 0..65535"):
        masks.encode(np.array([[0, wrong]]))


def test_mask_file_round_trip(tmp_path: Path) -> None:
    ids = np.random.default_rng(0).integers(0, 1001, (17, 23)).astype(np.int32)
    path = tmp_path / "cat" / "0001.png"
    masks.write_mask(path, ids)
    found = masks.read_mask(path)
    assert found.dtype == np.int32
    assert np.array_equal(found, ids)
    assert np.array_equal(masks.read_prediction(path), ids)
    assert masks.image_size(path) == (17, 23)
    assert [p.name for p in path.parent.iterdir()] == ["0001.png"]
    with Image.open(path) as image:
        assert image.mode == "RGB"


def test_threshold_keeps_scores_that_reach_it() -> None:
    ids, bins = np.array([[3, 4, 5]]), np.array([[0, 41, 80]], np.uint8)
    assert masks.at_threshold(ids, bins, 0).tolist() == [[3, 4, 5]]
    assert masks.at_threshold(ids, bins, 41).tolist() == [[0, 4, 5]]
    assert masks.at_threshold(ids, bins, 42).tolist() == [[0, 0, 5]]


def test_one_channel_255_is_ignored(tmp_path: Path) -> None:
    values = np.array([[0, 7, 254, 255]], np.uint8)
    Image.fromarray(values).save(tmp_path / "l.png")
    assert masks.read_mask(tmp_path / "l.png").tolist() == [[0, 7, 254, 1000]]
    assert masks.read_prediction(tmp_path / "l.png").tolist() == [[0, 7, 254, 1000]]


def test_palette_index_is_the_id_of_a_truth_but_refused_in_a_prediction(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 7, 255]], np.uint8), "L").convert("P")
    image.putpalette([200, 10, 30] * 256)
    image.save(tmp_path / "p.png")
    assert masks.read_mask(tmp_path / "p.png").tolist() == [[0, 7, 1000]]
    with pytest.raises(UserError, match=r"p\.png: image mode P cannot be a mask here"):
        masks.read_prediction(tmp_path / "p.png")


def test_sixteen_bit_ids_are_taken_as_they_are(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 255, 919, 1000]], np.uint16)).save(tmp_path / "w.png")
    assert masks.read_mask(tmp_path / "w.png").tolist() == [[0, 255, 919, 1000]]


@pytest.mark.parametrize("read", [masks.read_mask, masks.read_prediction, masks.image_size])
def test_missing_and_broken_files_are_named(tmp_path: Path, read: object) -> None:
    assert callable(read)
    with pytest.raises(UserError, match=r"none\.png does not exist"):
        read(tmp_path / "none.png")
    for name, content in (("empty.png", b""), ("text.png", b"no image")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=f"{name} cannot be read as"):
            read(tmp_path / name)


def test_truncated_file_is_not_read_as_a_mask(tmp_path: Path) -> None:
    path = tmp_path / "cut.png"
    masks.write_mask(path, np.random.default_rng(0).integers(0, 900, (64, 64)))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UserError, match=r"cut\.png cannot be read as a mask"):
        masks.read_mask(path)


def test_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: object, path: Path, *__: object, **___: object) -> None:
        Path(path).write_bytes(b"half a file")
        raise OSError(28, "no space left")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(UserError, match="no space left"):
        masks.write_mask(tmp_path / "a.png", np.zeros((3, 3), int))
    assert list(tmp_path.iterdir()) == []


@given(IDS, st.integers(1, 30), st.integers(1, 30))
def test_resize_takes_the_pixel_under_the_centre(ids: np.ndarray, height: int, width: int) -> None:
    found = masks.resize_nearest(ids, height, width)
    assert found.shape == (height, width)
    for y, x in ((0, 0), (height // 2, width // 3), (height - 1, width - 1)):
        source = int((y + 0.5) * ids.shape[0] / height + 1e-9), int((x + 0.5) * ids.shape[1] / width + 1e-9)
        assert found[y, x] == ids[source]


@given(IDS, st.integers(1, 4))
def test_enlarging_and_going_back_changes_nothing(ids: np.ndarray, factor: int) -> None:
    larger = masks.resize_nearest(ids, ids.shape[0] * factor, ids.shape[1] * factor)
    assert np.array_equal(larger, np.kron(ids, np.ones((factor, factor), np.int32)))
    assert np.array_equal(masks.resize_nearest(larger, *ids.shape), ids)
