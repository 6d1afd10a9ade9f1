"""The embedded data set: nothing -> generated scenes with exact masks in ImageNet-S layout."""

import shutil
from functools import partial
from pathlib import Path

from PIL import Image

from luss_core import io
from luss_core.config import SynthesizeConfig
from luss_core.data import scenes
from luss_core.data.masks import write_mask
from luss_core.errors import UserError
from luss_core.parallel import batches, ordered_map, progress
from luss_core.shortage import of_disk

MARK = "scenes.json"
"""Written last: says that the folder is whole and that it is ours to replace."""
QUALITY = 92
BATCH = 16


def synthesize(cfg: SynthesizeConfig, *, out: Path, threads: int) -> None:
    """Write ``cfg.train + cfg.validation + cfg.test`` scenes below ``out``, whole or not at all.

    Layout: <split>/<category>/<name>.jpg and <split>-segmentation/<category>/<name>.png (id = R + 256 G, 0 background,
    1.. categories in alphabetical order, 1000 ignore). Training images have no masks.

    Raises:
        UserError: ``out`` holds something else, or the disk cannot be written.
    """
    if out.exists() and not (out / MARK).is_file() and any(out.iterdir()):
        raise UserError(f"{out} holds files that are no generated data set; give an empty or new folder")
    counts = {split: getattr(cfg, split) for split in scenes.SPLITS}
    jobs = ((split, index) for split, count in counts.items() for index in range(count))
    partial_out = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial_out, ignore_errors=True)
    try:
        write = partial(_write_scenes, partial_out, cfg.seed, (cfg.min_side, cfg.max_side))
        done = ordered_map(write, batches(jobs, BATCH), threads)
        for _ in progress(done, sum(counts.values()), "scenes", int):
            pass
        provenance = io.provenance(cfg.model_dump())
        io.write_json(partial_out / MARK, {"categories": scenes.NAMES, "counts": counts, "provenance": provenance})
        shutil.rmtree(out, ignore_errors=True)
        partial_out.replace(out)
    except OSError as error:
        raise UserError(of_disk(out, error)) from error
    finally:
        shutil.rmtree(partial_out, ignore_errors=True)


def _write_scenes(out: Path, seed: int, sides: tuple[int, int], jobs: list[tuple[str, int]]) -> int:
    """Write one batch; returns how many."""
    for split, index in jobs:
        scene = scenes.scene(seed, split, index, sides)
        category = scenes.category(index)
        name = f"{category}/{category}_{index:05d}"
        image = out / split / f"{name}.jpg"
        image.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(scene.pixels).save(image, quality=QUALITY, subsampling=0)
        if split != "train":
            write_mask(out / f"{split}-segmentation" / f"{name}.png", scene.mask)
    return len(jobs)
