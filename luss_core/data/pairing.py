"""Which mask belongs to which image, by their names."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from luss_core.data.kinds import printable
from luss_core.errors import UserError

AFFIX = re.compile(
    r"^(?:masks?|labels?|seg|gt)[-_ ](?=.)"
    r"|(?<=.)[-_ ](?:gtfine[-_]label(?:train)?ids?|gtfine[-_]color|masks?|labels?|label(?:train)?ids|segmentation|seg"
    r"|annotations?|annot|gt|groundtruth|ground[-_]truth|l)$",
    re.IGNORECASE,
)
"""What annotation tools and data sets add to the name of an image to name its mask: 1_mask, mask_1, 1_L (CamVid)."""
IMAGE_AFFIX = re.compile(r"(?<=.)[-_](?:leftimg8bit|image|img|rgb|sat)$", re.IGNORECASE)
"""What some add to the name of the image."""


MASK_WORDS = frozenset({"anno", "annot", "annotation", "annotations", "gt", "gtfine", "groundtruth", "label", "labels"})
MASK_WORDS |= {"mask", "masks", "seg", "segmentation", "segmentations", "segmentationclass", "segmentationclassaug"}
MASK_WORDS |= {"segmentationclassraw", "segmentationobject", "segs", "semantic", "trimap", "trimaps", "truth"}
NO_CATEGORY = MASK_WORDS | {"data", "images", "img", "imgs", "png", "pngs"}
WORD = re.compile(r"[^\W\d_]+")


class Rule(NamedTuple):
    """How the name of an image, without suffix, and that of its mask become equal."""

    image: Callable[[str], str]
    mask: Callable[[str], str]


def called_masks(folder: str) -> bool:
    """Whether the name of a folder says that masks lie in it."""
    return not MASK_WORDS.isdisjoint(WORD.findall(folder.lower()))


def plain(stem: str) -> str:
    """The name of an image, of which that of its mask is made."""
    folder, slash, name = stem.rpartition("/")
    return folder + slash + IMAGE_AFFIX.sub("", AFFIX.sub("", name, count=1), count=1)


def common_folder(names: Iterable[str]) -> str:
    """The folder, with the slash, in which all of them lie."""
    names = list(names)
    return os.path.commonprefix([min(names), max(names)]).rpartition("/")[0] + "/" if names else ""


def pair(
    images: Sequence[str], masks: Mapping[str, str], suffixes: Sequence[str], *, loose: bool
) -> tuple[list[str], str]:
    """The mask of each image, '' where it has none, by the one rule that finds most; and the folder that all images
    have in common, with its slash, if that did not count.

    Equal paths come first: the mask of cat/1.jpg is cat/1.png, or cat/1.jpg.png. Else what names masks may differ
    (1_mask.png), and if ``loose`` the folder that all images, or all masks, have in common (images/cat/1.jpg).

    Args:
        images: paths below the folder of the split, without suffix.
        masks: of the same form -> path of the file.
        suffixes: of the images.

    Raises:
        UserError: two images of one name have one mask.
    """
    best: list[str] = []
    most, stripped = -1, ""
    for rule, prefix in _rules(images, masks) if loose else STRICT:
        keyed = {rule.mask(stem): path for stem, path in masks.items()}
        if len(keyed) < len(masks):
            continue
        found = [
            keyed.get(rule.image(stem) + suffix) or keyed.get(rule.image(stem), "")
            for stem, suffix in zip(images, suffixes, strict=True)
        ]
        count = len(images) - found.count("")
        if count > most:
            best, most, stripped = found, count, prefix
        if count in (len(images), len(masks)):
            break
    _refuse_shared(best, images, suffixes)
    return best, stripped


STRICT = ((Rule(str, str), ""), (Rule(plain, plain), ""))
"""Rules, each with the folder of the images that it strips."""


def _rules(images: Sequence[str], masks: Mapping[str, str]) -> Iterator[tuple[Rule, str]]:
    """The same, with folders in common left out. Of masks only those that cannot be a category: cat/1.jpg does not
    belong to dog/1.png.
    """
    above_images, above_masks = (folder if folder != "/" else "" for folder in map(common_folder, (images, masks)))
    if not {*WORD.findall(above_masks.lower())} <= NO_CATEGORY and above_images:
        above_masks = ""
    for rule, _ in STRICT:
        for cut_image, cut_mask in ((0, 0), (1, 0), (0, 1), (1, 1)):
            prefix, mask_prefix = above_images * cut_image, above_masks * cut_mask
            image, mask = partial(_after, len(prefix), rule.image), partial(_after, len(mask_prefix), rule.mask)
            yield Rule(image, mask), prefix


def _after(length: int, rule: Callable[[str], str], stem: str) -> str:
    return rule(stem[length:])


def _refuse_shared(found: Sequence[str], images: Sequence[str], suffixes: Sequence[str]) -> None:
    """Raises:
    UserError: names the images.
    """
    owner: dict[str, int] = {}
    for row, mask in enumerate(found):
        if mask and (first := owner.setdefault(mask, row)) != row:
            one, other = (images[i] + suffixes[i] for i in (first, row))
            raise UserError(
                f"the images {printable(one)} and {printable(other)} have the same name but for the suffix, and one"
                f" mask, {printable(mask)}: nobody can tell whose it is. Call it {printable(one)}.png or"
                f" {printable(other)}.png (the name of its image with .png added), or rename one of the images"
            )
