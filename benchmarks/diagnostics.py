"""What looking at the features costs, as a share of the steps of a training (bar: 2 %).

    python benchmarks/diagnostics.py [--data results/embedded] [--settings config.yaml] [--threads 2] [--rounds 7]

For every method in its preset: steps with the work of the loader, each followed by a look, in one process. The medians
are multiplied by how many there are of either in the training that the preset says. Start-up and work between epochs,
which would make the share smaller, are left out.
"""

import argparse
import math
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
import yaml
from training_parts import LATE, parts

from luss_core import runs
from luss_core.config import METHODS, PretrainConfig
from luss_core.data.images import read_images
from luss_core.data.judged import categories_of
from luss_core.runtime import make_device
from luss_core.train.diagnostics import Diagnostics
from luss_core.train.loop import train_step
from luss_core.train.optim import make_optimizer


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("results/embedded"))
    parser.add_argument("--settings", type=Path, default=Path("config.yaml"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args(argv)
    device = make_device("auto", args.threads)
    config = runs.load(yaml.safe_load(args.settings.read_text(encoding="utf-8")))
    for name in METHODS:
        cfg = runs.resolve(config, name).pretrain
        if "pairs" in cfg.method.needs:  # the embedded set has no videos
            continue
        step, look = costs(args.data / "prepare", cfg, device, args.rounds)
        print(f"{name:12} {1000 * step[0]:6.0f} ms a step, {1000 * look[0]:6.0f} ms a look,", end=" ")
        print(f"{look[1]} looks in {step[1]} steps: {100 * look[0] * look[1] / (step[0] * step[1]):.1f} %")


def costs(
    prepared: Path, cfg: PretrainConfig, device: torch.device, rounds: int
) -> tuple[tuple[float, int], tuple[float, int]]:
    """Seconds of processor time and number of the steps, and of the looks."""
    views, method = parts(prepared, cfg, device)
    listing, size, every = read_images(prepared / "images.csv"), cfg.train.batch_size, cfg.diagnose_every_epochs
    diagnostics = Diagnostics(views, every, device, cfg.train.precision, categories_of(listing, views.rows, None))
    optimizer, keys = make_optimizer(method, cfg.train, method.lr_scale), views.keys(0, range(size))
    steps, looks = [], []
    for _ in range(rounds + 1):
        steps.append(taken(lambda: train_step(method, optimizer, views[keys].to(device), cfg.train, LATE).loss.item()))
        looks.append(taken(lambda: diagnostics.measure(method)))
    per_epoch = len(views) // size
    learns = any(p.requires_grad for p in method.encoder.backbone.parameters())
    return (
        (statistics.median(steps[1:]), cfg.train.epochs * per_epoch),
        (statistics.median(looks[1:]), 1 + (math.ceil(cfg.train.epochs / every) if learns else 1)),
    )


def taken(work: Callable[[], object]) -> float:
    """Seconds; of all cores, where the processor computes."""
    start = time.perf_counter() if torch.cuda.is_available() else time.process_time()
    work()
    return (time.perf_counter() if torch.cuda.is_available() else time.process_time()) - start


if __name__ == "__main__":
    main()
