"""What a step of CACL costs beside one of MoCo v2, and what its cycle takes of memory (bars: 2 times; the estimate).

    python benchmarks/cacl_step.py [--size 112] [--batch 16] [--width 64] [--threads 2] [--rounds 8]

Both methods have one backbone, ResNet-18 of output stride 8, and pairs of random images in memory; their steps take
turns in one process, so that the speed of the machine cancels, and the median of the ratios is printed. The cycle loss
with its gradient then runs in a process of its own, for 32 crops of 224 pixels and 16,384 negatives; the growth of its
greatest memory stands beside `peak_bytes`.
"""

import argparse
import multiprocessing
import statistics
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from training_parts import LATE

from luss_core.config import METHODS, BackboneConfig, EncoderConfig, TrainConfig, ViewsConfig
from luss_core.data.loader import Views
from luss_core.losses.cycle import cycle_loss, peak_bytes
from luss_core.methods import build_method
from luss_core.models.encoder import Encoder
from luss_core.runtime import make_device
from luss_core.train.loop import update
from luss_core.train.optim import make_optimizer

IMAGES, POSITIONS, NEGATIVES, DIM = 32, 784, 16384, 128
"""Of the cycle whose memory is measured: 224 pixels, stride 8, and the queue of the paper."""


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("size", 112), ("batch", 16), ("width", 64), ("threads", 2), ("rounds", 8)):
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args(argv)
    make_device("cpu", args.threads)
    steps = {name: Step(name, args) for name in ("moco", "cacl")}
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(args.rounds + 1):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            seconds[name].append(time.perf_counter() - start)
    for name, taken in seconds.items():
        print(f"{name}: {statistics.median(taken[1:]):.3f} s a step of {args.batch} pairs of {args.size} pixels")
    pairs = zip(seconds["cacl"][1:], seconds["moco"][1:], strict=True)
    print(f"cacl takes {statistics.median(a / b for a, b in pairs):.2f} times moco (bar 2)")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        measured, expected = pool.apply(memory), peak_bytes(IMAGES, POSITIONS, NEGATIVES)
    print(f"cycle of {IMAGES} x {POSITIONS} positions: {measured / 1e9:.2f} GB, estimate {expected / 1e9:.2f} GB")


class Pixels:
    """Random images of one and a half times the side of a crop."""

    def __init__(self, side: int):
        self.side = side

    def read(self, row: int) -> np.ndarray:
        return np.random.default_rng(row).integers(0, 256, (self.side, self.side, 3), dtype=np.uint8)


class Step:
    """A training step on one batch that stays in memory."""

    def __init__(self, name: str, args: argparse.Namespace):
        backbone = BackboneConfig(width=args.width, stem="imagenet", strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4))
        own = {"count": 2, "size": args.size, "scale": [0.3, 1]}
        cfg = ViewsConfig.model_validate(METHODS[name].pretrain["views"] | {"crops": [own]})
        rows = np.arange(args.batch)
        views = Views(Pixels(3 * args.size // 2), rows, cfg, 0, partners=rows if name == "cacl" else None)
        torch.manual_seed(0)
        settings = METHODS[name].config.model_validate({"dim": DIM, "queue": NEGATIVES, "batchnorm_images": 8})
        self.method = build_method(settings, Encoder(EncoderConfig(backbone=backbone)), args.batch).train()
        self.method.to(memory_format=torch.channels_last)
        self.cfg = TrainConfig(precision="float32")
        self.optimizer = make_optimizer(self.method, self.cfg)
        self.batch = views[views.keys(0, range(args.batch))]
        self.views = self.batch.views()

    def __call__(self) -> None:
        update(self.method, self.optimizer, self.views, self.batch, self.cfg, LATE).loss.item()


def memory() -> int:
    """Bytes by which the greatest memory of this process grows in the cycle loss."""
    torch.set_num_threads(2)
    c, later, u = (F.normalize(torch.randn(IMAGES, POSITIONS, DIM), dim=2) for _ in range(3))
    negatives, c = F.normalize(torch.randn(NEGATIVES, DIM), dim=1), c.requires_grad_()
    cycle_loss(c[:1, :8], later[:1, :8], negatives[:8], 0.07, (u[:1, :8], u[:1, :8])).mean().backward()
    before = peak()
    cycle_loss(c, later, negatives, 0.07, (u, u)).mean().backward()
    return peak() - before


def peak() -> int:
    """Bytes; what getrusage says is that of the process which started this one, if that is more."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines())
    return 1024 * int(status["VmHWM"].split()[0])


if __name__ == "__main__":
    main()
