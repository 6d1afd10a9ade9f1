"""The stage prepare on folders with everything that goes wrong in practice."""

import os
import re
from types import SimpleNamespace

import numpy as np
import pytest
from folders import OUTPUTS, PATIENT, imagenet_s, prepare, put, rejected, save
from picture_files import bomb, picture
from PIL import ExifTags, Image

from luss_core import io
from luss_core.config import PrepareConfig
from luss_core.data.images import read_expected, read_images
from luss_core.data.masks import write_mask
from luss_core.data.store import Store
from luss_core.errors import UserError


def test_rows_of_list_and_store_agree(tmp_path):
    root, out = imagenet_s(tmp_path / "data"), tmp_path / "out"
    prepare(PrepareConfig(short_side=45), root=root, out=out, threads=1, classes=2)
    images, store = read_images(out / "images.csv"), Store(out / "images.h5")
    assert sorted({p.name for p in out.iterdir()} - {"identical.csv"}) == OUTPUTS
    assert images.splits == ("train", "validation", "test")
    assert len(images) == len(store) == 14
    assert list(images.id)[:6] == ["cat/0", "cat/1", "cat/2", "dog/0", "dog/1", "dog/2"]
    assert images.class_names(2) == ["other", "cat", "dog"]
    for row in range(len(images)):
        with Image.open(images.root / images.path[row]) as image:
            assert (images.height[row], images.width[row]) == image.size[::-1]
            expected = image.convert("RGB").resize(store.read(row).shape[1::-1], Image.Resampling.BICUBIC)
        assert min(store.read(row).shape[:2]) == 45
        assert np.abs(store.read(row).astype(int) - np.asarray(expected)).mean() < 3
        split = images.split[row]
        assert images.mask[row] == ("" if split == "train" else f"{split}-segmentation/{images.id[row]}.png")
    summary = io.read_json(out / "summary.json")
    assert summary["images"] == summary["expected"] == {"train": 6, "validation": 4, "test": 4}
    assert summary["masks"] == {"validation": 4, "test": 4}
    assert summary["benchmark"] is None
    assert (summary["categories"], summary["largest_mask_id"], summary["rejected"]) == (["cat", "dog"], 2, 0)
    assert summary["provenance"]["settings"]["prepare"]["short_side"] == 45


def test_the_log_says_how_large_the_store_is_and_how_fast_it_reads(tmp_path, caplog):
    with caplog.at_level("INFO"):
        prepare(PrepareConfig(), root=imagenet_s(tmp_path / "data"), out=tmp_path / "out", threads=1)
    assert re.search(r"images.h5: [\d.e-]+ GB; read in random order: \d+ images/s, \d+ MB/s", caplog.text)


def test_outputs_do_not_depend_on_the_number_of_processes(tmp_path):
    root = imagenet_s(tmp_path / "data")
    put(root / "train/cat/broken.jpg", b"")
    for threads in (1, 2):
        prepare(PATIENT, root=root, out=tmp_path / str(threads), threads=threads)
    for name in OUTPUTS:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes(), name


def test_files_that_cannot_be_used_are_set_aside_and_listed(tmp_path):
    root = tmp_path / "data"
    whole = save(root / "cat/whole.jpg", 200, 300).read_bytes()
    put(root / "cat/truncated.jpg", whole[: len(whole) // 2])
    put(root / "cat/empty.png", b"")
    put(root / "cat/text.jpg", b"not an image")
    bomb(root / "huge.png")
    save(root / "twice.jpg", seed=1)
    save(root / "twice.png", seed=2)
    put(root / "second.jpg", b"broken")
    save(root / "second.png", 33, 44)
    (root / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    Image.fromarray(np.zeros((9, 9), np.float32)).save(root / "float.tif")
    out = tmp_path / "out"
    prepare(PATIENT, root=root, out=out, threads=1)
    reasons = rejected(out)
    expected = {
        "cat/truncated.jpg": "truncated",
        "cat/empty.png": "empty file",
        "cat/text.jpg": "not an image",
        "huge.png": "400 megapixels, more than prepare.max_megapixels = 64",
        "second.jpg": "not an image",
        "gone.jpg": "link to a file that does not exist",
        "float.tif": "no known range",
    }
    assert reasons.keys() == expected.keys()
    for path, reason in expected.items():
        assert reason in reasons[path]
        assert str(tmp_path) not in reasons[path]
    images, store = read_images(out / "images.csv"), Store(out / "images.h5")
    assert list(images.path) == ["cat/whole.jpg", "second.png", "twice.jpg", "twice.png"]
    assert list(images.id) == ["cat/whole", "second.png", "twice", "twice.png"]
    assert store.read(1).shape == (33, 44, 3)
    for row, seed in ((2, 1), (3, 2)):
        colour = np.asarray(picture(60, 90, seed)).mean((0, 1))
        np.testing.assert_allclose(store.read(row).mean((0, 1)), colour, atol=2)


def test_unusual_files_are_used(tmp_path):
    root, exif = tmp_path / "data", Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    save(root / "a/turned.JPEG", 50, 80, exif=exif)
    save(root / "ünïcode, with \n everything.WebP")
    save(root / os.fsdecode(b"latin-\xe9.png"))
    save(root / "b/deep/er/x.y.tif")
    save(tmp_path / "elsewhere.png")
    (root / "link.png").symlink_to(tmp_path / "elsewhere.png")
    for name in (".hidden.jpg", "__MACOSX/a/._turned.jpg", "notes.txt", "Thumbs.db", "README", "movie.mp4"):
        put(root / name, b"something else")
    out = tmp_path / "out"
    prepare(PrepareConfig(max_rejected_fraction=0), root=root, out=out, threads=1)
    images = read_images(out / "images.csv")
    assert set(images.path) == {
        "a/turned.JPEG",
        "ünïcode, with \n everything.WebP",
        os.fsdecode(b"latin-\xe9.png"),
        "b/deep/er/x.y.tif",
        "link.png",
    }
    turned = list(images.id).index("a/turned")
    assert (images.height[turned], images.width[turned], images.folder[turned]) == (80, 50, "a")
    assert Store(out / "images.h5").read(turned).shape == (80, 50, 3)
    assert "b/deep/er/x.y" in images.id
    assert images.folder[list(images.id).index("b/deep/er/x.y")] == "b"
    assert rejected(out) == {}
    assert {kind["kind"]: kind["count"] for kind in io.read_json(out / "summary.json")["left_out"]} == {
        "videos": 1,
        "hidden files or folders": 1,
        "thumbnails, bins and other things of the system": 2,
        "other files": 1,
        "files without a suffix": 1,
    }


def test_masks_that_cannot_be_used_are_listed_and_their_images_kept(tmp_path):
    root, out = imagenet_s(tmp_path / "data"), tmp_path / "out"
    masks = root / "validation-segmentation"
    for i in range(5, 9):
        save(root / f"validation/dog/{i}.jpg", 60, 90)
        write_mask(masks / f"dog/{i}.png", np.ones((60, 90), np.uint16))
    (masks / "cat/0.png").unlink()
    write_mask(masks / "cat/1.png", np.zeros((120, 91), np.uint16))
    put(masks / "dog/0.png", (masks / "dog/0.png").read_bytes()[:60])
    write_mask(masks / "dog/stray.png", np.zeros((9, 9), np.uint16))
    put(root / "validation/dog/1.jpg", b"broken")
    prepare(PATIENT, root=root, out=out, threads=1)
    reasons = rejected(out)
    expected = {
        "validation/cat/0.jpg": "mask missing; the image is kept",
        "validation-segmentation/cat/1.png": "mask of 120 x 91 pixels for an image of 91 x 120",
        "validation-segmentation/dog/0.png": "cannot be read as a mask",
        "validation-segmentation/dog/stray.png": "mask without an image",
        "validation/dog/1.jpg": "not an image",
    }
    assert reasons.keys() == expected.keys()
    assert all(reason in reasons[path] for path, reason in expected.items())
    images = read_images(out / "images.csv")
    assert [images.mask[row] for row in images.rows("validation")][:3] == ["", "", ""]
    assert [images.mask[row] for row in images.rows("validation")][3] == "validation-segmentation/dog/5.png"
    assert all(images.mask[row] for row in images.rows("test"))
    summary = io.read_json(out / "summary.json")
    assert (summary["rejected"], summary["noted"], summary["masks"]) == (1, 4, {"validation": 4, "test": 4})
    # with the image that only the stray mask tells of
    assert summary["expected"] == read_expected(out / "images.csv") == {"train": 6, "validation": 9, "test": 4}


def test_a_mask_is_compared_with_the_upright_image(tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 8
    save(tmp_path / "data/x.jpg", 50, 80, exif=exif)
    mask = np.zeros((80, 50), np.uint8)
    mask[3:9, 4:9], mask[0] = 3, 255
    (tmp_path / "data/truth").mkdir()
    Image.fromarray(mask).save(tmp_path / "data/truth/x.png")
    prepare(PrepareConfig(masks="truth"), root=tmp_path / "data", out=tmp_path / "out", threads=1, classes=3)
    assert list(read_images(tmp_path / "out/images.csv").mask) == ["truth/x.png"]
    assert io.read_json(tmp_path / "out/summary.json")["largest_mask_id"] == 3


def test_mask_ids_above_the_number_of_classes_stop_before_any_training(tmp_path):
    root = imagenet_s(tmp_path / "data")
    with pytest.raises(UserError, match=r"4 masks hold ids above classes = 1 \(largest found: 2;[^$]*dog/0.png': 2"):
        prepare(PrepareConfig(), root=root, out=tmp_path / "out", threads=1, classes=1)
    assert not any((tmp_path / "out" / name).exists() for name in OUTPUTS)


def test_masks_outside_the_data_folder(tmp_path):
    save(tmp_path / "data/cat/x.jpg")
    write_mask(tmp_path / "truth/cat/x.png", np.ones((60, 90), np.uint16))
    cfg = PrepareConfig(masks=str(tmp_path / "truth"))
    prepare(cfg, root=tmp_path / "data", out=tmp_path / "out", threads=1)
    images = read_images(tmp_path / "out/images.csv")
    assert (images.root / images.mask[0]).samefile(tmp_path / "truth/cat/x.png")


@pytest.mark.parametrize("folder", [".masks", "seed0/infer/masks"])
def test_masks_in_a_folder_that_is_passed_over_are_found_where_the_settings_say(tmp_path, folder):
    save(tmp_path / "data/cat/x.jpg")
    write_mask(tmp_path / "data" / folder / "cat/x.png", np.ones((60, 90), np.uint16))
    prepare(PrepareConfig(masks=folder), root=tmp_path / "data", out=tmp_path / "out", threads=1)
    assert list(read_images(tmp_path / "out/images.csv").mask) == [f"{folder}/cat/x.png"]


@pytest.mark.parametrize(
    ("masks", "message"),
    [("nowhere", "no such folder"), (".", "no such folder"), ("cat", "no mask fits an image")],
)
def test_useless_mask_folders_are_errors(tmp_path, masks, message):
    save(tmp_path / "data/x.jpg")
    save(tmp_path / "data/cat/y.jpg")
    with pytest.raises(UserError, match=message):
        prepare(PrepareConfig(masks=masks), root=tmp_path / "data", out=tmp_path / "out", threads=1)


def test_folders_without_images_are_errors(tmp_path):
    put(tmp_path / "file.jpg", b"x")
    put(tmp_path / "texts/a.doc", b"x")
    (tmp_path / "empty").mkdir()
    for name, message in (
        ("missing", "missing does not exist; give a folder"),
        ("file.jpg", "file.jpg is a file; give a folder"),
        ("empty", "holds no images; found: nothing"),
        ("texts", "holds no images; found: 1 other file (.doc, e.g. a.doc). Give"),
    ):
        with pytest.raises(UserError, match=re.escape(message)):
            prepare(PrepareConfig(), root=tmp_path / name, out=tmp_path / "out", threads=1)


@pytest.mark.parametrize("kind", ["header", "body"])
def test_too_many_rejected_is_an_error_with_a_list_that_stays(tmp_path, kind):
    root, out = tmp_path / "data", tmp_path / "out"
    whole = save(root / "0.jpg", 200, 300).read_bytes()
    for i in range(1, 20):
        put(root / f"{i:02d}.jpg", whole if i > 7 else whole[: 20 if kind == "header" else len(whole) // 2])
    for cfg in (PrepareConfig(max_rejected_fraction=0.3), PrepareConfig(max_rejected_fraction=0.34)):
        with pytest.raises(
            UserError, match=r"7 of 20 images cannot be used.*\n  '01.jpg': .* \(and 6 more like it\)$"
        ) as error:
            prepare(cfg, root=root, out=out, threads=1)
        assert str(error.value).count("\n") == 1
        assert [p.name for p in out.iterdir()] == ["unusable.csv"]
        assert len(rejected(out, "unusable.csv")) == 7
    prepare(PrepareConfig(max_rejected_fraction=0.35), root=root, out=out, threads=1)
    assert sorted({p.name for p in out.iterdir()} - {"identical.csv"}) == OUTPUTS


def test_no_usable_image_is_an_error_whatever_the_limit(tmp_path):
    put(tmp_path / "data/x.jpg", b"broken")
    with pytest.raises(UserError, match="1 of 1 images cannot be used"):
        prepare(PATIENT, root=tmp_path / "data", out=tmp_path / "out", threads=1)


def test_an_output_folder_that_cannot_be_written_is_an_error(tmp_path):
    save(tmp_path / "data/x.jpg")
    put(tmp_path / "file", b"")
    with pytest.raises(UserError, match="cannot (write|replace)"):
        prepare(PrepareConfig(), root=tmp_path / "data", out=tmp_path / "file/out", threads=1)


def test_a_disk_without_room_is_found_before_decoding(tmp_path, monkeypatch):
    save(tmp_path / "data/x.jpg")
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=100))
    said = r"images\.h5 needs [\d.]+ kB, 100 bytes are free\. Free some space, or lower prepare\.short_side; then run"
    with pytest.raises(UserError, match=said):
        prepare(PrepareConfig(), root=tmp_path / "data", out=tmp_path / "out", threads=1)


def test_the_results_folder_can_be_moved_with_its_data(tmp_path):
    imagenet_s(tmp_path / "here/data")
    prepare(PrepareConfig(), root=tmp_path / "here/data", out=tmp_path / "here/prepare", threads=1)
    (tmp_path / "here").rename(tmp_path / "there")
    images = read_images(tmp_path / "there/prepare/images.csv")
    assert (images.root / images.path[0]).is_file()
