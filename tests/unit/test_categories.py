"""Folders are scored against only where they are categories."""

from pathlib import Path

import numpy as np
import pytest

from luss_core.data.categories import agree, is_no_category, why_not
from luss_core.data.images import ImageList


def images(folders: list[str], layout: bool) -> ImageList:
    ids = [f"{folder}/{k}" for k, folder in enumerate(folders)]
    paths = [f"train/{name}.jpg" if layout else f"{name}.jpg" for name in ids]
    n = len(ids)
    return ImageList(Path(), ids, paths, ["train"] * n, np.ones(n), np.ones(n), folders, [""] * n)


@pytest.mark.parametrize(
    "name", ["2023", "2023-05", "2023_05_17", "20230517", "2023-05-17 Rome", "100CANON", "101msdcf", "102_PANA"]
)
def test_names_of_no_category(name: str) -> None:
    assert is_no_category(name)


@pytest.mark.parametrize("name", ["n01440764", "cats", "1", "42", "007", "2023x", "20235", "3 dogs", "100", ""])
def test_names_that_may_be_categories(name: str) -> None:
    assert not is_no_category(name)


ASK = "If each folder holds one category, set evaluate.folders: true"


@pytest.mark.parametrize(
    ("folders", "layout", "reason"),
    [
        (["cats", "dogs"], True, None),
        (["0", "1"], True, None),
        (["2023-05", "2023-06"], True, f"folders with names such as '2023-05' are dates or made by a camera. {ASK}"),
        (["2023-05", "2023-06"], False, f"folders with names such as '2023-05' are dates or made by a camera. {ASK}"),
        (["a", "b"], False, f"the 2 folders need not be categories: nothing says that they are. {ASK}"),
        (["a", "a"], True, "all training images lie in one folder"),
    ],
)
def test_what_decides_without_truth(folders: list[str], layout: bool, reason: str | None) -> None:
    assert why_not(images(folders, layout), None, asked=None) == reason


def test_the_user_decides() -> None:
    assert why_not(images(["2023-05", "2023-06"], False), None, asked=True) is None
    assert why_not(images(["cats", "dogs"], True), None, asked=False) == "evaluate.folders is false"
    assert why_not(images(["a", "a"], False), None, asked=True) == "all training images lie in one folder"


def test_truth_decides_in_a_plain_folder() -> None:
    plain = images(["a", "a", "b", "b"], False)
    assert why_not(plain, np.array([2, 2, 1, 0]), asked=None) is None
    reason = f"the 2 folders need not be categories: the ground truth does not agree with them. {ASK}"
    assert why_not(plain, np.array([1, 2, 1, 2]), asked=None) == reason
    assert not agree(["a", "b"], np.array([1, 1]))  # one class in both
    assert not agree(["a", "b"], np.array([1, 0]))  # nothing is known of b
    assert not agree(["a", "b"], np.array([0, 0]))
    assert agree(["a"] * 10 + ["b"] * 10, np.array([1] * 9 + [2] + [2] * 10))
    assert not agree(["a"] * 10 + ["b"] * 10, np.array([1] * 7 + [2] * 3 + [2] * 10))
