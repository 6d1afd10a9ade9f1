"""Miniature annotated data sets in the layouts of their authors."""

from pathlib import Path

import numpy as np
from PIL import Image

SIZES = ((24, 32), (32, 24), (24, 24))
"""Height and width of the images, in turn."""


def write_image(path: Path, ids: np.ndarray) -> None:
    """Colours that tell the classes apart, with a little noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(int(ids.sum()))
    shade = (37 * (ids.astype(np.int64)[..., None] + 1) * np.array([1, 3, 7])) % 200
    Image.fromarray((shade + random.integers(0, 40, shade.shape)).astype(np.uint8)).save(path)


def write_ids(path: Path, ids: np.ndarray, palette: bool = False) -> None:
    """An 8-bit PNG of one channel."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(ids.astype(np.uint8))
    if palette:
        image.putpalette([value for i in range(256) for value in (i, 255 - i, i)])
    image.save(path)


def blocks(values: list[int], k: int) -> np.ndarray:
    """Image number k: two halves, of values that change from image to image."""
    height, width = SIZES[k % len(SIZES)]
    ids = np.full((height, width), values[k % len(values)])
    ids[:, width // 2 :] = values[(k + 1) % len(values)]
    return ids


def voc(root: Path, train: int = 6, val: int = 3) -> Path:
    """VOCdevkit/VOC2012 with a palette and 255 along the border; every second image has an augmented mask alone."""
    base = root / "VOCdevkit" / "VOC2012"
    for split, count in (("train_aug", train), ("val", val)):
        names = [f"2007_{split[0]}{k:05d}" for k in range(count)]
        for k, name in enumerate(names):
            ids = blocks([0, 8, 15], k)
            ids[0] = 255
            write_image(base / "JPEGImages" / f"{name}.jpg", ids)
            write_ids(base / ("SegmentationClassAug" if k % 2 else "SegmentationClass") / f"{name}.png", ids, True)
        place = base / "ImageSets" / "Segmentation" / f"{split}.txt"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("".join(f"{name}\n" for name in names))
    return root


def cityscapes(root: Path, kind: str = "labelIds") -> Path:
    """Two cities a split; the ids of the files: 7 road, 11 building, 26 car, 4 static and 0 unlabelled."""
    values = [7, 26, 11, 4, 0] if kind == "labelIds" else [0, 13, 2, 255]
    for split, cities in (("train", ("aachen", "bochum")), ("val", ("munster",))):
        for city in cities:
            for k in range(3):
                name, ids = f"{city}_{k:06d}_000019", blocks(values, k)
                write_image(root / "leftImg8bit" / split / city / f"{name}_leftImg8bit.png", ids)
                write_ids(root / "gtFine" / split / city / f"{name}_gtFine_{kind}.png", ids)
                (root / "gtFine" / split / city / f"{name}_gtFine_polygons.json").write_text("{}")
    return root


def camvid(root: Path) -> Path:
    """SegNet's layout: 11 is void."""
    for split, count in (("train", 6), ("val", 2), ("test", 3)):
        for k in range(count):
            name, ids = f"0001TP_{6690 + 30 * k:06d}.png", blocks([0, 3, 8, 11], k)
            write_image(root / split / name, ids)
            write_ids(root / f"{split}annot" / name, ids)
    return root


def imagenet_s(root: Path) -> Path:
    """Two categories; masks are RGB, id = R + 256 G; training images have none."""
    for split, count in (("train", 2), ("train-semi", 2), ("validation", 2)):
        for number, category in enumerate(("n01", "n02"), start=1):
            for k in range(count):
                ids = blocks([0, number, 1000], k)
                write_image(root / split / category / f"{category}_{k}.JPEG", ids)
                if split != "train":
                    rgb = np.stack([ids & 255, ids >> 8, np.zeros_like(ids)], axis=-1).astype(np.uint8)
                    place = root / f"{split}-segmentation" / category / f"{category}_{k}.png"
                    place.parent.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(rgb).save(place)
    return root
