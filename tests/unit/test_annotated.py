"""Annotated data sets: each in the layout of its authors, and what is no such data set."""

from pathlib import Path

import annotated
import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from luss_core.config import AnnotatedConfig, ProbesConfig
from luss_core.data.annotated import read_annotated
from luss_core.data.annotated.base import AnnotatedImages
from luss_core.data.annotated.check import pixels_of_classes, without_sample
from luss_core.data.annotated.read import Labels, Photographs, few
from luss_core.data.masks import IGNORE
from luss_core.errors import UserError


def read(kind: str, root: Path, **settings: str) -> tuple[AnnotatedImages, AnnotatedImages]:
    return read_annotated(AnnotatedConfig.model_validate({"format": kind, "root": str(root), **settings}), root)


def test_voc_takes_the_augmented_mask_where_there_is_one(tmp_path):
    train, val = read("voc", annotated.voc(tmp_path))
    assert (train.split, len(train), val.split, len(val)) == ("train_aug", 6, "val", 3)
    assert (len(train.classes), train.classes[0], train.classes[8], train.classes[20]) == (
        *(21, "background", "cat"),
        "tvmonitor",
    )
    assert [pair.mask.parent.name for pair in train.pairs[:2]] == ["SegmentationClass", "SegmentationClassAug"]
    assert (train.mask(0)[0] == IGNORE).all()
    np.testing.assert_array_equal(train.mask(0)[1:, :16], 0)
    np.testing.assert_array_equal(train.mask(0)[1:, 16:], 8)
    assert train.image(0).shape == (24, 32, 3)
    assert train.image(1, short_side=12).shape == (16, 12, 3)
    assert Photographs(train, None).read(1).shape == (32, 24, 3)
    np.testing.assert_array_equal(Labels(train).read(1)[..., 0], train.mask(1))


def test_voc_lists_may_hold_paths(tmp_path):
    base = annotated.voc(tmp_path) / "VOCdevkit" / "VOC2012"
    listed = base / "ImageSets" / "Segmentation" / "mine.txt"
    listed.write_text("/JPEGImages/2007_v00000.jpg /SegmentationClass/2007_v00000.png\n\n")
    train, _ = read("voc", base, train="mine")
    assert train.pairs[0].mask == base / "SegmentationClass" / "2007_v00000.png"
    assert train.mask(0).max() == IGNORE


def test_cityscapes_maps_ids_to_the_19_classes(tmp_path):
    train, val = read("cityscapes", annotated.cityscapes(tmp_path))
    assert (len(train), len(val), len(train.classes)) == (6, 3, 19)
    np.testing.assert_array_equal(np.unique(train.mask(0)), [0, 13])  # road 7, car 26
    np.testing.assert_array_equal(np.unique(train.mask(2)), [2, IGNORE])  # building 11, static 4
    assert pixels_of_classes(train, 1).sum(axis=0)[[0, 2, 13]].all()
    ids, classes = read("cityscapes", annotated.cityscapes(tmp_path / "again", "labelTrainIds"))[0], train
    np.testing.assert_array_equal(ids.mask(0), classes.mask(0))


def test_camvid_leaves_void_out(tmp_path):
    train, test = read("camvid", annotated.camvid(tmp_path))
    assert (len(train), test.split, len(test), len(train.classes)) == (6, "test", 3, 11)
    np.testing.assert_array_equal(np.unique(train.mask(2)), [8, IGNORE])
    assert read("camvid", tmp_path, test="val")[1].split == "val"


def test_imagenet_s_learns_from_train_semi_and_scores_validation(tmp_path):
    train, test = read("imagenet_s", annotated.imagenet_s(tmp_path))
    assert (train.split, len(train), test.split, train.classes) == (
        "train-semi",
        4,
        "validation",
        ("other", "n01", "n02"),
    )
    np.testing.assert_array_equal(np.unique(train.mask(3)), [2, IGNORE])
    (tmp_path / "train-semi-segmentation").rename(tmp_path / "test-segmentation")
    (tmp_path / "train-semi").rename(tmp_path / "test")
    assert [images.split for images in read("imagenet_s", tmp_path)] == ["validation", "test"]


@pytest.mark.parametrize(
    ("kind", "wanted"), [("voc", "JPEGImages"), ("cityscapes", "leftImg8bit"), ("camvid", "trainannot")]
)
def test_another_layout_is_said(tmp_path, kind, wanted):
    root = annotated.imagenet_s(tmp_path)
    with pytest.raises(UserError, match=f"not in the layout {kind}, which has .*{wanted}.*; found: train, train-semi"):
        read(kind, root)


def test_splits_that_are_not_there_or_the_same(tmp_path):
    root = annotated.camvid(tmp_path)
    with pytest.raises(
        UserError, match="probes.data.test: .* no split night with labels; name one of test, train, val"
    ):
        read("camvid", root, test="night")
    with pytest.raises(UserError, match="train and test are both train; name another split of test, train, val"):
        read("camvid", root, test="train")
    with pytest.raises(ValidationError, match="train and test are both test"):
        AnnotatedConfig.model_validate({"format": "camvid", "root": "x", "train": "test", "test": "test"})
    with pytest.raises(ValidationError, match="format voc without root: set root to the folder"):
        AnnotatedConfig(format="voc")


def test_missing_files_are_listed(tmp_path):
    root = annotated.camvid(tmp_path)
    (root / "trainannot" / "0001TP_006720.png").unlink()
    with pytest.raises(UserError, match=r"1 files of the split train are missing(.|\n)*trainannot/0001TP_006720.png"):
        read("camvid", root)
    for file in (root / "test").iterdir():
        file.unlink()
    (root / "trainannot" / "0001TP_006720.png").write_bytes((root / "trainannot" / "0001TP_006690.png").read_bytes())
    with pytest.raises(UserError, match="the split test has no images"):
        read("camvid", root)


def test_every_label_and_image_is_looked_at_and_what_is_wrong_is_listed(tmp_path):
    root = annotated.camvid(tmp_path)
    annotated.write_ids(root / "trainannot" / "0001TP_006690.png", np.full((24, 32), 12))
    annotated.write_ids(root / "trainannot" / "0001TP_006720.png", np.zeros((10, 32)))
    (root / "train" / "0001TP_006750.png").write_bytes(b"no image")
    train, _ = read("camvid", root)
    with pytest.raises(UserError) as error:
        pixels_of_classes(train, 1)
    message = str(error.value)
    assert message.startswith("3 of 6 masks cannot be used; repair these files or take them out:")
    assert "006690.png holds 12, which is no label here: allowed are 0 to 11, and 255" in message
    assert "006720.png is 10 x 32 (height x width), its image" in message
    assert "is 32 x 24" in message
    assert "006750.png cannot be read as an image" in message


def test_a_split_without_labels_is_said(tmp_path):
    root = annotated.cityscapes(tmp_path)
    for mask in (root / "gtFine" / "val").rglob("*labelIds.png"):
        annotated.write_ids(mask, np.zeros(np.asarray(Image.open(mask)).shape))
    with pytest.raises(UserError, match="not one pixel of the split val has a class"):
        pixels_of_classes(read("cityscapes", root)[1], 1)


def test_pixels_are_counted_by_image_and_class(tmp_path):
    train, _ = read("camvid", annotated.camvid(tmp_path))
    pixels = pixels_of_classes(train, 1)
    assert pixels.shape == (6, 11)
    assert (pixels[0, 0], pixels[0, 3], pixels[2, 8]) == (24 * 16, 24 * 16, 24 * 12)
    assert without_sample(pixels, train.classes) == [c for c in train.classes if c not in ("sky", "road", "car")]


def test_other_files_are_another_data_set(tmp_path):
    train, _ = read("camvid", annotated.camvid(tmp_path))
    again, _ = read("camvid", tmp_path)
    assert again.fingerprint == train.fingerprint
    annotated.write_ids(tmp_path / "trainannot" / "0001TP_006690.png", np.full((24, 32), 2))
    assert read("camvid", tmp_path)[0].fingerprint != train.fingerprint


def test_small_shares_are_among_larger_ones_and_drawn_by_the_seed():
    draws = [set(few(1200, percent, 0)) for percent in (0.1, 1, 5, 10, 100)]
    assert [len(draw) for draw in draws] == [1, 12, 60, 120, 1200]
    assert all(small < large for small, large in zip(draws, draws[1:], strict=False))
    assert set(few(1200, 1, 1)) != draws[1]
    assert few(2975, 1, 0).tolist() == sorted(few(2975, 1, 0))
    assert len(few(2975, 1, 0)) == 30


def test_less_than_one_image_stops():
    with pytest.raises(
        UserError, match=r"percents: 0.1 % of 367 labelled images is less than one image; .*from 0.273 to"
    ):
        few(367, 0.1, 0)
    assert len(few(367, 0.273, 0)) == 1


def test_shares_are_given_once():
    with pytest.raises(ValidationError, match="names something twice"):
        ProbesConfig.model_validate({"limited": {"percents": [1, 1.0]}})
