"""Training steps beside the same steps made of lightly's parts (bar: 1.25 times as many images/s).

    python benchmarks/against_lightly.py [--data FOLDER] [--methods swav byol] [--threads 1] [--rounds 5]

ResNet-18, views of 2 x 96 pixels (SwAV: and 4 x 48), batches of 64, float32, the same optimiser, heads as wide as in
lightly's examples and colours as its transforms have them. Both sides take turns, each step with the reading and the
views of its batch, and the median of the ratios is printed with its quartiles. Lightly has a process of its own: how
memory is kept here (`luss_core.runtime`) is not part of what its documentation shows. Seconds of the processor decide:
they are all that a step costs, wherever it is computed, and other work on the machine hardly changes them. Neither has
loader processes: with them less is waited for, but a busy machine has the same to compute. Lightly decodes the JPEG
files in every epoch; here `prepare` does so once, and its time is printed. A second ratio is that of steps here that
decode their files again.
"""

import argparse
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import lightly_steps
import numpy as np
import torch
from PIL import Image
from training_parts import LATE, parts

from luss_core.config import METHODS, PrepareConfig, PretrainConfig, TrainConfig
from luss_core.data.decode import decode
from luss_core.data.images import read_images
from luss_core.data.loader import make_loader
from luss_core.runtime import make_device
from luss_core.stages.prepare import prepare
from luss_core.train.loop import train_step
from luss_core.train.optim import make_optimizer

BAR, BATCH, SHORT_SIDE = 1.25, 64, 256
PREPARED = "files decoded once, by prepare"
TRAIN = {"optimizer": "sgd", "lr": 0.06, "momentum": 0.9, "weight_decay": 1e-4, "precision": "float32"}
NETWORK = {"backbone": {"width": 64, "stem": "imagenet", "strides": [1, 2, 2, 2]}, "decoder": None, "attention": False}
HEADS: dict[str, dict[str, Any]] = {
    "simclr": {"layers": 2, "dim": 128, "temperature": 0.5},
    "moco": {"queue": lightly_steps.QUEUE, "dim": 128},
    "byol": {"hidden": 1024, "dim": 256},
    "swav": {"prototypes": lightly_steps.PROTOTYPES, "hidden": 512, "dim": 128, "final_batchnorm": False},
}
SCALE = {"simclr": (0.08, 1.0), "moco": (0.2, 1.0), "byol": (0.08, 1.0), "swav": (0.14, 1.0)}


class Cost(NamedTuple):
    """Of a step, in seconds."""

    processor: float
    wall: float


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of JPEG files; without it some are made")
    parser.add_argument("--methods", nargs="+", choices=list(HEADS), default=list(HEADS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args(argv)
    device = make_device("cpu", args.threads)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        data = args.data or photographs(root / "photographs")
        start = time.perf_counter()
        prepare(PrepareConfig(short_side=SHORT_SIDE), root=data, out=root / "prepare", state=root / "state", threads=1)
        print(f"prepare: {time.perf_counter() - start:.1f} s, once", flush=True)
        if len(read_images(root / "prepare" / "images.csv")) < BATCH:
            parser.error(f"--data {data} has fewer images than a batch, {BATCH}")
        below = [
            compare(method, data, root / "prepare", device, args.threads, args.rounds) < BAR for method in args.methods
        ]
    if any(below):
        sys.exit("FAIL")
    print("PASS")


def compare(name: str, data: Path, prepared: Path, device: torch.device, threads: int, rounds: int) -> float:
    """Median of the ratios of processor time, as the workflow trains."""
    cfg = settings(name)
    step, decode_batch = own_step(cfg, prepared, device, rounds + 1), decoding(prepared)
    with in_own_process(name, data, threads, cfg.train) as theirs:
        sides: dict[str, Callable[[], Cost]] = {
            "here": lambda: cost(step),
            "lightly": theirs,
            "decoding": lambda: cost(decode_batch),
        }
        costs = [{side: measure() for side, measure in sides.items()} for _ in range(rounds + 1)][1:]
    ratios = {
        PREPARED: [c["lightly"].processor / c["here"].processor for c in costs],
        "files decoded in every step": [
            c["lightly"].processor / (c["here"].processor + c["decoding"].processor) for c in costs
        ],
        f"{PREPARED}, by the clock": [c["lightly"].wall / c["here"].wall for c in costs],
    }
    rates = ", ".join(f"{side} {BATCH / statistics.median(c[side].processor for c in costs):.1f}" for side in sides)
    print(f"{name}: images a second of processor: {rates}")
    for what, found in ratios.items():
        low, middle, high = np.quantile(found, (0.25, 0.5, 0.75))
        print(f"    {middle:.2f} times lightly ({low:.2f} to {high:.2f}), {what}", flush=True)
    return statistics.median(ratios[PREPARED])


def settings(name: str) -> PretrainConfig:
    """The method with its views and heads as lightly has them."""
    preset: Mapping[str, Any] = METHODS[name].pretrain
    crops = [{"count": 2, "size": lightly_steps.LARGE, "scale": SCALE[name]}]
    if name == "swav":
        crops.append({"count": 4, "size": lightly_steps.SMALL, "scale": (0.05, 0.14)})
    views = {**preset.get("views", {}), "crops": crops, "blur_scaled": False}
    method = {"name": name, **HEADS[name]}
    train = {**TRAIN, "batch_size": BATCH}
    return PretrainConfig.model_validate({**NETWORK, "method": method, "views": views, "train": train})


def own_step(cfg: PretrainConfig, prepared: Path, device: torch.device, steps: int) -> Callable[[], None]:
    """A function that makes one step of the training loop."""
    views, method = parts(prepared, cfg, device)
    optimizer = make_optimizer(method, cfg.train)
    batches = iter(make_loader(views, BATCH, 0, steps, 0, device))

    def step() -> None:
        train_step(method, optimizer, next(batches).to(device), cfg.train, LATE)

    return step


@contextmanager
def in_own_process(name: str, data: Path, threads: int, cfg: TrainConfig) -> Iterator[Callable[[], Cost]]:
    """A function that says what lightly's next step costs in a process that has nothing of this project but the
    optimiser's settings."""
    spawning = multiprocessing.get_context("spawn")
    here, there = spawning.Pipe()
    process = spawning.Process(target=_steps, args=(there, name, data, threads, cfg), daemon=True)
    process.start()
    there.close()

    def next_cost() -> Cost:
        here.send(True)
        found: Cost = here.recv()
        return found

    try:
        yield next_cost
    finally:
        here.close()
        process.join()


def _steps(connection: Connection, name: str, data: Path, threads: int, cfg: TrainConfig) -> None:
    torch.set_num_threads(threads)
    step = lightly_steps.make_step(name, data, BATCH, 0, lambda module: make_optimizer(module, cfg))
    with suppress(EOFError):
        while connection.recv():
            connection.send(cost(step))


def decoding(prepared: Path) -> Callable[[], None]:
    """A function that decodes as many files as a batch has."""
    images = read_images(prepared / "images.csv")
    files = [images.root / path for path in images.path[:BATCH]]

    def step() -> None:
        for file in files:
            decode(file, SHORT_SIDE)

    return step


def cost(step: Callable[[], None]) -> Cost:
    processor, wall = time.process_time(), time.perf_counter()
    step()
    return Cost(time.process_time() - processor, time.perf_counter() - wall)


def photographs(folder: Path, count: int = 128) -> Path:
    """JPEG files of 500 x 375 pixels and about 100 kB, as those of ImageNet: patches of colour under grain."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    for i in range(count):
        patches = Image.fromarray(random.integers(0, 256, (12, 16, 3), np.uint8)).resize(
            (500, 375), Image.Resampling.BICUBIC
        )
        grain = random.normal(0, 12, (375, 500, 1))
        pixels = np.clip(np.asarray(patches) + grain, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{i:04d}.jpg", quality=90)
    return folder


if __name__ == "__main__":
    main()
