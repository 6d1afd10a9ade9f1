"""Masks among the photographs are recognised and asked about; drawings and photographs are not."""

from pathlib import Path

import numpy as np
import pytest
from folders import prepare, put, save
from PIL import Image, ImageDraw

from luss_core import io
from luss_core.config import PrepareConfig
from luss_core.data.masks import encode
from luss_core.data.suspects import looks_like_a_mask
from luss_core.errors import UserError

IDS = np.zeros((60, 90), np.uint8)
IDS[10:30, 20:50], IDS[30:40, 20:50] = 1, 2


def mask(path: Path, mode="L") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(IDS)
    if mode == "ids":
        image = Image.fromarray(encode(IDS))
    if mode == "P":
        image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    if mode == "1":
        image = Image.fromarray(IDS > 0)
    if mode == "RGB":
        image = Image.fromarray(np.stack([IDS * 90, IDS, IDS * 30], axis=2))
    image.save(path)


def drawing(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", (90, 60), "white")
    ImageDraw.Draw(image).line([(5, 5), (80, 50)], fill="navy", width=3)
    image.save(path)


def look(root: Path, **settings) -> dict:
    out = root.with_name("out")
    prepare(PrepareConfig(**settings), root=root, out=out, threads=1)
    return io.read_json(out / "summary.json")


@pytest.mark.parametrize("mode", ["L", "P", "1", "RGB", "ids"])
def test_a_folder_of_masks_beside_one_of_images_is_asked_about(tmp_path, mode):
    root = tmp_path / "data"
    for i in range(6):
        save(root / f"images/cat/{i}.jpg", seed=i)
        mask(root / f"masks/cat/{i}.png", mode)
    with pytest.raises(UserError) as error:
        look(root)
    assert str(error.value) == (
        f"data_root {root}: 6 files in masks/ look like masks, not like photographs: flat areas of few colours, named"
        " as the images are (masks/cat/0.png as images/cat/0.jpg). If they are masks, set prepare.masks: masks. If they"
        " are photographs, set prepare.masks: none"
    )
    assert look(root, masks="none")["images"] == {"train": 12}


def test_the_setting_that_the_message_names_uses_them(tmp_path, caplog):
    root = tmp_path / "data"
    for i in range(4):
        save(root / f"images/cat/{i}.jpg", seed=i)
        mask(root / f"masks/cat/{i}.png")
    with caplog.at_level("INFO"):
        summary = look(root, masks="masks")
    assert (summary["images"], summary["masks"], summary["categories"]) == ({"train": 4}, {"train": 4}, ["cat"])
    assert "masks: masks/cat/0.png is that of images/cat/0.jpg, and so on" in caplog.text


def voc(root: Path) -> Path:
    for i in range(6):
        save(root / f"JPEGImages/2007_{i}.jpg", seed=i)
        put(root / f"Annotations/2007_{i}.xml", b"<x/>")
        if i < 4:
            for folder in ("SegmentationClass", "SegmentationObject"):
                mask(root / f"{folder}/2007_{i}.png", "P")
    return root


def test_voc(tmp_path):
    root = voc(tmp_path / "data")
    with pytest.raises(UserError, match=r"4 files in SegmentationClass/.*; the same in SegmentationObject/\."):
        look(root)
    summary = look(root, masks="SegmentationClass", allow_missing=True)
    assert (summary["images"], summary["masks"], summary["expected"]) == ({"train": 6}, {"train": 4}, {"train": 6})
    texts = [kind["text"] for kind in summary["left_out"]]
    assert "4 masks beside those of prepare.masks (e.g. SegmentationObject/2007_0.png)" in texts


@pytest.mark.parametrize("name", ["{}_mask.png", "mask_{}.png", "{}.png", "{}-label.png"])
def test_masks_in_the_folder_of_their_images_are_to_be_moved(tmp_path, name):
    root = tmp_path / "data"
    for i in range(4):
        save(root / f"cat/{i}.jpg", seed=i)
        mask(root / "cat" / name.format(i))
    with pytest.raises(UserError) as error:
        look(root)
    assert (
        "4 files in cat/ look like masks, not like photographs: flat areas of few colours, named as the images are"
        in str(error.value)
    )
    assert f"(cat/{name.format(0)} as cat/0.jpg). If they are masks, move them into a folder of their own" in str(
        error.value
    )


def test_masks_of_png_photographs_in_one_folder(tmp_path):
    for i in range(4):
        save(tmp_path / f"data/{i}.png", seed=i)
        mask(tmp_path / f"data/{i}_mask.png", "RGB")
    with pytest.raises(UserError, match=r"4 files in the data folder itself .*\(0_mask.png as 0.png\)"):
        look(tmp_path / "data")


def test_folders_whose_names_say_nothing_are_told_by_pairs_and_contents(tmp_path):
    root = tmp_path / "data"
    for folder in ("cat", "dog"):
        for i in range(3):
            save(root / f"a/{folder}/{i}.png", seed=i)
            mask(root / f"b/{folder}/{i}.png")
    with pytest.raises(UserError, match=r"6 files in b/ look like masks.*set prepare.masks: b\."):
        look(root)
    assert look(root, masks="b")["masks"] == {"train": 6}


def test_own_masks_of_a_run_among_the_photographs(tmp_path):
    root = tmp_path / "data"
    for i in range(4):
        save(root / f"{i}.jpg", seed=i)
        mask(root / f"found/{i}.png", "ids")
    with pytest.raises(UserError, match=r"4 files in found/ look like masks"):
        look(root)


def test_masks_inside_the_folders_of_splits(tmp_path):
    for split in ("train", "test"):
        for i in range(3):
            save(tmp_path / f"data/{split}/images/{i}.jpg", seed=i)
            mask(tmp_path / f"data/{split}/masks/{i}.png")
    with pytest.raises(UserError, match=r"in train/masks/ .*; the same in test/masks/.*into train-segmentation/"):
        look(tmp_path / "data")


def test_drawings_and_photographs_are_used_without_a_question(tmp_path):
    root = tmp_path / "data"
    for i in range(4):
        save(root / f"photographs/{i}.jpg", seed=i)
        save(root / f"cropped/{i}.png", seed=i)  # named alike, not flat
        save(root / f"masks/{10 + i}.png", seed=i)  # of carnival
        drawing(root / f"drawings/sketch{i}.png")  # flat, named otherwise
    assert look(root)["images"] == {"train": 16}


@pytest.mark.parametrize("content", [b"", b"x", b"\x89PNG\r\n\x1a\n"])
def test_what_cannot_be_read_is_no_mask(tmp_path, content):
    put(tmp_path / "a.png", content)
    assert not looks_like_a_mask(tmp_path / "a.png")
