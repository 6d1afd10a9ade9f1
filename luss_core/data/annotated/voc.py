"""PASCAL VOC 2012, with the labels of SBD added ("augmented") where they are there."""

from pathlib import Path

from luss_core.data.annotated.base import Pair
from luss_core.data.annotated.folders import refused
from luss_core.errors import UserError

CLASSES = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
PLACES = ("", "VOC2012", "VOCdevkit/VOC2012")
"""Where JPEGImages may lie below the folder that is named."""
LISTS = ("ImageSets/Segmentation", "ImageSets/SegmentationAug")
AUGMENTED, OFFICIAL = "SegmentationClassAug", "SegmentationClass"


def _colour(index: int) -> int:
    """0xRRGGBB of a class: the bits of its number go in turn to red, green and blue, to their highest bits first."""
    return sum((index >> (3 * k + c) & 1) << (8 * (2 - c) + 7 - k) for k in range(3) for c in range(3))


class VOC:
    """JPEGImages, SegmentationClassAug or SegmentationClass, and lists of names in ImageSets/Segmentation.

    A list may give names, or as that of DeepLab the paths of image and mask. A mask is the augmented one where it is
    there.
    """

    classes = CLASSES
    colours = tuple(map(_colour, range(len(CLASSES))))
    ids = dict(zip(range(21), range(21), strict=True))
    preferred = ("train_aug", "trainaug", "train"), ("val",)

    def __init__(self, root: Path):
        found = [root / place for place in PLACES if (root / place / "JPEGImages").is_dir()]
        if not found:
            raise refused(root, "voc", "JPEGImages, SegmentationClass (or SegmentationClassAug) and ImageSets")
        self.root = found[0]
        self.lists = {file.stem: file for place in LISTS for file in sorted((self.root / place).glob("*.txt"))}
        self.splits = tuple(self.lists)
        if not self.splits:
            raise UserError(f"{self.root / LISTS[0]}: no list of images (*.txt), which says what belongs to a split")
        self.augmented = (self.root / AUGMENTED).is_dir()

    def pairs(self, split: str) -> list[Pair]:
        lines = self.lists[split].read_text(encoding="utf-8").splitlines()
        return [self._pair(line.split()) for line in lines if line.strip()]

    def _pair(self, fields: list[str]) -> Pair:
        if len(fields) > 1:
            image, mask = (self.root / field.lstrip("/") for field in fields[:2])
            return Pair(image, mask)
        mask = self.root / AUGMENTED / f"{fields[0]}.png"
        if not self.augmented or not mask.is_file():
            mask = self.root / OFFICIAL / f"{fields[0]}.png"
        return Pair(self.root / "JPEGImages" / f"{fields[0]}.jpg", mask)
