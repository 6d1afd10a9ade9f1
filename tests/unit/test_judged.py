"""Categories to judge by are those that evaluate would count."""

from pathlib import Path

import numpy as np
import pytest

from luss_core.data import judged
from luss_core.data.images import ImageList
from luss_core.data.judged import categories_of
from luss_core.data.masks import IGNORE, write_mask


def images(root: Path, folders: list[str], layout: bool, classes: list[int] | None = None) -> ImageList:
    """With truth where ``classes`` are given: mostly other and ignored, and of the objects mostly that class."""
    ids = [f"{folder}/{k}" for k, folder in enumerate(folders)]
    masks = [f"{k}.png" if classes else "" for k in range(len(ids))]
    for name, label in zip(masks, classes or [], strict=bool(classes)):
        ids_of = np.zeros((8, 8), np.int32)
        ids_of[:2] = IGNORE
        ids_of[2] = label
        ids_of[3, :3] = 9
        write_mask(root / name, ids_of)
    n = len(ids)
    paths = [f"train/{name}.jpg" if layout else f"{name}.jpg" for name in ids]
    return ImageList(root, ids, paths, ["train"] * n, np.full(n, 8), np.full(n, 8), folders, masks)


def found(listing: ImageList, asked: bool | None = None) -> list[int] | None:
    category = categories_of(listing, listing.rows("train")[1:], asked)
    return None if category is None else category.tolist()


def test_folders_of_the_layout_are_categories(tmp_path: Path) -> None:
    listing = images(tmp_path, ["dogs", "dogs", "cats"], True)
    assert found(listing) == [1, 0]
    assert found(listing, asked=False) is None
    assert found(images(tmp_path, ["2023-05", "2023-05", "2023-06"], True)) is None


def test_of_a_plain_folder_the_user_decides_or_the_truth(tmp_path: Path) -> None:
    assert found(images(tmp_path, ["a", "a", "b"], False)) is None
    assert found(images(tmp_path, ["a", "a", "b"], False), asked=True) == [0, 1]
    assert found(images(tmp_path, ["a", "a", "b", "b"], False, [2, 2, 1, 1])) == [0, 1, 1]
    assert found(images(tmp_path, ["a", "a", "b", "b"], False, [2, 1, 1, 2])) is None
    assert found(images(tmp_path, ["a", "a", "a"], False, [1, 2, 1]), asked=True) is None


def test_a_bounded_number_of_masks_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judged, "READ", 4)
    listing = images(tmp_path, ["a", "b"] * 10, False, [1, 2] * 10)
    for k in range(4, 20):
        (tmp_path / f"{k}.png").unlink()
    assert categories_of(listing, np.arange(20), None) is not None


def test_truth_that_cannot_be_read_tells_nothing(tmp_path: Path) -> None:
    listing = images(tmp_path, ["a", "a", "b", "b"], False, [2, 2, 1, 1])
    for k in range(4):
        (tmp_path / f"{k}.png").write_bytes(b"no mask")
    assert found(listing) is None
