"""Which mask belongs to which image, by their names."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from os.path import commonprefix
from typing import NamedTuple
from unicodedata import normalize

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
SAMPLED = 40
WORD = re.compile(r"[^\W\d_]+")


class Rule(NamedTuple):
    """How the name of an image, without suffix, and that of its mask become equal."""

    image: Callable[[str], str]
    mask: Callable[[str], str]


def called_masks(folder: str) -> bool:
    """Whether the name of a folder says that masks lie in it."""
    return not MASK_WORDS.isdisjoint(WORD.findall(folder.lower()))


def plain(stem: str) -> str:
    """The name of an image, of which that of its mask is made; accents in one form, since those of macOS differ."""
    if not stem.isascii():
        stem = normalize("NFC", stem)
    folder, slash, name = stem.rpartition("/")
    return folder + slash + IMAGE_AFFIX.sub("", AFFIX.sub("", name, count=1), count=1)


def pair(
    images: Sequence[str], masks: Mapping[str, str], suffixes: Sequence[str], *, loose: bool
) -> tuple[list[str], str]:
    """The mask of each image, '' where it has none, by the one rule that finds most; and the folder of the images, with
    its slash, if that did not count.

    Equal paths come first: the mask of cat/1.jpg is cat/1.png, or cat/1.jpg.png. Else what names masks may differ
    (1_mask.png), and if ``loose`` the folder of the images (images/cat/1.jpg) or a further one of the masks.

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
    """The same, then without the folder in which the images lie, or the masks, and last by the names of files alone."""
    yield from STRICT
    inner = _folder_in_common(masks)
    above = _folder_of_images(images, masks, inner)
    for rule, _ in STRICT:
        for image_cut, mask_cut in ((above, ""), ("", inner), (above, inner)):
            if image_cut or mask_cut:
                yield Rule(partial(_below, image_cut, rule.image), partial(_below, mask_cut, rule.mask)), image_cut
    flat = len({*map(_name, images)}) == len(images) and all("/" not in stem[len(inner) :] for stem in masks)
    if flat:
        yield Rule(_name, _name), ""


def _folder_in_common(masks: Iterable[str]) -> str:
    """The folder, with the slash, in which all masks lie, unless it may be a category: cat/1.jpg is not dog/1.png."""
    names = list(masks)
    found = commonprefix([min(names), max(names)]).rpartition("/")[0]
    return f"{found}/" if found and NO_CATEGORY.issuperset(WORD.findall(found.lower())) else ""


def _folder_of_images(images: Sequence[str], masks: Iterable[str], inner: str) -> str:
    """The folder, with the slash, below which some masks find an image of their path; '' where several would do."""
    names = [stem[len(inner) :] for stem in masks]
    wanted: dict[str, list[str]] = {}
    for stem in names[:: -(-len(names) // SAMPLED)]:
        wanted.setdefault(_name(stem), []).append(stem.rpartition("/")[0])
    found: Counter[str] = Counter()
    for stem in images:
        folder = stem.rpartition("/")[0]
        for below in wanted.get(_name(stem), ()):
            if f"/{folder}".endswith(f"/{below}" if below else ""):
                found[folder[: len(folder) - len(below)]] += 1
    (best, most), (_, second) = [*found.most_common(2), ("", 0), ("", 0)][:2]
    return f"{best.rstrip('/')}/" if best and most > 2 * second else ""


def _below(folder: str, rule: Callable[[str], str], stem: str) -> str:
    """What is outside the folder keeps a name that nothing else has."""
    return rule(stem[len(folder) :] if stem.startswith(folder) else f"/{stem}")


def _name(stem: str) -> str:
    return plain(stem.rpartition("/")[2])


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
