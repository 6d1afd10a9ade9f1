"""What is said of a folder before the work, by prepare and by the command that only looks."""

import logging
from pathlib import Path

import numpy as np
import pytest
from fake_run import FakeRun, write_data, write_run
from folders import imagenet_s, prepare, put, save
from picture_files import deep_png, picture
from PIL import ExifTags, Image

from luss_core.config import PrepareConfig, ReportConfig
from luss_core.data.look import Look, from_json, look, to_json, with_crop
from luss_core.data.masks import write_mask
from luss_core.errors import UserError
from luss_core.io import read_json, write_json
from luss_core.stages import look as command
from luss_core.stages.look import facts_at, look_at, main, spread
from luss_core.stages.report import report


def holiday(root: Path) -> Path:
    """Photographs of many kinds, each with something that should be said."""
    for number in range(6):
        save(root / "beach" / f"{number}.jpg", 700, 900 + 10 * number, seed=number)
    save(root / "forest" / "same.jpg", 700, 900, seed=0)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    save(root / "forest" / "turned.jpg", 700, 940, seed=20, exif=exif)
    picture(600, 800, 21).save(root / "forest" / "pages.tif", save_all=True, append_images=[picture()])
    deep_png(root / "forest" / "deep.png", np.full((30, 60, 1), 900, np.uint16))
    put(root / "forest" / "broken.jpg", b"no image")
    put(root / "forest" / "film.mov", b"x")
    put(root / "@eaDir" / "film.mov", b"x")
    return root


FOUND = [
    "images: 11 (8 JPEG, 1 PNG, 1 TIFF)",
    "folders: 2 (beach, forest)",
    "sizes (height x width): smallest 30 x 60, median 700 x 920, largest 700 x 950",
    "rotation: 1 stored on their side or mirrored, by their EXIF tag (e.g. forest/turned.jpg)",
    "several pictures in one file: 1 TIFF (e.g. forest/pages.tif with 2)",
    "depth: 1 image of 16 bits (e.g. forest/deep.png); largest value 900",
    "left out: 1 video (.mov, e.g. forest/film.mov): save frames of them as JPEG, or set prepare.video.sources",
    "left out: 1 thumbnail or bin of the system (e.g. @eaDir)",
    "cannot be used: 1 (e.g. forest/broken.jpg): not an image, or of a kind that Pillow does not read",
    "copies: 1 image is the same picture as another, in 1 group (e.g. forest/same.jpg as beach/0.jpg)",
]
PLAN = [
    "learning uses all 10 images",
    "there are no masks, so there are no scores",
    "images are reduced to a shorter side of 72 pixels (prepare.short_side);"
    " 1 of 10 are not larger and stay as they are",
    "in images of 16 bits the value 1023 (10 bits) is white, in all alike",
    "of a file with several pictures the first is used",
    "photographs that lie on their side are turned upright",
]
QUESTIONS = [
    "1 video (.mov, e.g. forest/film.mov): save frames of them as JPEG, or set prepare.video.sources",
    "images of 16 bits are read with 1023 as white, since no value is above 900: for another white set"
    " prepare.white_of_16_bits",
    "1 file with several pages or frames: to use them all, save each as a file",
    "1 copy of other images: each counts once more in learning and in scores; if that is not meant, take them out."
    " prepare lists all in identical.csv",
    "half of the images are made 10 times smaller, or more (prepare.short_side = 72): if small things matter raise it,"
    " which takes more memory and time, or begin with recipes/photographs.yaml",
]


def test_prepare_says_what_it_found_and_keeps_it(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    root, out = holiday(tmp_path / "data"), tmp_path / "out"
    prepare(PrepareConfig(), root=root, out=out, threads=1, crop=80)
    look = from_json(read_json(out / "summary.json")["look"])
    assert look == Look(FOUND, PLAN, QUESTIONS)
    for line in look.lines:
        assert line in caplog.text
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [f"  - {text}" for text in QUESTIONS] == warned[-len(QUESTIONS) :]
    assert "1 of 10 images are smaller than the largest crop, 80 pixels, and are enlarged" in caplog.text


def test_the_command_says_the_same_and_writes_nothing(tmp_path, monkeypatch, capsys):
    root = holiday(tmp_path / "data")
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.chdir(tmp_path)
    main([str(root), "--threads", "1"])
    text = capsys.readouterr().out
    assert sorted(tmp_path.rglob("*")) == before
    assert (
        "images: 11 (8 JPEG, 1 PNG, 1 TIFF); this is a sample: the headers of all and 10 whole files were read" in text
    )
    for line in (*FOUND[1:2], *FOUND[3:], *PLAN[1:], *QUESTIONS):
        assert line in text


def test_of_a_large_folder_the_command_reads_a_sample(tmp_path, monkeypatch):
    for number in range(9):
        save(tmp_path / f"{number}.jpg", seed=number)
    monkeypatch.setattr(command, "HEADERS", 5)
    monkeypatch.setattr(command, "DECODED", 3)
    found = look_at(PrepareConfig(), tmp_path, 1)
    assert found.found[0] == "images: 9 (5 JPEG); this is a sample: 5 headers and 3 whole files were read"
    assert found.plan[0] == "learning uses all 9 images"
    assert spread(range(9), 5) == [0, 2, 4, 6, 8]


def test_splits_masks_and_ids(tmp_path):
    root = imagenet_s(tmp_path)
    found = look_at(PrepareConfig(), root, 1)
    assert "splits: train 6 (in train/), validation 4 (in validation/), test 4 (in test/)" in found.found
    assert "masks: 4 of 4 images of validation, 4 of 4 images of test" in found.found
    assert "masks are read so: 8 coloured as ImageNet-S has it: id = R + 256 G, 1000 is ignored" in found.found
    assert "ids in the masks: 0 in 8, 1 in 4, 2 in 4, ignored in 8" in found.found
    assert found.plan[:2] == [
        "learning uses the 6 images of train",
        "scores are of validation and test, by their masks",
    ]


def test_masks_of_rotated_photographs_are_a_question(tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 3
    save(tmp_path / "images" / "1.jpg", 60, 60, exif=exif)
    write_mask(tmp_path / "masks" / "1.png", np.ones((60, 60), np.uint16))
    (question,) = look_at(PrepareConfig(masks="masks"), tmp_path, 1).questions
    assert "set prepare.rotated_masks: raw" in question


@pytest.mark.parametrize(
    ("settings", "message"),
    [("prepare: {mask: x}", "prepare.mask"), ("prepare: {masks: nowhere}", "prepare.masks nowhere: no such folder")],
)
def test_settings_count_and_mistakes_are_told_as_prepare_does(tmp_path, settings, message):
    save(tmp_path / "data" / "1.jpg")
    (tmp_path / "mine.yaml").write_text(settings)
    with pytest.raises(UserError, match=message):
        main([str(tmp_path / "data"), "--settings", str(tmp_path / "mine.yaml")])


def test_a_folder_of_which_nothing_can_be_read(tmp_path):
    put(tmp_path / "1.jpg", b"x")
    with pytest.raises(UserError, match=r"none of 1 images can be read, such as '1.jpg': not an image"):
        look_at(PrepareConfig(), tmp_path, 1)


def test_where_the_size_is_that_of_a_recipe_its_own_settings_are_named(tmp_path):
    save(tmp_path / "1.png", 2400, 2000, seed=1)
    facts = facts_at(PrepareConfig(short_side=224), tmp_path, 1)
    (found,) = look(facts, PrepareConfig(short_side=224), "holiday.yaml").questions
    assert "made 9 times smaller" in found
    assert found.endswith("together with each size below it (views, extract, infer), in holiday.yaml")


def test_many_images_smaller_than_a_crop_are_a_question():
    sizes = np.array([[20, 90]] * 2 + [[50, 60]] * 8)
    found = with_crop(Look([], [], []), sizes, 48)
    assert found.questions == [
        "2 of 10 images are smaller than the largest crop, 48 pixels, and are enlarged: for sharper crops lower"
        " pretrain.views.crops (size)"
    ]
    assert with_crop(Look([], [], []), sizes, 20) == Look([], [], [])


def test_nothing_is_asked_where_nothing_is_odd(tmp_path):
    for seed in range(3):
        save(tmp_path / f"{seed}.jpg", seed=seed)
    found = look_at(PrepareConfig(), tmp_path, 1)
    assert found.questions == []
    assert found.lines[-1].startswith("  images are reduced")


def test_the_page_shows_what_was_found(tmp_path):
    fake = FakeRun(tmp_path, tmp_path / "swav" / "seed0", 3)
    write_data(fake)
    write_run(fake)
    path = fake.images.with_name("summary.json")
    found = to_json(Look(FOUND, PLAN, ["odd <name>: set prepare.masks"]))
    write_json(path, read_json(path) | {"look": found, "left_out": [{"text": "1 video"}]})
    report(ReportConfig(), **fake.arguments(), prior=None, out=tmp_path / "report.html", title="made up")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert '<h2>What was found in the folder</h2>\n<ul class="note"><li>images: 11 (8 JPEG, 1 PNG, 1 TIFF)</li>' in text
    assert f"<li>{PLAN[2]}</li>" in text
    assert "<li>odd &lt;name&gt;: set prepare.masks</li>" in text
    assert "In the folder but not looked at" not in text  # the section says it already
