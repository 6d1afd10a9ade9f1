"""Cityscapes, fine annotations: 34 ids in the files, of which 19 classes are trained and scored."""

from pathlib import Path

from luss_core.data.annotated.base import Pair
from luss_core.data.annotated.folders import folders_in, refused
from luss_core.data.masks import IGNORE

CLASSES = (
    *("road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign", "vegetation"),
    *("terrain", "sky", "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle"),
)
# fmt: off
COLOURS = (
    0x804080, 0xF423E8, 0x464646, 0x66669C, 0xBE9999, 0x999999, 0xFAAA1E, 0xDCDC00, 0x6B8E23,
    0x98FB98, 0x4682B4, 0xDC143C, 0xFF0000, 0x00008E, 0x000046, 0x003C64, 0x005064, 0x0000E6, 0x770B20,
)
# fmt: on
TRAINED = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
"""The id in the files of each of these classes; the others do not count."""
IDS = 34
IMAGE = "_leftImg8bit.png"


class Cityscapes:
    """leftImg8bit/<split>/<city>/*_leftImg8bit.png, and gtFine likewise with *_gtFine_labelIds.png.

    Where a split has no labelIds, the labelTrainIds that the official scripts make of them are read.
    """

    classes = CLASSES
    colours = COLOURS
    preferred = ("train",), ("val",)

    def __init__(self, root: Path):
        self.root = root
        self.splits = tuple(name for name in folders_in(root / "leftImg8bit") if (root / "gtFine" / name).is_dir())
        if not self.splits:
            raise refused(root, "cityscapes", "leftImg8bit/<split> and gtFine/<split>")
        of_classes = any((root / "gtFine").glob("*/*/*_gtFine_labelTrainIds.png"))
        of_ids = any((root / "gtFine").glob("*/*/*_gtFine_labelIds.png"))
        self.kind = "labelTrainIds" if of_classes and not of_ids else "labelIds"
        self.ids = dict.fromkeys(range(IDS), IGNORE) | {value: i for i, value in enumerate(TRAINED)}
        if self.kind == "labelTrainIds":
            self.ids = dict(zip(range(len(CLASSES)), range(len(CLASSES)), strict=True))

    def pairs(self, split: str) -> list[Pair]:
        images = sorted((self.root / "leftImg8bit" / split).glob(f"*/*{IMAGE}"))
        masks = self.root / "gtFine" / split
        return [
            Pair(image, masks / image.parent.name / f"{image.name.removesuffix(IMAGE)}_gtFine_{self.kind}.png")
            for image in images
        ]
