"""Rate and quality of the saliency that the stage prior computes, beside two simple baselines.

    python benchmarks/prior.py [/path/to/data]

Quality is F (beta^2 = 0.3, threshold min(1, 2 * mean of the map), averaged over the images) on the validation masks of
the generated scenes, and of a data folder in ImageNet-S layout if one is given. The rate is of one core, on photographs
whose longer side is brought to 256 pixels: those of the folder, or those that scikit-image ships. Times are of the
processor, so that other work on the machine does not count.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from threadpoolctl import threadpool_limits

from luss_core.config import PriorConfig, SynthesizeConfig
from luss_core.data import scenes
from luss_core.data.baselines import centre_prior, spectral_residual
from luss_core.data.decode import decode
from luss_core.data.find import find
from luss_core.data.masks import read_mask
from luss_core.data.saliency import region_contrast
from luss_core.metrics.saliency import foreground_f, salient

BAR = 8.0
SIDE = 256
Pair = tuple[np.ndarray, np.ndarray]


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", help="folder in ImageNet-S layout")
    parser.add_argument("--split", default="validation", help="which masks of the folder are scored")
    parser.add_argument("--timed", type=int, default=48, help="photographs whose time is taken, at most")
    args = parser.parse_args(argv)
    cfg = PriorConfig()
    with threadpool_limits(1):
        print(f"{'F in percent':30}{'images':>8}{'prior':>9}{'centre':>9}{'spectral residual':>20}")
        show("generated scenes, validation", quality(cfg, generated()))
        if args.data:
            show(f"{args.data.name}, {args.split}", quality(cfg, labelled(args.data, args.split)))
        photographs = list(taken(args.data, args.split, args.timed))
        rate = 1 / statistics.mean(seconds(cfg, photographs))
    print(f"{rate:.1f} images a second and core at {SIDE} pixels, {len(photographs)} photographs   (bar: {BAR:g})")
    if rate < BAR:
        sys.exit(f"below the bar of {BAR:g}")


def generated() -> Iterator[Pair]:
    """Images and masks of the embedded data set as `synthesize` makes them, before JPEG."""
    made = SynthesizeConfig()
    for index in range(made.validation):
        scene = scenes.scene(made.seed, "validation", index, (made.min_side, made.max_side))
        yield scene.pixels, scene.mask


def labelled(root: Path, split: str) -> Iterator[Pair]:
    """Images and masks of a folder."""
    for found in find(root, None)[0].images:
        if found.split == split and found.mask:
            yield decode(root / found.path, SIDE).pixels, read_mask(root / found.mask)


def taken(root: Path | None, split: str, count: int) -> Iterator[np.ndarray]:
    """Photographs with a longer side of 256 pixels, spread over the folder."""
    if root is None:
        images: list[Image.Image] = list(scenes.photographs())
    else:
        paths = [found.path for found in find(root, None)[0].images if found.split == split]
        images = [Image.fromarray(decode(root / path, SIDE).pixels) for path in paths[:: -(-len(paths) // count)]]
    for image in images[:count]:
        scale = SIDE / max(image.size)
        yield np.asarray(image.resize([round(scale * side) for side in image.size], Image.Resampling.BICUBIC))


def quality(cfg: PriorConfig, pairs: Iterable[Pair]) -> list[tuple[float, float, float]]:
    """F of the three maps for each image."""
    rows = []
    for image, truth in pairs:
        maps = region_contrast(image, cfg), centre_prior(image.shape[:2]), spectral_residual(image)
        size = truth.shape[::-1]
        whole = [np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BILINEAR)) for plane in maps]
        rows.append(tuple(foreground_f(salient(plane), truth) for plane in whole))
    return rows


def show(what: str, rows: list[tuple[float, float, float]]) -> None:
    prior, centre, spectral = 100 * np.mean(rows, axis=0)
    print(f"{what:30}{len(rows):8}{prior:9.1f}{centre:9.1f}{spectral:20.1f}")


def seconds(cfg: PriorConfig, images: list[np.ndarray]) -> list[float]:
    """Processor time of each image, after one to warm up."""
    region_contrast(images[0], cfg)
    times = []
    for image in images:
        start = time.process_time()
        region_contrast(image, cfg)
        times.append(time.process_time() - start)
    return times


if __name__ == "__main__":
    main()
