"""The true masks of the embedded data set as saliency maps: what a perfect shape prior would give, the ceiling.

    python benchmarks/true_prior.py results/true-prior [--settings config.yaml]
    snakemake --cores all --config dataset=ceiling data_root=results/embedded/synthesize classes=8 \\
        'prior={folder: results/true-prior}'

Training images have no masks on the disk; the scenes are made again. The band of ignored pixels counts as object.
"""

import argparse
import os
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from luss_core import cli
from luss_core.config import SynthesizeConfig
from luss_core.data import scenes
from luss_core.parallel import batches, ordered_map, progress

BATCH = 16


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--settings", default="config.yaml")
    args = parser.parse_args(argv)
    cfg = cli.section(SynthesizeConfig, "synthesize", args.settings)
    jobs = [(split, index) for split in scenes.SPLITS for index in range(getattr(cfg, split))]
    done = ordered_map(partial(write, args.out, cfg), batches(iter(jobs), BATCH), os.cpu_count() or 1)
    for _ in progress(done, len(jobs), "masks", int):
        pass


def write(out: Path, cfg: SynthesizeConfig, jobs: list[tuple[str, int]]) -> int:
    """<split>/<category>/<name>.png of each scene, 255 where the object is; returns how many."""
    for split, index in jobs:
        mask = scenes.scene(cfg.seed, split, index, (cfg.min_side, cfg.max_side)).mask
        category = scenes.category(index)
        path = out / split / category / f"{category}_{index:05d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.where(mask > 0, 255, 0).astype(np.uint8)).save(path)
    return len(jobs)


if __name__ == "__main__":
    main()
