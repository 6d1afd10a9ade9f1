"""What share of pure computing training and extraction keep (bar: 85 % each).

    python benchmarks/throughput.py [--data results/embedded/prepare] [--settings config.yaml] [--threads 2]

Training: steps on batches that are read, cropped and coloured, against the same step on fixed views in memory.
Extraction: features written to HDF5, against the forward passes of the same images in memory. The two sides take turns
in one process, so that the speed of the machine cancels; the median of the ratios is printed.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from training_parts import LATE, parts

from luss_core import cli
from luss_core.config import ExtractConfig, PretrainConfig
from luss_core.data.images import read_images
from luss_core.data.loader import make_loader
from luss_core.data.store import Store
from luss_core.data.whole import squares, to_network
from luss_core.models.encoder import Encoder, load_encoder, pool
from luss_core.models.weights import save_weights
from luss_core.runtime import autocast, make_device
from luss_core.stages.extract import extract
from luss_core.train.loop import train_step, update
from luss_core.train.optim import make_optimizer

STEPS = 10


def seconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare(pure: Callable[[], None], real: Callable[[], None], rounds: int) -> tuple[float, float, float]:
    """Median seconds of each side and median of pure / real, taken in turns after one warm-up."""
    pure(), real()
    pairs = [(seconds(pure), seconds(real)) for _ in range(rounds)]
    return (*(statistics.median(side) for side in zip(*pairs, strict=True)), statistics.median(a / b for a, b in pairs))


def training(data: Path, settings: str, device: torch.device, rounds: int) -> tuple[float, float, float]:
    cfg = cli.section(PretrainConfig, "pretrain", settings)
    views, method = parts(data, cfg, device)
    optimizer = make_optimizer(method, cfg.train, method.lr_scale)
    loader = iter(make_loader(views, cfg.train.batch_size, 0, (rounds + 1) * STEPS + 1, 0, device))
    fixed = next(loader).to(device)
    seen = fixed.views()

    def pure() -> None:
        for _ in range(STEPS):
            update(method, optimizer, seen, fixed, cfg.train, LATE)

    def real() -> None:
        for _ in range(STEPS):
            train_step(method, optimizer, next(loader).to(device), cfg.train, LATE)

    return compare(pure, real, rounds)


def extraction(data: Path, settings: str, device: torch.device, rounds: int) -> tuple[float, float, float]:
    pretrain, cfg = cli.section(PretrainConfig, "pretrain", settings), cli.section(ExtractConfig, "extract", settings)
    with tempfile.TemporaryDirectory() as folder:
        encoder, out = Path(folder) / "encoder.safetensors", Path(folder) / "features.h5"
        save_weights(encoder, Encoder(pretrain.encoder), {"encoder": pretrain.encoder.model_dump(mode="json")})
        rows, store = read_images(data / "images.csv").rows("train"), Store(data / "images.h5")
        batches = [to_network(batch, device) for batch in squares(store, rows, cfg.size, cfg.crop, cfg.batch_size)]
        network = load_encoder(encoder).to(device)

        def pure() -> None:
            with torch.inference_mode(), autocast("auto", device):
                for batch in batches:
                    pool(network(batch), cfg.features, cfg.attend)

        def real() -> None:
            extract(cfg, images=data / "images.csv", store=data / "images.h5", encoder=encoder, out=out, device=device)

        return compare(pure, real, rounds)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("results/embedded/prepare"))
    parser.add_argument("--settings", default="config.yaml")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args(argv)
    device = make_device("auto", args.threads)
    for name, measure in (("training", training), ("extraction", extraction)):
        pure, real, ratio = measure(args.data, args.settings, device, args.rounds)
        print(f"{name}: pure {pure:.2f} s, real {real:.2f} s, {100 * ratio:.1f} % of the pure rate kept")


if __name__ == "__main__":
    main()
