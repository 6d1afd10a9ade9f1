"""The processes that work together on one thing. Of a process on its own, sums are what it has itself."""

import contextlib
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.parallel import DistributedDataParallel

from luss_core.io import atomic_folder, partial_name

PATIENCE = timedelta(minutes=30)
"""How long a process waits for one that is late, before it gives up."""


def world_size() -> int:
    """How many processes work together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """The number of this process; 0 writes the files."""
    return dist.get_rank() if dist.is_initialized() else 0


def described(device: torch.device) -> str:
    """What is computed on, for logs."""
    return str(device) if world_size() == 1 else f"{device.type}, {world_size()} processes"


@contextlib.contextmanager
def process_group(device: torch.device) -> Iterator[None]:
    """Meet the other processes, where the environment names any (RANK, WORLD_SIZE, MASTER_ADDR, as torchrun sets)."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield
    finally:
        dist.destroy_process_group()


def own_slice(count: int) -> slice:
    """The part of ``count`` things that is this process's: contiguous, in the order of ranks, all parts within one."""
    size, number = world_size(), rank()
    return slice(number * count // size, (number + 1) * count // size)


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.own = slice(rank() * len(x), (rank() + 1) * len(x))
        parts = [torch.empty_like(x) for _ in range(world_size())]
        dist.all_gather(parts, x.contiguous())
        return torch.cat(parts)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.contiguous()
        dist.all_reduce(total)
        return total[ctx.own]


def gather(x: Tensor) -> Tensor:
    """(B, ...) of each process -> (W B, ...) in the order of ranks. Gradients flow back to where a row came from."""
    return x if world_size() == 1 else _Gather.apply(x)


@torch.no_grad()
def total(x: Tensor) -> Tensor:
    """The sum over the processes, of a small tensor: gathered it comes three times sooner than reduced (gloo)."""
    return x if world_size() == 1 else gather(x[None]).sum(dim=0)


def mean(rows: Tensor) -> Tensor:
    """Mean of the (n,) values of all processes, each with its own n; 0 where there are none.

    What is returned differs between processes, but its mean over them, and so the gradient after averaging, is right.
    """
    if world_size() == 1:
        return rows.mean() if len(rows) else rows.sum()
    count = total(rows.new_full((), len(rows), dtype=torch.float32))
    return rows.sum() * (world_size() / count.clamp(min=1))


def weighted_mean(rows: Tensor, weights: Tensor) -> Tensor:
    """Mean of values of all processes, in the sense of `mean`; 0 where no weight is positive.

    Args:
        weights: as many, not negative, without gradient.
    """
    least = torch.finfo(weights.dtype).tiny
    return (rows * weights).sum() * (world_size() / total(weights.sum()).clamp(min=least))


@torch.no_grad()
def log_softmax_over_rows(x: Tensor) -> Tensor:
    """(n, K) -> (n, K): log-softmax of each column over the rows of all processes."""
    if world_size() == 1:
        return x.log_softmax(dim=0)
    return x - gather(x.logsumexp(dim=0, keepdim=True)).logsumexp(dim=0)


@contextlib.contextmanager
def folder_of_all(path: Path) -> Iterator[Path]:
    """A folder that all processes fill and that replaces ``path`` when all have succeeded."""
    if rank() == 0:
        with atomic_folder(path) as folder:
            _wait()
            yield folder
            _wait()
    else:
        _wait()
        yield partial_name(path)
        _wait()


def _wait() -> None:
    """For all processes."""
    if world_size() > 1:
        dist.barrier()


@torch.no_grad()
def in_order(rows: Tensor, most: int) -> Tensor:
    """(n, D) of each process, n between 0 and ``most`` -> all of them in the order of ranks."""
    if world_size() == 1:
        return rows
    padded = rows.new_zeros(most, rows.shape[1])
    padded[: len(rows)] = rows
    counts = gather(torch.tensor([len(rows)], device=rows.device)).tolist()
    return torch.cat([part[:count] for part, count in zip(gather(padded).split(most), counts, strict=True)])


@torch.no_grad()
def from_first(make: Callable[[], Tensor], like: Tensor) -> Tensor:
    """What the first process makes, given to all: of the shape, type and device of ``like``."""
    found = make().to(like) if rank() == 0 else torch.empty_like(like)
    if world_size() > 1:
        dist.broadcast(found, 0)
    return found


def agreed(wish: bool, device: torch.device) -> bool:
    """Whether any process wishes it: the same answer everywhere."""
    return wish if world_size() == 1 else bool(total(torch.tensor(float(wish), device=device)) > 0)


def parallel(module: nn.Module, device: torch.device) -> nn.Module:
    """The module whose backward pass averages gradients over the processes; each keeps its own buffers.

    Parameters and buffers start as those of the first. A module of which nothing learns is left as it is.
    """
    if world_size() == 1 or not any(parameter.requires_grad for parameter in module.parameters()):
        return module
    network = DistributedDataParallel(module, [device] if device.type == "cuda" else None)
    network.broadcast_buffers = False  # The argument is called otherwise since torch 2.13, the attribute is not.
    return network
