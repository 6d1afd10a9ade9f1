"""CamVid in the layout of SegNet, arXiv:1511.00561: 11 classes, and 11 for void."""

from pathlib import Path

from luss_core.data.annotated.base import Pair
from luss_core.data.annotated.folders import folders_in, images_in, refused
from luss_core.data.masks import IGNORE

CLASSES = (
    *("sky", "building", "pole", "road", "pavement", "tree", "sign symbol", "fence", "car", "pedestrian"),
    "bicyclist",
)
# fmt: off
COLOURS = (
    0x808080, 0x800000, 0xC0C080, 0x804080, 0x3C28DE, 0x808000, 0xC08080, 0x404080, 0x400080, 0x404000, 0x0080C0,
)
# fmt: on
VOID = 11


class CamVid:
    """<split>/<name>.png and <split>annot/<name>.png."""

    classes = CLASSES
    colours = COLOURS
    ids = dict(zip(range(VOID), range(VOID), strict=True)) | {VOID: IGNORE}
    preferred = ("train",), ("test", "val")

    def __init__(self, root: Path):
        self.root = root
        self.splits = tuple(name for name in folders_in(root) if (root / f"{name}annot").is_dir())
        if not self.splits:
            raise refused(root, "camvid", "<split> and <split>annot, such as train and trainannot")

    def pairs(self, split: str) -> list[Pair]:
        masks = self.root / f"{split}annot"
        return [Pair(image, masks / f"{image.stem}.png") for image in images_in(self.root / split)]
