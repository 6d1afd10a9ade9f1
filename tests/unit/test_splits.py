"""Folders of splits under the names that people give them."""

import pytest
from folders import prepare, save
from hypothesis import given
from hypothesis import strategies as st

from luss_core import io
from luss_core.config import PrepareConfig
from luss_core.data.arrange import arrange
from luss_core.data.splits import find_splits, role_of
from luss_core.errors import UserError


@pytest.mark.parametrize(
    ("folders", "splits"),
    [
        (["train", "valid", "test"], {"train": "train", "validation": "valid", "test": "test"}),
        (["train", "valid"], {"train": "train", "validation": "valid"}),
        (["Train", "Test"], {"train": "Train", "test": "Test"}),
        (["train", "Validation"], {"train": "train", "validation": "Validation"}),
        (["TRAIN", "VAL"], {"train": "TRAIN", "validation": "VAL"}),
        (["train2017", "val2017"], {"train": "train2017", "validation": "val2017"}),
        (["training_set", "test_set"], {"train": "training_set", "test": "test_set"}),
        (["train", "dev", "testing"], {"train": "train", "validation": "dev", "test": "testing"}),
        (["train", "train-semi", "train-semi-segmentation"], {"train": "train"}),
        (["train"], {"train": "train"}),
    ],
)
def test_names_of_splits(folders, splits):
    assert find_splits(folders) == (splits, "")


@pytest.mark.parametrize(
    "folders", [["cat", "dog"], ["test"], ["val"], [], ["training day", "cat"], ["trains", "buses"]]
)
def test_other_folders_are_one_set_of_images(folders):
    assert find_splits(folders) == ({}, "")


def test_train_among_categories_is_one_and_is_said_to_be():
    splits, remark = find_splits(["train", "bus", "car"])
    assert splits == {}
    assert remark.startswith("train/ is read as a category, as bus/, car/ beside it; if it is a split")


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (["train", "valid", "bus"], "has splits (train/, valid/) and beside them bus/; move those"),
        (["Train", "test", "a", "b", "c", "d", "e", "f"], "beside them a/, b/, c/, d/, e/ and 1 more; move those"),
        (
            ["train", "test", "masks"],
            "beside them masks/; move those into one of the splits or out of the data folder,"
            " the masks of train/ into train-segmentation/",
        ),
        (["train", "holdout"], "rename holdout/, or move it"),
        (["train", "val", "Valid"], "has Valid/, val/, which are all read as validation; keep one"),
        (["train", "Train"], "has Train/, train/, which are all read as train"),
        (["train", "val-segmentation", "valid-segmentation"], "which are all read as validation"),
        (["valid", "test"], "has test/, valid/ but no images in train/"),
        (["validation", "validation-segmentation"], "no images in train/"),
    ],
)
def test_what_is_neither_splits_nor_categories_stops(folders, message):
    with pytest.raises(UserError) as error:
        find_splits(folders)
    assert message in str(error.value)


@pytest.mark.parametrize("top", ["photos", "images"])
def test_splits_that_lie_deeper_are_told_of(top):
    listing = arrange([f"{top}/train/1.jpg", f"{top}/valid/2.jpg", f"{top}/valid/3.jpg", "readme.txt"])
    assert {found.split for found in listing.images} == {"train"}
    assert listing.remark == (
        f"{top}/train/, {top}/valid/ are called like splits, but lie below {top}/, and all images are read as one set;"
        f" for splits set data_root to the folder {top}"
    )
    assert arrange(["cat/1.jpg", "cat/train/2.jpg"]).remark == ""


def test_ids_have_the_canonical_name_and_masks_any_spelling():
    listing = arrange(
        ["Train/a/1.jpg", "Valid/a/2.jpg", "valid_labels/a/2.png", "test/3.jpg", "test-Segmentation/3.png"]
    )
    assert [(found.split, found.id, found.mask) for found in listing.images] == [
        ("train", "a/1", ""),
        ("validation", "a/2", "valid_labels/a/2.png"),
        ("test", "3", "test-Segmentation/3.png"),
    ]
    assert listing.truth == {"validation", "test"}
    assert listing.split_of("Valid/a/2.jpg") == listing.split_of("valid_labels") == "validation"
    assert listing.has_truth("valid_labels")
    assert not listing.has_truth("Train/a/1.jpg")


def test_the_summary_and_the_log_say_what_the_splits_are(tmp_path, caplog):
    for folder in ("Train", "valid"):
        save(tmp_path / "data" / folder / "cat/1.jpg")
    with caplog.at_level("INFO"):
        prepare(PrepareConfig(), root=tmp_path / "data", out=tmp_path / "out", threads=1)
    summary = io.read_json(tmp_path / "out/summary.json")
    assert summary["splits"] == {"train": "Train", "validation": "valid"}
    assert summary["images"] == {"train": 1, "validation": 1}
    assert summary["categories"] == ["cat"]
    assert "split validation: the folder valid/" in caplog.text


@given(st.text(st.characters(exclude_characters="/\0"), min_size=1))
def test_any_name_has_a_role(name):
    assert role_of(name).split in ("", "train", "validation", "test")
