"""ImageNet-S, arXiv:2106.03149: the layout of this project's own data sets."""

from pathlib import Path

from luss_core.data.annotated.base import Pair
from luss_core.data.annotated.folders import folders_in, images_in, refused


class ImageNetS:
    """<split>/<category>/<name>.jpg and <split>-segmentation/<category>/<name>.png, id = R + 256 G.

    The classes are "other", id 0, and the category folders in alphabetical order: those of train where it is there.
    """

    colours = None
    preferred = ("train-semi", "validation"), ("validation", "test")

    def __init__(self, root: Path):
        self.root = root
        self.splits = tuple(name for name in folders_in(root) if (root / f"{name}-segmentation").is_dir())
        if not self.splits:
            raise refused(root, "imagenet_s", "<split> and <split>-segmentation, such as those of validation")
        named = folders_in(root / "train") or sorted({name for s in self.splits for name in folders_in(root / s)})
        self.classes = ("other", *named)
        self.ids = dict(zip(range(len(self.classes)), range(len(self.classes)), strict=True))

    def pairs(self, split: str) -> list[Pair]:
        masks = self.root / f"{split}-segmentation"
        return [
            Pair(image, masks / category / f"{image.stem}.png")
            for category in folders_in(self.root / split)
            for image in images_in(self.root / split / category)
        ]
