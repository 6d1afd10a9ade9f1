"""Which files are images of which split, with which masks, from their paths alone."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import attrgetter

from luss_core.data.images import SPLITS, ListedFile
from luss_core.data.kinds import NO_MASK, OUTSIDE, Kind, Tally, is_image, is_video, kind_of, stem_of, suffix_of
from luss_core.data.pairing import pair
from luss_core.data.splits import Role, find_splits, nested_splits, role_of
from luss_core.errors import UserError

PLAIN = Role("train")
FEW = 5
"""Folders in the data root that may each hold splits."""


@dataclass
class Listing:
    """What a data folder holds."""

    images: list[ListedFile] = field(default_factory=list)
    """In the order of images.csv."""
    videos: list[ListedFile] = field(default_factory=list)
    """Video files, in the same order; the id has the suffix."""
    unmasked: list[ListedFile] = field(default_factory=list)
    """Images without a mask in splits that have masks."""
    stray_masks: list[str] = field(default_factory=list)
    """Masks without an image."""
    truth: frozenset[str] = frozenset()
    """Splits that have masks."""
    left_out: Tally = field(default_factory=Tally)
    """Other files, by kind."""
    splits: dict[str, str] = field(default_factory=dict)
    """Folder of each split, as in ImageNet-S layout; empty where all images are of the split train."""
    remark: str = ""
    """What the user should be told about the folders."""

    def split_of(self, path: str) -> str:
        """The split that a file or folder belongs to, be it image or mask; '' for none."""
        return role_of(_top(path)).split if self.splits else "train"

    def has_truth(self, path: str) -> bool:
        """Whether a file or folder belongs to a split with ground truth, and be it because it should hold masks."""
        return self.split_of(path) in self.truth or (bool(self.splits) and role_of(_top(path)).masks)


def arrange(files: Iterable[str], masks: str | None = None, *, videos: bool = False) -> Listing:
    """Which files are images and masks.

    ImageNet-S layout where there is a folder train/ and nothing but the folders that belong to it, see ``find_splits``
    for other spellings; any other folder of images is one split, train. Ids of two images of a split may still be the
    same, see luss_core/data/identity.py.

    Args:
        files: relative to the data root, with forward slashes.
        masks: folder of the masks of a plain folder of images, as a prefix of ``files``.
        videos: whether video files are looked at as well.

    Raises:
        UserError: the folders contradict each other.
    """

    def seen(name: str) -> bool:
        return is_image(name) or (videos and is_video(name))

    files = list(files)
    inside = f"{masks}/" if masks is not None else None
    tops = {_top(name) for name in files if "/" in name and seen(name) and not (inside and name.startswith(inside))}
    splits, remark = find_splits(tops)
    if inside and len(splits) > 1:
        raise UserError(
            f"prepare.masks is for a folder without splits; this one has {', '.join(splits.values())}. Put the masks"
            f" into {', '.join(f'{name}-segmentation/' for name in splits.values())}, as ImageNet-S has them, and set"
            " prepare.masks to null"
        )
    if not splits and len(tops) <= FEW:
        remark = remark or nested_splits({_top(name, 2) for name in files if seen(name) and name.count("/") > 1})
    listing = Listing(splits={} if inside else splits, remark=remark)
    mask_of: dict[str, dict[str, str]] = {split: {} for split in SPLITS}
    for name in files:
        role, below = _place(name, inside, bool(listing.splits))
        if not role.split or not (name.lower().endswith(".png") if role.masks else seen(name)):
            listing.left_out.add(*_kind(name, role, seen(name)), suffix=suffix_of(name))
        elif role.masks:
            mask_of[role.split][stem_of(below)] = name
        else:
            folder = sys.intern(_top(below) if "/" in below else "")
            if is_image(name):
                listing.images.append(ListedFile(role.split, stem_of(below), name, folder, ""))
            else:
                listing.videos.append(ListedFile(role.split, below, name, folder, ""))
    _sort(listing.images)
    _sort(listing.videos)
    for split, found in mask_of.items():
        if found:
            _attach(listing, split, found)
    return listing


def _sort(images: list[ListedFile]) -> None:
    """In the order of images.csv."""
    images.sort(key=attrgetter("path"))  # three times: keys of one field each take no memory
    images.sort(key=attrgetter("id"))
    images.sort(key=lambda listed: SPLITS.index(listed.split))


def _attach(listing: Listing, split: str, mask_of: dict[str, str]) -> None:
    """Give the images of a split their masks."""
    rows = [row for row, listed in enumerate(listing.images) if listed.split == split]
    images = [listing.images[row] for row in rows]
    stems, suffixes = [listed.id for listed in images], [_suffix_as_written(listed) for listed in images]
    found, above = pair(stems, mask_of, suffixes, loose=not listing.splits)
    for row, mask in zip(rows, found, strict=True):
        listed = listing.images[row]
        folder = listed.folder
        if listed.id.startswith(above) and above:  # the folder of all images is no category
            folder = sys.intern(listed.id[len(above) :].rpartition("/")[0].partition("/")[0])
        listing.images[row] = listed._replace(mask=mask, folder=folder)
        if not mask:
            listing.unmasked.append(listing.images[row])
    listing.truth |= {split}
    listing.stray_masks = sorted([*listing.stray_masks, *(set(mask_of.values()) - set(found))])


def _place(name: str, masks: str | None, splits: bool) -> tuple[Role, str]:
    """What a file belongs to, and its path below the folder of that."""
    if splits:
        top, _, below = name.partition("/")
        return (role_of(top) if below else Role()), below
    if masks is not None and name.startswith(masks):
        return Role("train", masks=True), name[len(masks) :]
    return PLAIN, name


def _kind(name: str, role: Role, seen: bool) -> tuple[Kind, str]:
    """How a file is counted that is neither image nor mask, with its name."""
    if role.masks:
        return NO_MASK, name
    if role.split or not seen:
        return kind_of(name), name
    top, slash, _ = name.partition("/")
    return (
        Kind(f"image in {top}/, which is no split", f"images in {top}/, which is no split") if slash else OUTSIDE
    ), name


def _top(name: str, folders: int = 1) -> str:
    """The first folders of a path, or the file where there are none."""
    return "/".join(name.split("/", folders)[:folders])


def _suffix_as_written(listed: ListedFile) -> str:
    return listed.path[len(stem_of(listed.path)) :]
