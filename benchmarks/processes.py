"""Training steps a second of two processes on two cores beside one on one core (bar: 1.6 times, or the reason).

    python benchmarks/processes.py [--data results/embedded/prepare] [--settings config.yaml] [--processes 2]

Each process has one thread. The batch is the same, shared by all, and a step has the same result: views, saliency,
joint BatchNorm, Sinkhorn and averaged gradients. Beside them stand processes that work on their parts apart, without a
word to each other, which is what the machine can do at most; and one process with as many threads. All take turns, and
medians of the ratios are printed, with the time of one exchange of a few numbers and how many of them a step has.
"""

import argparse
import os
import socket
import statistics
import time
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import multiprocessing
from training_parts import LATE, parts

from luss_core import cli, group
from luss_core.config import PretrainConfig
from luss_core.data.loader import make_loader
from luss_core.train.loop import train_step
from luss_core.train.optim import make_optimizer

BAR = 1.6
WARM_UP = 3
EXCHANGES = 200
CPU = torch.device("cpu")


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("results/embedded/prepare"))
    parser.add_argument("--settings", default="config.yaml")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args(argv)
    rounds = []
    for _ in range(args.rounds):
        alone, threads = seconds(args, 1, 1), seconds(args, 1, args.processes)
        apart, together = seconds(args, args.processes, 1, apart=True), seconds(args, args.processes, 1)
        rounds.append((alone / threads, alone / apart, alone / together))
        print(f"a step: one {alone:.3f} s, threads {threads:.3f} s, apart {apart:.3f} s, together {together:.3f} s")
    threads, apart, together = (statistics.median(ratios) for ratios in zip(*rounds, strict=True))
    print(f"{args.processes} processes: {together:.2f} times the steps of one (bar: {BAR}); apart {apart:.2f} times")
    print(f"one process with {args.processes} threads: {threads:.2f} times")
    number, wait = exchanges(args)
    print(f"{number} exchanges a step; one of a few numbers, with nothing else to do: {1e3 * wait:.2f} ms")
    if together < BAR:
        raise SystemExit("below the bar")


def seconds(args: argparse.Namespace, processes: int, threads: int, apart: bool = False) -> float:
    """Of a training step."""
    return started(work, processes, args, threads, apart)


def exchanges(args: argparse.Namespace) -> tuple[int, float]:
    """How many exchanges a step has, and the seconds of one."""
    return started(count, args.processes, args), started(exchange, args.processes)


def started(function: Callable[..., float], processes: int, *arguments: Any) -> Any:
    """What the first of several processes answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    answers = multiprocessing.get_context("spawn").SimpleQueue()
    multiprocessing.spawn(answer, (function, processes, port, answers, arguments), nprocs=processes)
    return answers.get()


def answer(
    rank: int,
    function: Callable[..., float],
    processes: int,
    port: int,
    answers: "multiprocessing.SimpleQueue[float]",
    arguments: tuple[Any, ...],
) -> None:
    """One process."""
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(processes), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    found = function(*arguments)
    if rank == 0:
        answers.put(found)


def work(args: argparse.Namespace, threads: int, apart: bool) -> float:
    """Seconds of a step, after some to warm up. Apart each process has its part of a batch as a batch of its own."""
    torch.set_num_threads(threads)
    processes = int(os.environ["WORLD_SIZE"])
    with nullcontext() if apart else group.process_group(CPU):
        cfg = cli.section(PretrainConfig, "pretrain", args.settings)
        step = training(args.data, cfg, cfg.train.batch_size // processes if apart else cfg.train.batch_size)
        for _ in range(WARM_UP):
            step()
        start = time.perf_counter()
        for _ in range(args.steps):
            step()
        return (time.perf_counter() - start) / args.steps


def count(args: argparse.Namespace) -> int:
    """Exchanges of a step."""
    calls = Counter[str]()

    def counted(name: str) -> Callable[..., Any]:
        original = getattr(dist, name)

        def call(*arguments: Any, **named: Any) -> Any:
            calls[name] += 1
            return original(*arguments, **named)

        return call

    with group.process_group(CPU):
        cfg = cli.section(PretrainConfig, "pretrain", args.settings)
        step = training(args.data, cfg, cfg.train.batch_size)
        step()
        dist.all_gather, dist.all_reduce = counted("all_gather"), counted("all_reduce")
        step()
    return calls.total()


def exchange() -> float:
    """Seconds of gathering a few numbers."""
    torch.set_num_threads(1)
    with group.process_group(CPU):
        x = torch.zeros(1, 3, 64)
        group.gather(x)
        start = time.perf_counter()
        for _ in range(EXCHANGES):
            group.gather(x)
        return (time.perf_counter() - start) / EXCHANGES


def training(data: Path, cfg: PretrainConfig, batch_size: int) -> Callable[[], None]:
    """A function that makes one step."""
    views, method = parts(data, cfg, CPU)
    optimizer, network = make_optimizer(method, cfg.train, method.lr_scale), group.parallel(method, CPU)
    loader = iter(make_loader(views, batch_size, 0, 10**6, 0, CPU))
    return lambda: train_step(method, optimizer, next(loader), cfg.train, LATE, network)


if __name__ == "__main__":
    main()
