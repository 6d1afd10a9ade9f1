"""The stage prior with a folder of maps, and everything that can be wrong with one."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from prior_data import draw, make, prepared, save_map

from luss_core import io, runs
from luss_core.config import Config, PrepareConfig, PriorConfig
from luss_core.data.images import read_images
from luss_core.data.saliency_folder import fits, read_map
from luss_core.data.store import Store
from luss_core.errors import UserError
from luss_core.stages.prepare import prepare


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return prepared(tmp_path_factory.mktemp("data"))


@pytest.fixture
def folder(data, tmp_path) -> Path:
    """One map for each image, of half its size."""
    listing = read_images(data / "prepare/images.csv")
    for row in range(len(listing)):
        plane = np.full((listing.height[row] // 2, listing.width[row] // 2), 20 * row, np.uint8)
        plane[4:9, 4:9] = 255
        save_map(tmp_path / "maps" / f"{listing.split[row]}/{listing.id[row]}.png", plane)
    return tmp_path / "maps"


def test_a_folder_of_maps_takes_the_place_of_region_contrast(data, folder, tmp_path):
    make(data, tmp_path / "out", folder=str(folder))
    maps, images = Store(tmp_path / "out/prior.h5"), Store(data / "prepare/images.h5")
    listing = read_images(data / "prepare/images.csv")
    np.testing.assert_array_equal(maps.shapes, images.shapes)
    for row in range(9):
        plane = maps.read(row)[..., 0]
        assert plane[-8:].tolist() == np.full_like(plane[-8:], 20 * row).tolist()
        y, x = 13 * plane.shape[0] // listing.height[row], 13 * plane.shape[1] // listing.width[row]
        assert plane[y, x] == 255
    summary = io.read_json(tmp_path / "out/summary.json")
    assert summary["source"] == str(folder)
    assert summary["F"]["prior"] is not None


def test_maps_of_other_resolutions_and_kinds_are_read(tmp_path):
    plane = np.zeros((30, 40), np.uint8)
    plane[10:20, 10:20] = 200
    save_map(tmp_path / "grey.png", plane)
    save_map(tmp_path / "rgb.png", np.stack([plane] * 3, axis=2))
    save_map(tmp_path / "deep.png", plane.astype(np.uint16) * 257)
    save_map(tmp_path / "binary.png", plane > 100)
    for name in ("grey.png", "rgb.png", "deep.png"):
        np.testing.assert_array_equal(read_map(tmp_path / name, 30, 40), plane, err_msg=name)
    np.testing.assert_array_equal(read_map(tmp_path / "binary.png", 30, 40), 255 * (plane > 100))
    small = read_map(tmp_path / "grey.png", 15, 20)
    np.testing.assert_allclose(small[6:9, 6:9], 200, atol=1)
    assert small.mean() == pytest.approx(plane.mean(), rel=0.02)
    assert read_map(tmp_path / "grey.png", 60, 80).shape == (60, 80)
    save_map(tmp_path / "heat.png", np.stack([plane, 255 - plane, plane], axis=2))
    with pytest.raises(ValueError, match="a coloured image"):
        read_map(tmp_path / "heat.png", 30, 40)


def test_ids_that_are_unique_need_no_split_folder(tmp_path):
    for name in ("a/x.jpg", "y.jpg"):
        save_map(tmp_path / "photographs" / name, draw(40, 60, 0)[0])
    prepare(
        PrepareConfig(), root=tmp_path / "photographs", out=tmp_path / "prepare", state=tmp_path / "state", threads=1
    )
    for name, value in (("a/x.png", 90), ("y.png", 180), ("z.png", 1)):  # one too many does no harm
        save_map(tmp_path / "maps" / name, np.full((40, 60), value, np.uint8))
    make(tmp_path, tmp_path / "out", folder=str(tmp_path / "maps"))
    assert [int(Store(tmp_path / "out/prior.h5").read(row).max()) for row in (0, 1)] == [90, 180]


def error_of(data: Path, folder: Path, out: Path) -> str:
    """The message; nothing may be left behind, not even an older output."""
    make(data, out)
    with pytest.raises(UserError) as caught:
        make(data, out, folder=str(folder))
    assert list(out.iterdir()) == []
    return str(caught.value)


def test_missing_and_misnamed_maps_are_one_error(data, folder, tmp_path):
    (folder / "train/cat/1.png").unlink()
    (folder / "test/cat").rename(folder / "test/Cat")
    message = error_of(data, folder, tmp_path / "out")
    assert f"prior.folder {folder} cannot be used:" in message
    assert "3 of 9 images have no map: 'train/cat/1.png', 'test/cat/0.png', 'test/cat/1.png'" in message
    assert "2 maps that fit no image by their name: 'test/Cat/0.png', 'test/Cat/1.png'" in message
    assert "set prior.folder to null" in message


def test_maps_without_split_folders_are_refused_where_ids_repeat(data, folder, tmp_path):
    (folder / "train/cat").rename(folder / "cat")
    message = error_of(data, folder, tmp_path / "out")
    assert (
        "3 of 9 images have no map: 'train/cat/0.png', 'train/cat/1.png', 'train/cat/2.png'\n" in message
    )  # cat/3 is one
    assert "3 maps that fit no image by their name: 'cat/0.png'" in message


def test_maps_of_another_aspect_ratio_are_one_error(data, folder, tmp_path):
    save_map(folder / "train/cat/0.png", np.zeros((60, 40), np.uint8))
    save_map(folder / "validation/cat/1.png", np.zeros((50, 60), np.uint8))
    (folder / "test/cat/0.png").write_bytes(b"")
    message = error_of(data, folder, tmp_path / "out")
    assert "3 maps that cannot be used: 'train/cat/0.png': 60 x 40 for an image of 40 x 60 (h x w)" in message
    assert "'validation/cat/1.png': 50 x 60 for an image of 50 x 50 (h x w)" in message
    assert "'test/cat/0.png': empty file" in message
    assert "no map" not in message


def test_maps_that_cannot_be_decoded_are_one_error(data, folder, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (40, 60), np.uint8)
    save_map(folder / "train/cat/0.png", noise)
    whole = (folder / "train/cat/0.png").read_bytes()
    (folder / "train/cat/0.png").write_bytes(whole[: len(whole) // 2])
    save_map(folder / "test/cat/0.png", np.full((40, 60, 3), (250, 0, 0), np.uint8))
    message = error_of(data, folder, tmp_path / "out")
    assert "2 maps that cannot be used: 'train/cat/0.png'" in message
    assert "'test/cat/0.png': a coloured image" in message


def test_two_maps_for_one_image_are_an_error(data, folder, tmp_path):
    save_map(folder / "train/cat/0.jpg", np.zeros((40, 60), np.uint8))
    assert "1 images with two maps: 'train/cat/0.jpg' and 'train/cat/0.png'" in error_of(data, folder, tmp_path / "out")


def test_maps_in_0_to_1_are_an_error(data, folder, tmp_path):
    for file in folder.rglob("*.png"):
        save_map(file, np.asarray(Image.open(file)) // 255)
    assert "all maps are black; the greatest value is 1 of 255. Write 255" in error_of(data, folder, tmp_path / "out")


def test_a_folder_that_is_not_there_is_found_before_any_work(data, tmp_path):
    assert "no such folder" in error_of(data, tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(UserError, match=r"config: prior.folder: nowhere is not a folder .*null to compute them"):
        runs.saliency_maps(Config(prior=PriorConfig(folder="nowhere")))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"config: prior.folder: .*empty is empty"):
        runs.saliency_maps(Config(prior=PriorConfig(folder=str(tmp_path / "empty"))))
    assert runs.saliency_maps(Config()) is None


@pytest.mark.parametrize(
    ("size", "image", "expected"),
    [
        ((375, 500), (375, 500), True),
        ((192, 256), (375, 500), True),
        ((48, 64), (375, 500), True),
        ((750, 1000), (375, 500), True),
        ((85, 256), (333, 1000), True),
        ((224, 224), (375, 500), False),
        ((500, 375), (375, 500), False),
        ((376, 500), (375, 500), True),
        ((380, 500), (375, 500), False),
    ],
)
def test_a_map_fits_if_its_aspect_ratio_does(size, image, expected):
    assert fits(size, image) is expected
