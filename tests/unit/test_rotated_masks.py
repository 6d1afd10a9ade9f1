"""Masks of photographs that EXIF turns: which way they lie is told by sizes, by others, or by the setting."""

import numpy as np
import pytest
from folders import save
from mask_files import prepared, write
from PIL import ExifTags, Image

from luss_core.data.decode import UPRIGHT, decode
from luss_core.data.masks import MaskFile
from luss_core.errors import UserError
from luss_core.metrics.segmented import check_images, segmented_images


def stored_mask(height: int, width: int) -> np.ndarray:
    """No turn or flip leaves it as it is."""
    mask = np.zeros((height, width), np.uint8)
    mask[0, : width // 2], mask[: height // 2, 0] = 1, 2
    return mask


def upright(mask: np.ndarray, orientation: int) -> np.ndarray:
    image = Image.fromarray(mask)
    return np.asarray(image.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else image)


def photograph(root, name, height, width, orientation, mask):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    save(root / f"{name}.jpg", height, width, exif=exif)
    write(root / f"masks/{name}.png", mask)


def read(images) -> list[np.ndarray]:
    return [images.truth(row).read() for row in range(len(images))]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_mask_is_turned_as_its_photograph(tmp_path, orientation):
    mask = stored_mask(24, 36)
    path = write(tmp_path / "x.png", mask)
    file = MaskFile(path, orientation=orientation)
    np.testing.assert_array_equal(file.read(), upright(mask, orientation))
    assert file.size() == file.read().shape
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    picture = Image.fromarray(mask * 80)
    picture.save(tmp_path / "x.jpg", exif=exif, quality=100)
    decoded = decode(tmp_path / "x.jpg", 100)
    assert decoded.orientation == orientation
    assert np.abs(decoded.pixels[..., 0].astype(int) - 80 * file.read()).mean() < 8


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
@pytest.mark.parametrize("raw", [False, True])
def test_sizes_tell_where_a_photograph_lies_on_its_side(tmp_path, caplog, orientation, raw):
    mask = stored_mask(24, 36)
    photograph(tmp_path / "data", "a", 24, 36, orientation, mask if raw else upright(mask, orientation))
    images, summary = prepared(tmp_path / "data")
    np.testing.assert_array_equal(read(images)[0], upright(mask, orientation))
    assert summary["turned_masks"] == ({"masks/a.png": orientation} if raw else {})
    assert (int(images.height[0]), int(images.width[0])) == (36, 24)
    assert "set prepare.rotated_masks" not in caplog.text


@pytest.mark.parametrize("shape", [(24, 24), (24, 36)])
def test_where_nothing_tells_upright_is_taken_with_a_warning_and_the_key(tmp_path, caplog, shape):
    mask = stored_mask(*shape)
    photograph(tmp_path / "data", "a", *shape, 3, mask)
    images, _ = prepared(tmp_path / "data")
    np.testing.assert_array_equal(read(images)[0], mask)
    warning = next(record.getMessage() for record in caplog.records if record.levelname == "WARNING")
    assert "1 photographs with masks are turned by their EXIF tag" in warning
    assert "sizes do not tell of 1, such as 'masks/a.png': taken as upright, a guess" in warning
    assert "set prepare.rotated_masks: raw, else upright" in warning


@pytest.mark.parametrize("raw", [False, True])
def test_others_tell_if_they_agree(tmp_path, caplog, raw):
    side, square = stored_mask(24, 36), stored_mask(24, 24)
    for name in "bc":
        photograph(tmp_path / "data", name, 24, 36, 6, side if raw else upright(side, 6))
    photograph(tmp_path / "data", "a", 24, 24, 3, square)
    with caplog.at_level("INFO"):
        images, _ = prepared(tmp_path / "data")
    np.testing.assert_array_equal(read(images)[0], upright(square, 3) if raw else square)
    assert f"taken as {'raw' if raw else 'upright'}, as the others" in caplog.text
    assert "set prepare.rotated_masks" not in caplog.text


def test_others_that_disagree_leave_a_guess(tmp_path, caplog):
    side, square = stored_mask(24, 36), stored_mask(24, 24)
    photograph(tmp_path / "data", "a", 24, 24, 8, square)
    photograph(tmp_path / "data", "b", 24, 36, 6, side)
    photograph(tmp_path / "data", "c", 24, 36, 6, upright(side, 6))
    images, summary = prepared(tmp_path / "data")
    assert summary["turned_masks"] == {"masks/b.png": 6}
    np.testing.assert_array_equal(read(images)[0], square)
    assert "by their sizes 1 masks lie over the photograph as it is shown (upright), 1 over the pixels" in caplog.text
    assert "a guess" in caplog.text


def test_the_setting_decides(tmp_path, caplog):
    mask = stored_mask(24, 36)
    photograph(tmp_path / "data", "a", 24, 36, 3, mask)
    images, _ = prepared(tmp_path / "data", rotated_masks="raw")
    np.testing.assert_array_equal(read(images)[0], upright(mask, 3))
    images, _ = prepared(tmp_path / "data", rotated_masks="upright")
    np.testing.assert_array_equal(read(images)[0], mask)
    assert "set prepare.rotated_masks" not in caplog.text


def test_a_mask_of_the_other_size_than_the_setting_says_cannot_be_used(tmp_path):
    photograph(tmp_path / "data", "a", 24, 36, 6, stored_mask(24, 36))
    with pytest.raises(
        UserError, match=r"mask of 24 x 36 pixels for an image of 36 x 24 .*orientation 6, rotated_masks up"
    ):
        prepared(tmp_path / "data", rotated_masks="upright")


def test_photographs_without_the_tag_are_read_as_they_are(tmp_path, caplog):
    mask = stored_mask(24, 36)
    photograph(tmp_path / "data", "a", 24, 36, 1, mask)
    images, _ = prepared(tmp_path / "data", rotated_masks="raw")
    np.testing.assert_array_equal(read(images)[0], mask)
    assert caplog.text == ""


def test_evaluate_compares_the_size_of_the_turned_mask(tmp_path):
    mask = stored_mask(24, 36)
    photograph(tmp_path / "data", "a", 24, 36, 6, mask)
    images, _ = prepared(tmp_path / "data")
    write(tmp_path / "masks/train/a.png", np.zeros((36, 24, 3), np.uint8))
    found = segmented_images(images, "train", tmp_path / "masks", None)
    check_images(found)
    assert found[0].truth is not None
    np.testing.assert_array_equal(found[0].truth.read(), upright(mask, 6))
