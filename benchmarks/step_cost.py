"""What each part of the shape-enhanced method costs in a training step (bar: all of it 1.6 times DeepLabV3+* SwAV).

    python benchmarks/step_cost.py [--data results/embedded] [--settings config.yaml] [--threads 2] [--rounds 15]
    python benchmarks/step_cost.py --of methods

One step of every row of the ablation, or of every method in its preset, on fixed views in memory, one after the other
and round after round in one process, so that the speed of the machine cancels; the median of the ratios to the row
`deeplab`, or to the method `swav`, of the same round is printed. What a method does between epochs is not in it.
"""

import argparse
import statistics
import time
from collections.abc import Iterable
from pathlib import Path

import torch
import yaml
from training_parts import LATE, parts

from luss_core import runs
from luss_core.config import METHODS, Config, PretrainConfig
from luss_core.runtime import make_device
from luss_core.train.loop import update
from luss_core.train.optim import make_optimizer

BASES = {"ablation": "deeplab", "methods": "swav"}
"""What is compared, and what with."""


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--of", choices=list(BASES), default="ablation", help="whose steps")
    parser.add_argument("--data", type=Path, default=Path("results/embedded"))
    parser.add_argument("--settings", type=Path, default=Path("config.yaml"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args(argv)
    device = make_device("auto", args.threads)
    config = runs.load(yaml.safe_load(args.settings.read_text(encoding="utf-8")))
    steps = {name: Step(args.data, cfg, device) for name, cfg in compared(config, args.of)}
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(args.rounds + 1):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            seconds[name].append(time.perf_counter() - start)
    base = BASES[args.of]
    for name, taken in seconds.items():
        ratio = statistics.median(a / b for a, b in zip(taken[1:], seconds[base][1:], strict=True))
        print(f"{name:12} {1000 * statistics.median(taken[1:]):7.0f} ms a step, {ratio:.2f} times {base}")


def compared(config: Config, what: str) -> Iterable[tuple[str, PretrainConfig]]:
    """Presets by name, with what they say of the training."""
    for name in config.ablation if what == "ablation" else METHODS:
        yield name, runs.resolve(config, name).pretrain


class Step:
    """A training step on one batch that stays in memory."""

    def __init__(self, data: Path, cfg: PretrainConfig, device: torch.device):
        views, self.method = parts(data / "prepare", cfg, device)
        self.cfg, self.optimizer = cfg.train, make_optimizer(self.method, cfg.train, self.method.lr_scale)
        self.batch = views[views.keys(0, range(cfg.train.batch_size))].to(device)
        self.views = self.batch.views()

    def __call__(self) -> None:
        update(self.method, self.optimizer, self.views, self.batch, self.cfg, LATE).loss.item()


if __name__ == "__main__":
    main()
