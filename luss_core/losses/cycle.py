"""The cycle-attention loss of CACL, Pang et al. 2022: from a frame to a later one and back to where one came from."""

from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from luss_core.losses.contrast import SCORES, in_parts
from luss_core.losses.negatives import Sources, weight_of_negatives

TINY = 1e-20
"""Below every probability that matters, under the logarithm."""


def cycle_matrix(
    c: Float[Tensor, "B P D"],
    later: Float[Tensor, "B Q D"],
    negatives: Float[Tensor, "N D"],
    temperature: float,
) -> Float[Tensor, "B P PN"]:
    """M = softmax(<c, c+> / t) softmax(<c+, [c; c-]> / t), Eq. 5 with negatives in the second jump: (B, P, P + N).

    Row i is where two jumps from position i end; it sums to 1. The loss never holds it whole, see ``cycle_loss``.
    """
    there = (torch.einsum("bpd,bqd->bpq", c, later) / temperature).softmax(dim=2)
    ends = torch.cat([c, negatives.expand(len(c), -1, -1)], dim=1)
    return there @ (torch.einsum("bqd,bed->bqe", later, ends) / temperature).softmax(dim=2)


def cycle_loss(
    c: Float[Tensor, "B P D"],
    later: Float[Tensor, "B Q D"],
    negatives: Float[Tensor, "N D"],
    temperature: float,
    target: tuple[Tensor, Tensor] | None = None,
    sources: Sources | None = None,
) -> Float[Tensor, "B P"]:
    """How far the two jumps from each position are from ending where they should.

    Negatives only take probability away, so that of their part of M nothing but a sum is needed. Memory of a part of
    the images only; see ``peak_bytes``.

    Args:
        c: unit vectors of the positions of the frame.
        later, negatives: unit vectors of the momentum network; without gradient, as in MoCo.
        target: None for the cross-entropy with the identity, Eq. 6. Otherwise ("soft cycle") unit vectors u, v (B, P,
            D) of the global head: KL(softmax(<u, v> / t) || M), with nothing on the negatives.
        sources: of the B frames and of the negatives: those of the own source do not count.
    """
    away = _away(later, negatives, temperature, sources)
    size = SCORES // (c.shape[1] * later.shape[1])
    if target is None:
        return in_parts(partial(_home, temperature=temperature), (c, later, away), size)
    return in_parts(partial(_divergence, temperature=temperature), (c, later, away, *target), size)


def peak_bytes(images: int, positions: int, negatives: int) -> int:
    """Bytes that ``cycle_loss`` with a soft target holds at once, at the most, beside its inputs and their gradients.

    Of a part of the images: similarities, both jumps, M, the target, their exponentials and gradients, fourteen in all
    as benchmarks/cacl_step.py measures; of the negatives a part of the similarities.
    """
    part = max(1, min(images, SCORES // positions**2))
    rows = max(1, min(images * positions, SCORES // max(1, negatives)))
    return 4 * max(14 * part * positions**2, 2 * rows * negatives)


@torch.no_grad()
def _away(later: Tensor, negatives: Tensor, temperature: float, sources: Sources | None) -> Tensor:
    """(B, Q) log of what the negatives weigh in the second jump; -inf without any."""
    return weight_of_negatives(later.flatten(0, 1), negatives, temperature, sources).view(later.shape[:2])


def _jumps(c: Tensor, later: Tensor, away: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Logarithms of both factors of M: (B, P, Q), and (B, Q, P) without the columns of the negatives."""
    alike = torch.einsum("bpd,bqd->bpq", c, later) / temperature
    back = alike.transpose(1, 2)
    return alike.log_softmax(dim=2), back - torch.logaddexp(back.logsumexp(dim=2), away)[..., None]


def _home(c: Tensor, later: Tensor, away: Tensor, temperature: float) -> Tensor:
    """-log M_ii, without the rest of M."""
    there, back = _jumps(c, later, away, temperature)
    return -(there + back.transpose(1, 2)).logsumexp(dim=2)


def _divergence(c: Tensor, later: Tensor, away: Tensor, u: Tensor, v: Tensor, temperature: float) -> Tensor:
    there, back = _jumps(c, later, away, temperature)
    ends = (there.exp() @ back.exp() + TINY).log()
    with torch.no_grad():
        wanted = (torch.einsum("bpd,bqd->bpq", u, v) / temperature).log_softmax(dim=2)
    return (wanted.exp() * (wanted - ends)).sum(dim=2)
