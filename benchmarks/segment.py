"""What share of pure computing supervised segmentation keeps (bar: 85 %), and what limits it.

    python benchmarks/segment.py --format voc --data /path/to/voc [--settings recipes/transfer.yaml] [--threads 1]

Steps on crops that are read, resized and cut out, against the same step on fixed crops in memory. The two take turns in
one process, so that the speed of the machine cancels; the median of the ratios is printed, by the clock and by the
processor, which other work on the machine does not touch. The network is that of the
settings with random weights (pretrain.backbone), or begins from --encoder. Then the parts of a step by themselves: a
batch from the files that a training decodes once, and the same with every image decoded again, as with cache_gb: 0.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from throughput import STEPS, seconds

from luss_core import cli
from luss_core.config import AnnotatedConfig, PretrainConfig, SegmentConfig
from luss_core.data.annotated import packed, read_annotated
from luss_core.data.annotated.crops import ScaledCrops
from luss_core.data.batch import Batch
from luss_core.data.loader import make_loader
from luss_core.methods.base import Progress
from luss_core.methods.segmentation import Segmentation
from luss_core.models.deeplab_v3plus import DeepLabV3Plus
from luss_core.models.encoder import Encoder, load_encoder
from luss_core.models.restride import restrided
from luss_core.runtime import make_device
from luss_core.train.loop import train_step, update
from luss_core.train.optim import make_optimizer

PROGRESS = Progress(0, 1, 1)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--format", required=True, help="layout of the data set: voc, cityscapes, camvid, imagenet_s")
    parser.add_argument("--data", type=Path, required=True, help="its folder")
    parser.add_argument("--settings", default="config.yaml", help="YAML file with the sections segment and pretrain")
    parser.add_argument("--encoder", type=Path, help="encoder.safetensors of pretrain")
    parser.add_argument("--images", type=int, default=200, help="of the training split that are decoded")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args(argv)
    device = make_device("auto", args.threads)
    cfg = cli.section(SegmentConfig, "segment", args.settings)
    encoder = load_encoder(args.encoder) if args.encoder else Encoder(backbone(args.settings).encoder)
    found, _ = read_annotated(AnnotatedConfig(format=args.format, root=str(args.data)), args.data)
    images = found.take(range(min(args.images, len(found))))
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        packed.pack(Path(folder), images, cfg.size, "key", args.threads)
        print(f"decoded once: {1000 * (time.perf_counter() - start) / len(images):.1f} ms an image")
        kept, anew = packed.opened(Path(folder), "key"), packed.unpacked(images, cfg.size)
        views, again = (ScaledCrops(source, np.arange(len(images)), cfg, 0) for source in (kept, anew))
        pure, real = steps(cfg, encoder, views, device, args.rounds)
        pure(), real()
        taken = np.array([[times(work) for work in (pure, real)] for _ in range(args.rounds)])
        for k, clock in enumerate(("clock", "processor")):
            sides, ratio = np.median(taken[..., k], axis=0), np.median(taken[:, 0, k] / taken[:, 1, k])
            step, whole = 1000 * sides / STEPS
            print(f"by the {clock}: pure {step:.0f} ms a step, real {whole:.0f}, {100 * ratio:.1f} % of the rate kept")
        for name, source in (("from the files", views), ("decoded again", again)):
            print(f"a batch {name}: {1000 * a_batch(source, cfg):.1f} ms, by itself")


def backbone(settings: str) -> PretrainConfig:
    return cli.section(PretrainConfig, "pretrain", settings)


def steps(
    cfg: SegmentConfig, encoder: Encoder, views: ScaledCrops, device: torch.device, rounds: int
) -> tuple[Callable[[], None], Callable[[], None]]:
    """STEPS steps on one batch in memory, and on batches as they come."""
    network = DeepLabV3Plus(cfg.network, restrided(encoder, cfg.network.output_stride, "the benchmark"), 21)
    method = Segmentation(network, cfg.head_lr).to(device).to(memory_format=torch.channels_last).train()
    optimizer = make_optimizer(method, cfg.train, method.lr_scale)
    size = min(cfg.train.batch_size, len(views))
    loader = iter(make_loader(views, size, 0, (rounds + 1) * STEPS + 1, 0, device))
    fixed = next(loader).to(device)
    seen = fixed.views()

    def pure() -> None:
        for _ in range(STEPS):
            update(method, optimizer, seen, fixed, cfg.train, PROGRESS)

    def real() -> None:
        for _ in range(STEPS):
            train_step(method, optimizer, next(loader).to(device), cfg.train, PROGRESS)

    return pure, real


def times(work: Callable[[], None]) -> tuple[float, float]:
    """Seconds by the clock and of the processor."""
    begun = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - begun[0], time.process_time() - begun[1]


def a_batch(views: ScaledCrops, cfg: SegmentConfig) -> float:
    """Seconds that a batch takes until the network can have it: the fastest of some."""

    def make(epoch: int) -> list[torch.Tensor]:
        batch: Batch = views[views.keys(epoch, range(min(cfg.train.batch_size, len(views))))]
        return batch.views()

    return min(seconds(lambda epoch=epoch: make(epoch)) for epoch in range(5))  # type: ignore[misc]


if __name__ == "__main__":
    main()
