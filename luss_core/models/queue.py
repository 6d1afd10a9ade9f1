"""Queues of past vectors, the negatives of MoCo, He et al. 2020, Sec. 3.1."""

import torch
import torch.nn.functional as F
from torch import Tensor

from luss_core import group


def new_queue(length: int, dim: int) -> Tensor:
    """(Q, D) random unit vectors: what it begins with."""
    return F.normalize(torch.randn(length, dim), dim=1)


@torch.no_grad()
def push(queue: Tensor, vectors: Tensor) -> None:
    """Put the (n, D) vectors of all processes in front and drop the oldest; n need not divide the length."""
    queue.copy_(torch.cat([group.gather(vectors), queue])[: len(queue)])
