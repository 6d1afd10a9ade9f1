"""What headers tell: how large a file may be, rotation, pages."""

import pytest
from folders import prepare
from picture_files import bomb, picture
from PIL import ExifTags, Image

from luss_core.config import PrepareConfig
from luss_core.data.headers import HeaderFacts, read_header
from luss_core.data.images import read_images
from luss_core.data.masks import image_size, read_mask, write_mask
from luss_core.data.store import Store


def test_a_photograph_of_108_megapixels_is_used(tmp_path):
    (tmp_path / "data").mkdir()
    Image.new("L", (12_000, 9_000), 90).save(tmp_path / "data/large.jpg")
    prepare(PrepareConfig(), root=tmp_path / "data", out=tmp_path / "out", threads=1)
    images = read_images(tmp_path / "out/images.csv")
    assert (images.height[0], images.width[0]) == (9_000, 12_000)
    assert Store(tmp_path / "out/images.h5").read(0).shape == (72, 96, 3)


@pytest.mark.parametrize(
    ("name", "options", "short_side", "refused"),
    [
        ("x.jpg", {}, 50, ""),
        ("x.jpg", {"progressive": True}, 50, "6 megapixels, more than 4, 4 times .*progressive JPEG"),
        ("x.jpg", {}, 1000, "more than prepare.max_megapixels = 1, and prepare.short_side = 1000 leaves no room"),
        ("x.png", {}, 50, "6 megapixels, more than prepare.max_megapixels = 1$"),
        ("x.tif", {}, 50, "6 megapixels, more than prepare.max_megapixels = 1$"),
        ("x.webp", {}, 50, "6 megapixels, more than prepare.max_megapixels = 1$"),
    ],
)
def test_what_is_reduced_while_it_is_read_may_be_large(tmp_path, name, options, short_side, refused):
    Image.new("RGB", (3000, 2000)).save(tmp_path / name, **options)
    if refused:
        with pytest.raises(ValueError, match=refused):
            read_header(tmp_path / name, 1, short_side)
    else:
        assert read_header(tmp_path / name, 1, short_side)[:2] == (2000, 3000)


def test_a_jpeg_whose_mask_fits_nowhere_is_refused(tmp_path):
    Image.new("L", (16, 16)).save(tmp_path / "x.jpg")
    data = bytearray((tmp_path / "x.jpg").read_bytes())
    place = data.index(b"\xff\xc0") + 5
    data[place : place + 4] = (60_000).to_bytes(2, "big") * 2
    (tmp_path / "x.jpg").write_bytes(data)
    with pytest.raises(ValueError, match="3600 megapixels, more than the 1000 of a JPEG file whose mask fits"):
        read_header(tmp_path / "x.jpg", 64, 72)
    assert read_header(tmp_path / "x.jpg", 4000, 72)[:2] == (60_000, 60_000)


def test_huge_images_are_refused_by_their_header(tmp_path):
    bomb(tmp_path / "x.png")
    limit = Image.MAX_IMAGE_PIXELS
    with pytest.raises(ValueError, match="400 megapixels, more than prepare.max_megapixels = 64"):
        read_header(tmp_path / "x.png", 64, 72)
    assert read_header(tmp_path / "x.png", 500, 72)[:2] == (20_000, 20_000)
    assert limit == Image.MAX_IMAGE_PIXELS


def test_masks_as_large_as_large_photographs_are_read(tmp_path, monkeypatch):
    """Above Pillow's own limit, which would stop the run after all training."""
    import numpy as np

    ids = np.zeros((40, 50), np.uint16)
    ids[3:9] = 2
    write_mask(tmp_path / "x.png", ids)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert image_size(tmp_path / "x.png") == (40, 50)
    np.testing.assert_array_equal(read_mask(tmp_path / "x.png"), ids)


def test_pages_frames_and_rotation_are_counted(tmp_path):
    facts = HeaderFacts()
    more = [picture(seed=seed) for seed in (1, 2)]
    for name in ("a.tif", "b.gif", "c.webp", "d.png"):
        picture().save(tmp_path / name, save_all=True, append_images=more)
    picture().save(tmp_path / "e.tif")
    for name, orientation in (("f.jpg", 6), ("g.jpg", 3), ("h.tif", 6), ("i.webp", 1)):
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        picture().save(tmp_path / name, exif=exif)
    for path in sorted(tmp_path.iterdir()):
        facts.add(path.name, read_header(path, 1, 50))
    assert facts.formats == {"TIFF": 3, "GIF": 1, "WEBP": 2, "PNG": 1, "JPEG": 2}
    assert facts.several_examples == {
        name: (path, 3)
        for name, path in zip(("TIFF", "GIF", "WEBP", "PNG"), ("a.tif", "b.gif", "c.webp", "d.png"), strict=True)
    }
    assert facts.turned == {6: 2, 3: 1}
    assert facts.turned_example == "f.jpg"
