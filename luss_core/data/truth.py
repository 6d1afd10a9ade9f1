"""Ground truth that should be there: what of it is missing, so that no benchmark shrinks without a word."""

from collections import Counter
from collections.abc import Iterable

from luss_core.data.arrange import Listing
from luss_core.data.images import SPLITS, ListedFile


def expected(listing: Listing, rows: Iterable[ListedFile] = ()) -> dict[str, int]:
    """How many images each split should have.

    In splits with ground truth each of them should have a mask, and an image that only a mask tells of counts as well.

    Args:
        rows: images that were found; of video files so many frames are expected as were found.
    """
    videos = {listed.path for listed in listing.videos}
    counts = Counter(listing.split_of(path) for path in listing.stray_masks)
    counts.update(listed.split for listed in listing.images)
    counts.update(listed.split for listed in rows if listed.path in videos)
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


def lost(listing: Listing, rejected: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Of the files that cannot be used, those that a split with ground truth lacks.

    Args:
        rejected: path and reason.
    """
    return [(path, reason) for path, reason in rejected if listing.has_truth(path)]
