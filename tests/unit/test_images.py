"""Layouts, walking folders and images.csv."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luss_core import io
from luss_core.data.arrange import arrange
from luss_core.data.files import list_files
from luss_core.data.images import ImageList, read_images, write_images
from luss_core.errors import UserError

IMAGENET_S = [
    "train/b/2.JPEG",
    "train/a/1.jpg",
    "train/loose.png",
    "validation/a/1.jpg",
    "validation/b/9.jpg",
    "validation-segmentation/a/1.png",
    "validation-segmentation/b/77.png",
    "test/a/1.jpg",
    "train-semi/a/1.jpg",
    "train-semi-segmentation/a/1.png",
    "classes.txt",
    "preview.png",
]


def keys(listing):
    return [(found.split, found.id, found.folder, found.mask) for found in listing.images]


def test_imagenet_s_layout():
    listing = arrange(IMAGENET_S)
    assert keys(listing) == [
        ("train", "a/1", "a", ""),
        ("train", "b/2", "b", ""),
        ("train", "loose", "", ""),
        ("validation", "a/1", "a", "validation-segmentation/a/1.png"),
        ("validation", "b/9", "b", ""),
        ("test", "a/1", "a", ""),
    ]
    assert [found.path for found in listing.unmasked] == ["validation/b/9.jpg"]
    assert listing.stray_masks == ["validation-segmentation/b/77.png"]
    assert {kind.many: found.count for kind, found in listing.left_out.items()} == {
        "images in train-semi/, which is no split": 1,
        "images in train-semi-segmentation/, which is no split": 1,
        "other files": 1,
        "images outside the folders of the splits": 1,
    }


def test_every_file_is_an_image_a_mask_or_counted():
    listing = arrange(IMAGENET_S)
    masks = sum(bool(found.mask) for found in listing.images) + len(listing.stray_masks)
    assert len(listing.images) + masks + sum(found.count for found in listing.left_out.values()) == len(IMAGENET_S)


@pytest.mark.parametrize(
    "files",
    [
        ["a.jpg", "cat/b.PNG", "cat/deep/c.webp"],
        ["train/a.jpg", "cat/b.jpg"],  # photographs of trains
    ],
)
def test_any_folder_is_one_split(files):
    listing = arrange([*files, "notes.txt"])
    assert sorted(found.path for found in listing.images) == sorted(files)
    assert {found.split for found in listing.images} == {"train"}
    assert [found.folder for found in listing.images if "/" in found.id] == [
        found.id.split("/")[0] for found in listing.images if "/" in found.id
    ]
    assert listing.left_out.lines == ["1 other file (.txt, e.g. notes.txt)"]


def test_train_alone_is_a_split():
    assert keys(arrange(["train/a/1.jpg", "train/2.jpg"])) == [("train", "2", "", ""), ("train", "a/1", "a", "")]


def test_masks_of_a_plain_folder():
    listing = arrange(["x.jpg", "cat/1.jpg", "truth/cat/1.png", "truth/y.png", "truth/readme.md"], "truth")
    assert keys(listing) == [("train", "cat/1", "cat", "truth/cat/1.png"), ("train", "x", "", "")]
    assert listing.stray_masks == ["truth/y.png"]
    assert listing.left_out.lines == [
        "1 file among the masks that is no PNG (.md, e.g. truth/readme.md): save them as PNG"
    ]


@pytest.mark.parametrize(
    ("files", "masks", "message"),
    [
        (["validation/a.jpg", "validation-segmentation/a.png"], None, "no images in train/"),
        (["train/a.jpg", "test/a.jpg", "m/a.png"], "m", "set prepare.masks to null"),
    ],
)
def test_contradictions_are_errors(files, masks, message):
    with pytest.raises(UserError, match=message):
        arrange(files, masks)


def test_two_files_with_one_stem_stay_together_in_order_of_their_names():
    listing = arrange(["b.png", "a.png", "a.jpg", "a-2.jpg"])
    assert [found.path for found in listing.images] == ["a.jpg", "a.png", "a-2.jpg", "b.png"]


def test_list_files_follows_links_once_and_leaves_hidden_names_out(tmp_path: Path):
    for name in ("a/1.jpg", ".hidden/2.jpg", "__MACOSX/3.jpg", "a/.4.jpg", "b c/é,\n5.jpg"):
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).touch()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/6.jpg").touch()
    (tmp_path / "data/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data/a/loop").symlink_to(tmp_path / "data")
    (tmp_path / "data/a/file.jpg").symlink_to(tmp_path / "elsewhere/6.jpg")
    (tmp_path / "data/a/gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    files, problems, left_out = list_files(tmp_path / "data")
    assert files == ["a/1.jpg", "a/file.jpg", "b c/é,\n5.jpg", "linked/6.jpg"]
    assert problems == [("a/gone.jpg", "link to a file that does not exist")]
    assert left_out.lines == [
        "2 hidden files or folders (e.g. .hidden)",
        "1 thumbnail or bin of the system (e.g. __MACOSX)",
    ]


letters = st.characters(exclude_characters="/\0", exclude_categories=["Cs"])
undecoded = st.characters(
    min_codepoint=0xDC80, max_codepoint=0xDCFF
)  # bytes that are no UTF-8, as the system gives them
names = st.text(letters | undecoded, min_size=1, max_size=12)


def image_list(root: Path, rows: list[tuple[str, str, int, int, str, str]]) -> ImageList:
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(6)]
    ids, split, height, width, folder, mask = columns
    path = [f"{s}/{i}.jpg" for s, i in zip(split, ids, strict=True)]
    return ImageList(root, ids, path, split, np.array(height, np.int64), np.array(width, np.int64), folder, mask)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            names,
            st.sampled_from(["train", "validation", "test"]),
            st.integers(1, 20000),
            st.integers(1, 20000),
            st.one_of(st.just(""), names),
            st.one_of(st.just(""), names),
        ),
        max_size=6,
    )
)
def test_images_csv_keeps_any_name(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("csv")
    written = image_list(folder / "data", rows)
    write_images(folder / "images.csv", written)
    io.write_json(folder / "summary.json", {"root": "data"})
    read = read_images(folder / "images.csv")
    assert read.root == (folder / "data").resolve()
    for name in ("id", "path", "split", "folder", "mask", "height", "width"):
        assert list(getattr(read, name)) == list(getattr(written, name))


def test_names_that_are_no_utf8_keep_their_bytes(tmp_path):
    name = b"caf\xe9/1".decode("utf-8", "surrogateescape")
    write_images(tmp_path / "images.csv", image_list(tmp_path, [(name, "train", 1, 1, "", "")]))
    io.write_json(tmp_path / "summary.json", {"root": "."})
    assert read_images(tmp_path / "images.csv").id == [name]
    assert b"caf\xe9/1" in (tmp_path / "images.csv").read_bytes()


def test_image_list_knows_its_splits_and_classes():
    images = image_list(
        Path("/data"),
        [("b/1", "train", 1, 1, "b", ""), ("a/1", "train", 1, 1, "a", ""), ("c/1", "test", 1, 1, "c", "")],
    )
    assert len(images) == 3
    assert images.splits == ("train", "test")
    assert images.rows("train").tolist() == [0, 1]
    assert images.rows("test").tolist() == [2]
    assert images.rows("validation").tolist() == []
    assert images.class_names(2) == ["other", "a", "b"]
    assert images.class_names(3) == ["other", "class 1", "class 2", "class 3"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "first line must be id,path"),
        ("id,name\n", "first line must be id,path"),
        ("id,path,split,height,width,folder,mask\na,a.jpg,train,3", "is not whole"),
        ("id,path,split,height,width,folder,mask\na,a.jpg,train,three,4,,\n", "is not whole"),
    ],
)
def test_broken_lists_are_errors(tmp_path, text, message):
    io.write_json(tmp_path / "summary.json", {"root": "."})
    (tmp_path / "images.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        read_images(tmp_path / "images.csv")


def test_a_missing_list_names_the_stage(tmp_path):
    io.write_json(tmp_path / "summary.json", {"root": "."})
    with pytest.raises(UserError, match="run the stage prepare"):
        read_images(tmp_path / "images.csv")
