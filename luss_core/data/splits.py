"""Which folders are splits of a data set, from what they are called."""

import re
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from typing import NamedTuple

from luss_core.data.images import SPLITS
from luss_core.data.pairing import called_masks
from luss_core.errors import UserError

CALLED = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validate", "validation", "dev"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""What people call the splits; any case, and with such endings as in val2017, train_set, test-images."""
SPLIT_NAME = re.compile(rf"({'|'.join(sorted(CALLED, key=len, reverse=True))})([-_ ]?(set|images?|data|(19|20)\d\d))?")
MASKS_NAME = re.compile(r"(.+?)[-_ ]?(segmentations?|masks?|labels?|annot|annotations?|gt)")
"""Of the ground truth of a split: validation-segmentation of ImageNet-S, and train_labels or trainannot of CamVid."""
UNUSED = frozenset({"train-semi", "train-full", "train-semi-segmentation"})
"""Further folders of ImageNet-S, which no stage uses."""
NO_CATEGORY = frozenset({"eval", "evaluation", "extra", "gallery", "holdout", "query", "unlabeled", "unlabelled"})
"""What a folder beside train/ may be called that is no category either."""
MASKS_BELONG = ", the masks of train/ into train-segmentation/ and so on"
SHOWN = 5


class Role(NamedTuple):
    """What a folder is by its name."""

    split: str = ""
    """'' for none."""
    masks: bool = False
    """Whether it holds the ground truth of the split."""


@cache
def role_of(folder: str) -> Role:
    """What a folder of the data root is by its name: that of valid/ is validation, of val-segmentation/ its masks."""
    lower = folder.lower()
    if lower in UNUSED:
        return Role()
    masks = MASKS_NAME.fullmatch(lower)
    found = SPLIT_NAME.fullmatch(masks.group(1) if masks else lower)
    return Role(CALLED[found.group(1)], bool(masks)) if found else Role()


def find_splits(folders: Iterable[str]) -> tuple[dict[str, str], str]:
    """The folder of each split, and something to be said about them; no splits where all are one set of images.

    There are splits where a folder is called train and nothing lies beside it but other splits, their masks, and what
    else ImageNet-S brings. train/ beside bus/ and car/ is a category, as COCO has them.

    Args:
        folders: those of the data root that hold images.

    Raises:
        UserError: two folders for one split, splits without train, or splits mixed with other folders.
    """
    folders = sorted(folders)
    images: dict[str, list[str]] = {}
    masks: dict[str, list[str]] = {}
    for name in folders:
        role = role_of(name)
        if role.split:
            (masks if role.masks else images).setdefault(role.split, []).append(name)
    for split, names in [*images.items(), *masks.items()]:
        if len(names) > 1:
            raise UserError(
                f"the data folder has {_listed(names)}, which are all read as {split}; keep one of them, or give the"
                " others a name that is none of train, validation, test"
            )
    splits = {split: images[split][0] for split in SPLITS if split in images}
    unused = [name for name in folders if name.lower() in UNUSED]
    others = [name for name in folders if not role_of(name).split and name not in unused]
    many = len(splits) > 1 or bool(masks) or (bool(splits) and bool(unused))
    if others and not many:
        return {}, _as_categories(splits, others)
    if others:
        raise UserError(
            f"the data folder has splits ({_listed([*splits.values(), *_first(masks)])}) and beside them"
            f" {_listed(others)}; move those into one of the splits or out of the data folder"
            f"{MASKS_BELONG if any(map(called_masks, others)) else ''}. If they are all categories, give those called"
            " like splits another name"
        )
    if many and "train" not in splits:
        raise UserError(
            f"the data folder has {_listed(folders)} but no images in train/, which learning uses; add them, or if this"
            " is one set of photographs, give the folders names that are no splits"
        )
    return (splits if "train" in splits else {}), ""


def nested_splits(folders: Iterable[str]) -> str:
    """What to say of splits that lie deeper than in the data root, where they are none; '' if there are none.

    Args:
        folders: "photos/train" for images in it or below it.
    """
    inside: dict[str, set[str]] = {}
    for folder in folders:
        top, _, below = folder.partition("/")
        inside.setdefault(top, set()).add(below)
    for top, names in sorted(inside.items()):
        with suppress(UserError):
            if len(found := find_splits(names)[0]) > 1:
                return (
                    f"{_listed(f'{top}/{name}' for name in found.values())} are called like splits, but lie below"
                    f" {top}/, and all images are read as one set; for splits set data_root to the folder {top}"
                )
    return ""


def _as_categories(splits: dict[str, str], others: list[str]) -> str:
    """What to say of one folder that is called like a split but lies beside others.

    Raises:
        UserError: the others are no categories either.
    """
    odd = [name for name in others if name.lower() in NO_CATEGORY]
    if splits and odd:
        raise UserError(
            f"the data folder has {_listed(splits.values())} and {_listed(odd)}; splits are called train, validation"
            f" and test: rename {_listed(odd)}, or move it out of the data folder"
        )
    return "".join(
        f"{name}/ is read as a category, as {_listed(others)} beside it; if it is a split, move the others into it"
        for name in splits.values()
    )


def _first(names: dict[str, list[str]]) -> list[str]:
    return [found[0] for found in names.values()]


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(f"{name}/" for name in names[:SHOWN]) + more
