"""Training steps a second of two processes on two cores beside one on one core (bar: 1.6 times).

    python benchmarks/processes.py [--data results/embedded/prepare] [--settings config.yaml] [--processes 2]

Each process has one thread. The batch is the same, shared by the processes, and so are its views, prior, joint
BatchNorm, Sinkhorn and averaged gradients: a step has the same result. The two take turns, and the median of the ratios
of neighbours is printed, with what one process makes of as many threads.
"""

import argparse
import os
import socket
import statistics
import time
from pathlib import Path

import torch
from torch import multiprocessing

from luss_core import cli, group
from luss_core.config import PretrainConfig
from luss_core.data.images import read_images
from luss_core.data.loader import Views, make_loader
from luss_core.data.store import Store
from luss_core.methods import Progress, build_method
from luss_core.models.batchnorm import synchronized
from luss_core.models.encoder import Encoder
from luss_core.train.loop import train_step
from luss_core.train.optim import make_optimizer

BAR = 1.6
WARM_UP = 3
CPU = torch.device("cpu")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("results/embedded/prepare"))
    parser.add_argument("--settings", default="config.yaml")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    ratios, threaded = [], []
    for _ in range(args.rounds):
        alone, threads, together = (
            seconds(args, processes, threads)
            for processes, threads in ((1, 1), (1, args.processes), (args.processes, 1))
        )
        ratios.append(alone / together)
        threaded.append(alone / threads)
        print(
            f"a step: one process {alone:.3f} s, with {args.processes} threads {threads:.3f} s,"
            f" {args.processes} processes {together:.3f} s"
        )
    ratio = statistics.median(ratios)
    print(f"{args.processes} processes: {ratio:.2f} times the steps of one (bar: {BAR})")
    print(f"one process with {args.processes} threads: {statistics.median(threaded):.2f} times")
    if ratio < BAR:
        raise SystemExit("below the bar")


def seconds(args: argparse.Namespace, processes: int, threads: int) -> float:
    """Of a training step."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    answers = multiprocessing.get_context("spawn").SimpleQueue()
    multiprocessing.spawn(work, (args, processes, threads, port, answers), nprocs=processes)
    return answers.get()


def work(
    rank: int,
    args: argparse.Namespace,
    processes: int,
    threads: int,
    port: int,
    answers: "multiprocessing.SimpleQueue[float]",
) -> None:
    """One process: some steps to warm up, then those that are timed."""
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(processes), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.set_num_threads(threads)
    with group.joined(CPU):
        cfg = cli.section(PretrainConfig, "pretrain", args.settings)
        saliency = Store(args.data.parent / "prior" / "prior.h5") if cfg.prior else None
        rows = read_images(args.data / "images.csv").rows("train")
        views = Views(Store(args.data / "images.h5"), rows, cfg.views, 0, prior=saliency)
        torch.manual_seed(0)
        method = build_method(cfg.method, Encoder(cfg.encoder))
        if processes > 1:
            synchronized(method)
        method.to(memory_format=torch.channels_last).train()
        optimizer, network = make_optimizer(method, cfg.train), group.parallel(method, CPU)
        loader = iter(make_loader(views, cfg.train.batch_size, 0, WARM_UP + args.steps, 0, CPU))
        start = 0.0
        for step, batch in enumerate(loader):
            if step == WARM_UP:
                start = time.perf_counter()
            train_step(method, optimizer, batch, cfg.train, Progress(10**6, 10**7, 10), network)
        if rank == 0:
            answers.put((time.perf_counter() - start) / args.steps)


if __name__ == "__main__":
    main()
