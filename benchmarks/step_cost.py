"""What each part of the shape-enhanced method costs in a training step (bar: all of it 1.6 times DeepLabV3+* SwAV).

    python benchmarks/step_cost.py [--data results/embedded] [--settings config.yaml] [--threads 2] [--rounds 15]

One step of every row of the ablation on fixed views in memory, row after row and round after round in one process, so
that the speed of the machine cancels; the median of the ratios to the row `deeplab` of the same round is printed.
"""

import argparse
import statistics
import time
from pathlib import Path

import torch
import yaml

from luss_core import runs
from luss_core.data.batch import Batch
from luss_core.data.images import read_images
from luss_core.data.loader import Views
from luss_core.data.store import Store
from luss_core.methods import Method, Progress, build_method
from luss_core.models.encoder import Encoder
from luss_core.runtime import make_device
from luss_core.train.loop import update
from luss_core.train.optim import make_optimizer

BASE = "deeplab"
LATE = Progress(10**6, 10**7, 10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("results/embedded"))
    parser.add_argument("--settings", type=Path, default=Path("config.yaml"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    device = make_device("auto", args.threads)
    config = runs.load(yaml.safe_load(args.settings.read_text(encoding="utf-8")))
    rows = read_images(args.data / "prepare/images.csv").rows("train")
    pixels, saliency = Store(args.data / "prepare/images.h5"), Store(args.data / "prior/prior.h5", "prior")
    steps = {}
    for name in config.ablation:
        cfg = runs.resolve(config, name).pretrain
        views = Views(pixels, rows, cfg.views, 0, prior=saliency if cfg.prior else None)
        batch: Batch = views[(0, list(range(cfg.train.batch_size)))].to(device)
        method: Method = build_method(cfg.method, Encoder(cfg.encoder)).to(device)
        method.to(memory_format=torch.channels_last).train()
        steps[name] = (method, make_optimizer(method, cfg.train), batch.views(), batch, cfg.train)
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(args.rounds + 1):
        for name, parts in steps.items():
            start = time.perf_counter()
            update(*parts, LATE).loss.item()
            seconds[name].append(time.perf_counter() - start)
    for name, taken in seconds.items():
        ratio = statistics.median(a / b for a, b in zip(taken[1:], seconds[BASE][1:], strict=True))
        print(f"{name:12} {1000 * statistics.median(taken[1:]):7.0f} ms a step, {ratio:.2f} times {BASE}")


if __name__ == "__main__":
    main()
