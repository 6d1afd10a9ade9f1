"""Networks that follow others: momentum encoders."""

import copy
import math
from typing import TypeVar

import torch
from torch import Tensor, nn

from luss_core import group
from luss_core.models.host import to_device

M = TypeVar("M", bound=nn.Module)


def frozen_copy(module: M) -> M:
    """A copy that no optimiser moves; see ``follow``."""
    return copy.deepcopy(module).requires_grad_(False)


def without_statistics(module: M) -> M:
    """The module with BatchNorm that keeps no running statistics: of a network that is only ever used in training.

    In parts and in several processes they would differ, for nobody.
    """
    for layer in module.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.track_running_stats = False
            layer.running_mean = layer.running_var = layer.num_batches_tracked = None
    return module


@torch.no_grad()
def follow(target: nn.Module, online: nn.Module, momentum: float) -> None:
    """target <- momentum target + (1 - momentum) online, of the parameters; BatchNorm keeps statistics of its own."""
    torch._foreach_lerp_(list(target.parameters()), list(online.parameters()), 1 - momentum)


def rising_momentum(base: float, step: int, total: int) -> float:
    """From ``base`` at step 0 to 1 at the end, by half a cosine; Sec. 3.2 of arXiv:2006.07733."""
    return 1 - (1 - base) * (math.cos(math.pi * step / total) + 1) / 2


@torch.no_grad()
def in_shuffled_parts(network: nn.Module, images: Tensor, size: int) -> Tensor:
    """(B, ...) -> what ``network`` makes of them, in parts of ``size`` images drawn from the batches of all processes.

    BatchNorm that is not synchronised then mixes other images than in the network that is compared with, and cannot
    tell which belong together: shuffled BatchNorm, Sec. 3.3 of arXiv:1911.05722, whatever the number of processes.
    Every process must have drawn the same random numbers before, and ``network`` must lie in a ``batchnorm.Apart``, or
    several processes would normalise it jointly again.
    """
    everything = group.gather(images)
    order = to_device(torch.randperm(len(everything)), images.device)
    own_slice = group.own_slice(len(everything))
    shuffled = group.gather(torch.cat([network(everything[part]) for part in order[own_slice].split(size)]))
    ordered = torch.empty_like(shuffled)
    ordered[order] = shuffled
    return ordered[own_slice]
