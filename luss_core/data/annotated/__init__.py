"""Annotated segmentation data sets as their authors lay them out: for probes alone."""

from collections.abc import Callable
from pathlib import Path

from luss_core.config import AnnotatedConfig
from luss_core.data.annotated.base import AnnotatedImages, Layout
from luss_core.data.annotated.camvid import CamVid
from luss_core.data.annotated.cityscapes import Cityscapes
from luss_core.data.annotated.imagenet_s import ImageNetS
from luss_core.data.annotated.voc import VOC
from luss_core.errors import UserError

LAYOUTS: dict[str, Callable[[Path], Layout]] = {
    "voc": VOC,
    "cityscapes": Cityscapes,
    "camvid": CamVid,
    "imagenet_s": ImageNetS,
}
NAMED = 5
"""Files that a message names."""


def read_annotated(cfg: AnnotatedConfig, root: Path) -> tuple[AnnotatedImages, AnnotatedImages]:
    """The images that are learned from and those that are scored.

    Raises:
        UserError: another layout, no such split, the same split twice, no images, or files that are missing.
    """
    layout = LAYOUTS[cfg.format](root)
    train = _chosen("train", cfg.train, layout, layout.preferred[0], root)
    test = _chosen("test", cfg.test, layout, [name for name in layout.preferred[1] if name != train], root)
    if train == test:
        raise UserError(f"probes.data: train and test are both {train}; name another split of {_known(layout)}")
    learned, scored = (_split(layout, root, split) for split in (train, test))
    return learned, scored


def _chosen(key: str, named: str | None, layout: Layout, preferred: tuple[str, ...] | list[str], root: Path) -> str:
    if named is not None and named in layout.splits:
        return named
    found = next((name for name in preferred if name in layout.splits), None)
    if named is None and found is not None:
        return found
    what = f"no split {named} with labels" if named is not None else f"no split {' or '.join(preferred)} with labels"
    raise UserError(f"probes.data.{key}: {root} has {what}; name one of {_known(layout)}")


def _known(layout: Layout) -> str:
    return ", ".join(layout.splits)


def _split(layout: Layout, root: Path, split: str) -> AnnotatedImages:
    pairs = layout.pairs(split)
    if not pairs:
        raise UserError(f"{root}: the split {split} has no images; name another in probes.data, or add them")
    missing = [str(path) for pair in pairs for path in pair if not path.is_file()]
    if missing:
        lines = "\n  ".join(
            missing[:NAMED] + ([f"... and {len(missing) - NAMED} more"] if len(missing) > NAMED else [])
        )
        raise UserError(
            f"{len(missing)} files of the split {split} are missing; add them, or take their images out:\n  {lines}"
        )
    return AnnotatedImages(root, split, layout.classes, layout.ids, pairs, layout.colours)
