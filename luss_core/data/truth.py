"""Ground truth that should be there: what of it is missing, so that no benchmark shrinks without a word."""

from collections import Counter
from collections.abc import Iterable

from luss_core.data.images import SPLITS, ListedFile, Listing


def expected(listing: Listing) -> dict[str, int]:
    """How many images each split should have; two files of one name are one image.

    In splits with ground truth each of them should have a mask, and an image that only a mask tells of counts as well.
    """
    counts, before = Counter(listing.split_of(path) for path in listing.stray_masks), None
    for listed in listing.images:  # sorted, so that files of one name follow each other
        counts[listed.split] += listed[:2] != before
        before = listed[:2]
    return {split: counts[split] for split in SPLITS if counts[split]}


def without_masks(listing: Listing, broken: Iterable[str]) -> list[tuple[str, str]]:
    """Images that have no mask and masks that have no image, as path and reason.

    Args:
        broken: paths of images that cannot be used and need no mask.
    """
    unused = set(broken)
    missing = [listed.path for listed in listing.unmasked if listed.path not in unused]
    return [
        *((path, "mask missing; the image is kept") for path in missing),
        *((path, "mask without an image") for path in listing.stray_masks),
    ]


def lost(listing: Listing, rejected: Iterable[tuple[str, str]], usable: Iterable[ListedFile]) -> list[tuple[str, str]]:
    """Of the files that cannot be used, those that a split with ground truth lacks.

    Args:
        rejected: path and reason.
        usable: the images that are there; a file whose name one of them has is not missed.
    """
    there = {listed[:2] for listed in usable if listed.split in listing.truth}
    replaced = {listed.path for listed in listing.images if listed.split in listing.truth and listed[:2] in there}
    return [(path, reason) for path, reason in rejected if listing.has_truth(path) and path not in replaced]
