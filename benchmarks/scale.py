"""The tables of docs/scale.md: what ImageNet-S costs, stage by stage, on 1, 8 and 64 GPUs. Two minutes.

    python benchmarks/scale.py

Measured on this machine are seconds an image and core; counted are multiply-accumulates, operations, exchanges and
memory of a step, through the package and the recipes; GPUs and network are the constants below. All hours are
estimates.
"""

import argparse
import tempfile
import warnings
from pathlib import Path
from typing import NamedTuple

import plan
import unit_costs
import yaml
from plan import Machine, Step
from unit_costs import Costs, Network

from luss_core import runs
from luss_core.config import Config, ViewsConfig
from luss_core.data.store import RGB
from luss_core.models.architectures import PUBLISHED, Architecture
from luss_core.models.count import count
from luss_core.stages.infer import SAMPLE

ROOT = Path(__file__).resolve().parents[1]

PUBLISHED_RATE = 2470
"""Images a second of ResNet-50 training on one A100 80 GB in mixed precision. NVIDIA, DeepLearningExamples, README of
PyTorch/Classification/ConvNets/resnet50v1.5, container 21.03 (2021)."""
HBM = 2.0e12
"""Bytes a second of the memory of an A100 80 GB. NVIDIA, data sheet (2021)."""
KEPT_RATE = 0.7
"""Assumed: the share of the published rate that is left with colour on the GPU, several losses and no tuned kernels."""
OPERATION = 8e-6
"""Assumed: seconds to start one operation from Python. Usual statements are 5 to 25."""
LATENCY = (4e-5, 1e-4)
"""Assumed: seconds of a small collective of NCCL, called from PyTorch, over 8 GPUs of a node and over 8 nodes."""
BANDWIDTH = (1e11, 2e10)
"""Assumed: bytes a second of large sums of NCCL, a GPU: NVLink, and a network of 200 Gbit/s a GPU."""
READ = 1e9
"""Assumed: bytes a second that a node reads from the file system."""
MEMORY = 6.4e10
"""Assumed: bytes a GPU for files that were read before, half a terabyte a node."""
NODE, CORES = 8, 8
"""Assumed: GPUs a node, cores a GPU."""
JPEG = 110_000
"""Assumed: bytes of a file of ImageNet."""
PASSES = 3
"""Assumed: times that infer reads or writes every enlarged map."""

GPUS = (1, 8, 64)
ARCHS = ("resnet18", "resnet50")
MAPS = (256, 341)
"""Height and width of a whole image in infer and examine."""


class Split(NamedTuple):
    """Images of ImageNet-S as released."""

    recipe: str
    train: int
    validation: int
    test: int

    @property
    def images(self) -> int:
        return self.train + self.validation + self.test


SPLITS = {
    "S50": Split("imagenet-s50", 64_431, 752, 1_682),
    "S300": Split("imagenet-s300", 384_862, 4_097, 9_088),
    "S919": Split("imagenet-s919", 1_183_322, 12_419, 27_423),
}


class Case(NamedTuple):
    """A split with a network."""

    name: str
    arch: str
    config: Config
    costs: Costs
    steps: tuple[Step, Step]
    """Of pretrain and finetune."""
    looking: int
    """Operations of a forward pass."""

    @property
    def split(self) -> Split:
        return SPLITS[self.name]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    warnings.simplefilter("ignore")
    cases, costs = [], {}
    with tempfile.TemporaryDirectory() as folder:
        writing = unit_costs.writing_rate(Path(folder))
        for name, split in SPLITS.items():
            values = yaml.safe_load((ROOT / f"recipes/{split.recipe}.yaml").read_text(encoding="utf-8"))
            config = runs.load(runs.merge(Config().model_dump(), values))
            costs[name] = unit_costs.measure(config, Path(folder, name))
            cases += [case(name, arch, config, costs[name]) for arch in ARCHS]
    print_rates(costs, writing)
    print_sizes(cases[:: len(ARCHS)])
    print_preparation(cases[:: len(ARCHS)], writing)
    print_looking(cases)
    print_networks(cases)
    print_training(cases)


def case(name: str, arch: str, config: Config, costs: Costs) -> Case:
    """A recipe with another backbone."""
    pretrain = config.pretrain
    pretrain = pretrain.model_copy(update={"backbone": pretrain.backbone.model_copy(update={"arch": arch})})
    config = config.model_copy(update={"pretrain": pretrain})
    learning, tuning = unit_costs.dissect(pretrain, config.finetune)
    images, stored = SPLITS[name].train, costs.stored
    steps = (
        step(config, pretrain.views, learning, costs.crop, stored + costs.saliency, images),
        step(config, config.finetune.views, tuning, costs.crop_finetune, stored, images),
    )
    return Case(name, arch, config, costs, steps, learning.looking)


def step(config: Config, views: ViewsConfig, network: Network, crop: float, stored: float, images: int) -> Step:
    macc = sum(kind.count * macc_of(config, kind.size) for kind in views.crops)
    waiting = sum(kind.count * RGB * kind.size**2 for kind in views.crops)
    counted = network.operations, network.collectives, network.parameters
    return Step(macc, *counted, crop, stored, images, network.kept, waiting)


def macc_of(config: Config, size: int) -> int:
    """Of one square image."""
    return count(Architecture(config.pretrain.backbone, config.pretrain.decoder), size).macc


def machine() -> Machine:
    sustained = KEPT_RATE * PUBLISHED_RATE * (1 + plan.BACKWARD) * count(PUBLISHED["resnet50"], 224).macc
    return Machine(sustained, OPERATION, NODE, CORES - 1, READ, MEMORY, LATENCY, BANDWIDTH)  # a core trains


def look(c: Case, gpu: Machine) -> float:
    """Seconds to bring one whole image through the network alone."""
    height, width = MAPS
    macc = macc_of(c.config, height) * width / height
    return c.costs.whole + max(c.looking * gpu.operation, macc / gpu.macs)


def looking_hours(c: Case, gpu: Machine, gpus: int) -> dict[str, float]:
    """Stages that train nothing. Each process of infer looks at a sample for the threshold; examine is one process."""
    costs, split, looked = c.costs, c.split, c.split.validation + c.split.test
    height, width = unit_costs.HEIGHT, unit_costs.WIDTH
    crop = c.config.pretrain.views.crops[0]
    pairs = c.config.examine.draws * min(c.config.examine.images, split.validation)
    pair = 2 * (costs.crop_finetune + macc_of(c.config, crop.size) / gpu.macs)
    vector = costs.square + macc_of(c.config, c.config.extract.crop) / gpu.macs
    reading = split.train * costs.stored / (gpu.read * -(-gpus // gpu.node))
    enlarging = PASSES * c.config.classes * height * width * plan.FLOAT / HBM
    seconds = {
        "examine": pairs * pair + looked * look(c, gpu) + split.validation * costs.look,
        "extract": max(split.train * vector / gpus, reading),
        "infer": looked / gpus * max(look(c, gpu) + enlarging, costs.masks / CORES) + SAMPLE * look(c, gpu),
    }
    return {stage: taken / 3600 for stage, taken in seconds.items()}


def core_hours(c: Case) -> dict[str, float]:
    """Hours of one core for the stages without a GPU."""
    cfg, costs, split = c.config.cluster, c.costs, c.split
    assert c.config.pretrain.decoder is not None
    dim = c.config.pretrain.decoder.channels
    flop = plan.kmeans_flop(split.train, c.config.classes, dim, cfg)
    seconds = {
        "prepare": split.images * costs.prepare,
        "prior": split.images * costs.prior,
        "cluster": flop / costs.flops,
        "evaluate": split.validation * costs.evaluate,
    }
    return {stage: taken / 3600 for stage, taken in seconds.items()}


def print_rates(costs: dict[str, Costs], writing: float) -> None:
    names = {
        "decode, reduce, pack: `prepare`": "prepare",
        "saliency map: `prior`": "prior",
        "all crops, with those of the map: `pretrain`": "crop",
        "crop: `finetune`": "crop_finetune",
        "centre square: `extract`": "square",
        "masks and scores written: `infer`": "masks",
        "both passes with truth: `evaluate`": "evaluate",
    }
    table(
        ["a second and core", *costs],
        [
            *([what, *(f"{1 / getattr(c, key):,.0f}" for c in costs.values())] for what, key in names.items()),
            ["k-means, GFLOP: `cluster`", *(f"{c.flops / 1e9:.0f}" for c in costs.values())],
        ],
    )
    print(f"`images.h5` was written with {writing / 1e6:,.0f} MB/s.\n")


def print_sizes(cases: list[Case]) -> None:
    rows = []
    for c in cases:
        split, costs = c.split, c.costs
        assert c.config.pretrain.decoder is not None
        vectors = split.train * c.config.pretrain.decoder.channels * plan.FLOAT
        sizes = (
            split.images * JPEG,
            split.images * costs.stored,
            split.images * costs.saliency,
            vectors,
            (split.validation + split.test) * costs.mask_bytes,
        )
        rows.append(
            [c.name, f"{split.train:,}", f"{split.validation + split.test:,}", *(f"{n / 1e9:,.1f}" for n in sizes)]
        )
    table(["", "train", "val + test", "JPEG, GB", "images.h5", "prior.h5", "features.h5", "masks, scores"], rows)


def print_preparation(cases: list[Case], writing: float) -> None:
    rows = []
    for c in cases:
        for cores in (CORES, NODE * CORES):
            hours = {stage: taken / cores for stage, taken in core_hours(c).items()}
            hours["prepare"] = max(hours["prepare"], c.split.images * c.costs.stored / writing / 3600)
            rows.append([c.name, str(cores), *map(shown, hours.values())])
    table(["hours", "cores", "prepare", "prior", "cluster", "evaluate"], rows)


def print_networks(cases: list[Case]) -> None:
    rows = []
    for c in cases[: 2 * len(ARCHS)]:  # S919 is as S300
        first, batch = c.steps[0], c.config.pretrain.train.batch_size
        row = [
            "S50" if c.name == "S50" else "S300, S919",
            c.arch,
            f"{first.parameters / 1e6:.1f}",
            f"{first.macc / 1e9:.1f}",
            f"{first.operations[0]:,} / {first.operations[1]:,}",
            str(first.collectives),
            " / ".join(f"{plan.gpu_bytes(first, batch, gpus) / 1e9:.1f}" for gpus in GPUS),
            f"{plan.loader_bytes(first, batch, 1, machine()) / 1e9:.1f}",
        ]
        rows.append(row)
    head = ["parameters, M", "MACC an image, G", "operations, one / more GPUs", "exchanges", "GB a GPU of 1 / 8 / 64"]
    table(["crops of", "", *head, "loader, GB a node"], rows)


def print_looking(cases: list[Case]) -> None:
    rows = []
    for c in cases:
        hours = [looking_hours(c, machine(), gpus) for gpus in GPUS]
        shared = (" / ".join(shown(found[stage]) for found in hours) for stage in ("extract", "infer"))
        rows.append([c.name, c.arch, shown(hours[0]["examine"]), *shared])
    table(
        ["hours", "", "examine", *(f"{stage} on {' / '.join(map(str, GPUS))}" for stage in ("extract", "infer"))], rows
    )


def print_training(cases: list[Case]) -> None:
    gpu, rows = machine(), []
    for c in cases:
        trainings = c.config.pretrain.train, c.config.finetune.train
        for gpus in GPUS:
            parts = plan.step_parts(c.steps[0], trainings[0].batch_size, gpus, gpu)
            hours = [
                plan.training_hours(step, cfg.batch_size, cfg.epochs, gpus, gpu)
                for step, cfg in zip(c.steps, trainings, strict=True)
            ]
            others = sum(looking_hours(c, gpu, gpus).values()) + sum(core_hours(c).values()) / (CORES * min(gpus, NODE))
            milliseconds = " / ".join(f"{1e3 * part:.0f}" for part in parts.values())
            rate = f"{trainings[0].batch_size / plan.step_seconds(parts):,.0f}"
            waits = [milliseconds, plan.bottleneck(parts), rate]
            rows.append([c.name, c.arch, str(gpus), *waits, *map(shown, (*hours, sum(hours) + others))])
    named = f"ms: {' / '.join(parts)}"
    table(["", "", "GPUs", named, "waits for", "images/s", "pretrain, h", "finetune, h", "all stages, h"], rows)


def shown(hours: float) -> str:
    return "< 0.01" if hours < 0.01 else f"{hours:.2f}" if hours < 1 else f"{hours:.1f}"


def table(head: list[str], rows: list[list[str]]) -> None:
    """In Markdown."""
    for cells in (head, ["---"] * len(head), *rows):
        print("| " + " | ".join(cells) + " |")
    print()


if __name__ == "__main__":
    main()
