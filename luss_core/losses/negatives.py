"""What many negatives weigh together, log sum exp(cos / t), in bounded memory and with one pass over them."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

SCORES = 1 << 24
"""Similarities that are held at once, 64 MB of float32."""
CACHED = 1 << 20
"""The same on a processor, whose cache they fit into."""
FAR = -1e4
"""Added to a similarity that is not to count: nothing is left of it beside any other."""


class Sources(NamedTuple):
    """Which video, say, everything is from, so that what is from the same one is no negative."""

    own: Int[Tensor, " B"]
    """Of each of B frames; its vectors follow each other, equally many of each."""
    negatives: Int[Tensor, " K"]


def weight_of_negatives(
    z: Float[Tensor, "N D"], negatives: Float[Tensor, "K D"], temperature: float, sources: Sources | None = None
) -> Float[Tensor, " N"]:
    """log sum_k exp(<z, n_k> / t), over the negatives of other sources; -inf without any, below -FAR / 2 of none other.

    Its gradient is what the softmax makes of the negatives, which is found on the way: similarities are neither kept
    nor computed twice. Float32, or better, also where a network computes in bfloat16. No gradient to the negatives.

    Args:
        z, negatives: unit vectors.
    """
    if not len(negatives):
        return z.new_full(z.shape[:1], -torch.inf) + 0 * z.sum(dim=1)
    with torch.autocast(z.device.type, enabled=False):
        exact = torch.promote_types(z.dtype, torch.float32)
        rows, columns = _apart(z.to(exact) / temperature, negatives.to(exact), sources)
        found: Tensor = _LogSumExp.apply(rows, columns)
        return found


def _apart(z: Tensor, negatives: Tensor, sources: Sources | None) -> tuple[Tensor, Tensor]:
    """Both with a number more for each frame, whose product is FAR where they are from one source and 0 elsewhere: a
    mask would be another pass over all similarities."""
    if sources is None:
        return z, negatives
    frames = len(sources.own)
    far = FAR * torch.eye(frames, dtype=z.dtype, device=z.device).repeat_interleave(len(z) // frames, dim=0)
    same = (sources.negatives[:, None] == sources.own).to(z.dtype)
    return torch.cat([z, far], dim=1), torch.cat([negatives, same], dim=1)


class _LogSumExp(torch.autograd.Function):
    """Of the rows of z n^T."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, negatives: Tensor) -> Tensor:
        needed = ctx.needs_input_grad[0]
        sums, means = [], []
        for scores in _scores(z, negatives):
            shares = scores.softmax(dim=1)
            sums.append(scores.amax(dim=1) - shares.amax(dim=1).log())  # the greatest share is that of the greatest
            if needed:
                means.append(shares @ negatives)
        ctx.save_for_backward(*([torch.cat(means)] if needed else []))
        return torch.cat(sums)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (mean,) = ctx.saved_tensors
        return grad[:, None] * mean, None


def _scores(z: Tensor, negatives: Tensor) -> Iterator[Tensor]:
    most = CACHED if z.device.type == "cpu" else SCORES
    for rows in z.split(max(1, most // len(negatives))):
        yield rows @ negatives.t()
