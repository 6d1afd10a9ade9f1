"""Whether the folders of images are categories, so that agreement with them is a score."""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from luss_core.data.images import ImageList

DATE = re.compile(r"(19|20)\d\d([-_. ]?(0[1-9]|1[0-2])([-_. ]?[0-3]\d)?)?([-_. T].*)?")
"""2023, 2023-05, 20230517, 2023-05-17 Rome."""
CAMERA = re.compile(r"\d{3}[A-Z_][A-Z0-9_]{4}", re.IGNORECASE)
"""100CANON, 101MSDCF, 102_PANA: three digits and five letters, as the standard for cameras (DCF) has it."""
NOT_NAMES = 0.5
"""With more of such names than this, folders are no categories, even in ImageNet-S layout."""
AGREEING = 0.9
"""Images whose largest true class is that of their folder, at the least."""

ASK = "If each folder holds one category, set evaluate.folders: true"


def why_not(images: ImageList, largest: np.ndarray | None, asked: bool | None) -> str | None:
    """Why the folders of the training images are not taken for categories; None where they are.

    They are where the user says so; in ImageNet-S layout, unless their names are dates or those of cameras; and in a
    plain folder whose ground truth says the same as the folders.

    Args:
        largest: (n,) class with most pixels in the truth of each training image, 0 for none; None without truth.
        asked: what the user says; None to judge.
    """
    rows = images.rows("train")
    folders = [images.folder[row] for row in rows]
    names = sorted(set(folders))
    if asked is False:
        return "evaluate.folders is false"
    if len(names) == 1:
        return "all training images lie in one folder"
    if asked:
        return None
    odd = [name for name in names if is_no_category(name)]
    if len(odd) > NOT_NAMES * len(names):
        return f"folders with names such as {odd[0]!r} are dates or made by a camera. {ASK}"
    if in_layout(images) or (largest is not None and agree(folders, largest)):
        return None
    seen = "the ground truth does not agree with them" if largest is not None else "nothing says that they are"
    return f"the {len(names)} folders need not be categories: {seen}. {ASK}"


def is_no_category(name: str) -> bool:
    """Whether a folder is called by a date or by a camera."""
    return bool(DATE.fullmatch(name) or CAMERA.fullmatch(name))


def in_layout(images: ImageList) -> bool:
    """Whether the images lie as in ImageNet-S, <split>/<category>/: an id is then less than the path."""
    return len(images.splits) > 1 or not images.path[0].startswith(images.id[0])


def agree(folders: Sequence[str], largest: np.ndarray) -> bool:
    """Whether nearly all images of a folder are of one class in the truth, and each folder has its own.

    Args:
        largest: (n,) class of each image; 0 where it has none, which does not count.
    """
    pairs = Counter((folder, int(label)) for folder, label in zip(folders, largest, strict=True) if label)
    commonest: dict[str, tuple[int, int]] = {}
    for (folder, label), number in pairs.items():
        commonest[folder] = max(commonest.get(folder, (0, 0)), (number, label))
    own = {label for _, label in commonest.values()}
    same = sum(number for number, _ in commonest.values())
    return len(own) == len(commonest) == len(set(folders)) and same >= AGREEING * pairs.total()
