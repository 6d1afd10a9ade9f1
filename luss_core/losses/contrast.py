"""Contrast with a queue or within a batch: over vectors of images or of positions, in bounded memory."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from luss_core import group
from luss_core.losses.negatives import SCORES, Sources, weight_of_negatives


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
            Gradients go to z and to the positives.
    """
    with torch.autocast(z.device.type, enabled=False):
        own = (z.float() if z.dtype != torch.float64 else z).mul(positive).sum(dim=1) / temperature
    others = weight_of_negatives(z, negatives, temperature, sources)
    return torch.logaddexp(own, others) - own


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
