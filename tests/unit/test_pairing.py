"""Which mask belongs to which image."""

import pytest

from luss_core.data.arrange import arrange
from luss_core.data.pairing import called_masks, plain
from luss_core.errors import UserError


def pairs(files, masks="masks"):
    return {found.path: found.mask for found in arrange(files, masks).images}


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        (["1.jpg", "cat/2.jpg"], ["masks/1.png", "masks/cat/2.png"]),
        (["images/cat/1.jpg", "images/dog/1.jpg"], ["masks/cat/1.png", "masks/dog/1.png"]),
        (["a/b/cat/1.jpg", "a/b/dog/2.jpg"], ["masks/cat/1.png", "masks/dog/2.png"]),
        (["JPEGImages/1.jpg", "JPEGImages/2.jpg"], ["masks/1.png", "masks/2.png"]),
        (["train/1.jpg", "train/2.jpg"], ["masks/train/1.png", "masks/train/2.png"]),
        (["1.jpg", "2.jpg"], ["masks/masks/1.png", "masks/masks/2.png"]),
        (["images/1.jpg", "images/2.jpg"], ["masks/PNG/1.png", "masks/PNG/2.png"]),
        (["1.jpg", "2.jpg"], ["masks/1_mask.png", "masks/2_mask.png"]),
        (["images/1.jpg", "images/2.jpg"], ["masks/mask_1.png", "masks/mask_2.png"]),
        (["1.png", "2.png"], ["masks/1_L.png", "masks/2_L.png"]),
        (["1_leftImg8bit.png"], ["masks/1_gtFine_labelIds.png"]),
        (["1.jpg", "2.png"], ["masks/1.jpg.png", "masks/2.png.png"]),
        (["1.jpg", "1.png"], ["masks/1.jpg.png", "masks/1.png.png"]),
        (["1.jpg", "1.png"], ["masks/1.jpg.png", "masks/1.png"]),
        (["cat/1.jpg", "dog/2.jpg"], ["masks/1.png", "masks/2.png"]),
        (["caf\u00e9.jpg"], ["masks/cafe\u0301.png"]),
    ],
)
def test_masks_are_found_where_people_put_them(images, masks):
    assert pairs([*images, *masks]) == dict(zip(images, masks, strict=True))


def test_a_photograph_elsewhere_does_not_hide_the_folder_of_images():
    files = ["preview.jpg", *(f"images/{i}.jpg" for i in range(4)), *(f"masks/{i}.png" for i in range(4))]
    assert pairs(files) == {"preview.jpg": ""} | {f"images/{i}.jpg": f"masks/{i}.png" for i in range(4)}


@pytest.mark.parametrize(
    "files",
    [
        ["cat/1.jpg", "dog/1.jpg", "masks/1.png"],  # of either
        ["cat/1.jpg", "cat/2.jpg", "masks/dog/1.png", "masks/dog/2.png"],
    ],
)
def test_what_may_belong_to_another_is_not_guessed(files):
    assert set(pairs(files).values()) == {""}


def test_folders_of_images_are_no_category_but_those_in_them_are():
    listing = arrange(["images/cat/1.jpg", "images/dog/1.jpg", "masks/cat/1.png", "masks/dog/1.png"], "masks")
    assert [(found.id, found.folder) for found in listing.images] == [("images/cat/1", "cat"), ("images/dog/1", "dog")]


def test_one_mask_of_two_images_is_an_error_with_a_remedy():
    with pytest.raises(UserError) as error:
        arrange(["cat/1.jpg", "cat/1.png", "masks/cat/1.png"], "masks")
    for part in ("cat/1.jpg and cat/1.png have the same name", "masks/cat/1.png", "Call it cat/1.jpg.png or"):
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("stem", "short"),
    [
        ("a/1_mask", "a/1"),
        ("mask_1", "1"),
        ("1-seg", "1"),
        ("mask", "mask"),
        ("1", "1"),
        ("small", "small"),
        ("_l", "_l"),
    ],
)
def test_what_masks_are_called_is_taken_off(stem, short):
    assert plain(stem) == short


@pytest.mark.parametrize(
    "name", ["masks", "Train_Masks", "labels-png", "SegmentationClass", "gt", "gtFine", "annotations"]
)
def test_folders_called_as_of_masks(name):
    assert called_masks(name)


@pytest.mark.parametrize("name", ["images", "masked ball", "masquerade", "JPEGImages", "gtx", "cat"])
def test_folders_called_otherwise(name):
    assert not called_masks(name)
