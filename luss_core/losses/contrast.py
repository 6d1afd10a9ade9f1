"""Contrast with a queue or within a batch: over vectors of images or of positions, in bounded memory."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from luss_core import group

SCORES = 1 << 24
"""Similarities that are held at once, 64 MB of float32; more are computed part by part, and again going backward."""


FAR = -1e4
"""In place of a similarity that is not to count: nothing is left of it beside any other, and its gradient is zero."""


class Sources(NamedTuple):
    """Which video, say, everything is from, so that what is from the same one is no negative."""

    own: Int[Tensor, " N"]
    negatives: Int[Tensor, " K"]


def info_nce(
    z: Float[Tensor, "N D"],
    positive: Float[Tensor, "N D"],
    negatives: Float[Tensor, "K D"],
    temperature: float,
    sources: Sources | None = None,
) -> Float[Tensor, " N"]:
    """-log of the share of the positive among itself and the negatives, exp(cos / t): Eq. 1 of CACL, MoCo's loss.

    Args:
        z, positive, negatives: unit vectors; all of z have the same negatives but for those of their own source.
    """
    own = () if sources is None else (sources.own,)

    def rows(a: Tensor, b: Tensor, source: Tensor | None = None) -> Tensor:
        apart = None if sources is None or source is None else Sources(source, sources.negatives)
        return _info_nce(a, b, negatives, temperature, apart)

    return in_parts(rows, (z, positive, *own), SCORES // max(1, len(negatives)))


def similarities(
    z: Float[Tensor, "N D"], negatives: Float[Tensor, "K D"], temperature: float, sources: Sources | None = None
) -> Float[Tensor, "N K"]:
    """cos / t, and FAR where both are from the same source."""
    found = z @ negatives.t() / temperature
    return found if sources is None else found.masked_fill(sources.own[:, None] == sources.negatives, FAR)


def nt_xent(one: Float[Tensor, "B D"], two: Float[Tensor, "B D"], temperature: float) -> Float[Tensor, " N"]:
    """Eq. 1 of SimCLR for either view of each image: -log of the share of the other view among all views but itself.

    The views of all processes are compared with, in gradients too: the mean over the processes of the mean of what each
    finds, and so what averaging leaves of the gradients, is that of the joint batch. Float32, in parts where they are
    many.

    Args:
        one, two: unit vectors of the two views of each of B images.

    Returns:
        (2B,): both views of the first image, of the second, and so on.
    """
    with torch.autocast(one.device.type, enabled=False):
        z = torch.stack([one, two], dim=1).flatten(0, 1)
        everyone = group.gather(z)
        own = torch.arange(len(z), device=z.device) + group.rank() * len(z)
        rows = partial(_nt_xent, everyone, temperature=temperature)
        return in_parts(rows, (z, own), SCORES // len(everyone))


def matched(u: Float[Tensor, "B P D"], later: Float[Tensor, "B Q D"]) -> Int[Tensor, "B P"]:
    """For each position of a frame the position of the later frame that is most alike, argmax_j A_ij: Eq. 4 of CACL."""
    with torch.no_grad():
        return torch.einsum("bpd,bqd->bpq", u, later).argmax(dim=2)


def in_parts(rows: Callable[..., Tensor], inputs: tuple[Tensor, ...], size: int) -> Tensor:
    """What ``rows`` makes of the inputs, ``size`` rows at a time: what it holds in between is forgotten and, for the
    gradient, computed again. All at once where they are no more."""
    count, size = len(inputs[0]), max(1, size)
    if count <= size:
        return rows(*inputs)
    parts = zip(*(x.split(size) for x in inputs), strict=True)
    return torch.cat([checkpoint(rows, *part, use_reentrant=False, preserve_rng_state=False) for part in parts])


def _nt_xent(everyone: Tensor, z: Tensor, own: Tensor, temperature: float) -> Tensor:
    """Args:
    own: the row of each z in ``everyone``, whose neighbour (even and odd) is its other view.
    """
    scores = (z @ everyone.t() / temperature).scatter(1, own[:, None], -torch.inf)
    return F.cross_entropy(scores, own ^ 1, reduction="none")


def _info_nce(z: Tensor, positive: Tensor, negatives: Tensor, temperature: float, sources: Sources | None) -> Tensor:
    own = (z * positive).sum(dim=1) / temperature
    if not len(negatives):
        return torch.zeros_like(own) * own
    others = similarities(z, negatives, temperature, sources).logsumexp(dim=1)
    return torch.logaddexp(own, others) - own
