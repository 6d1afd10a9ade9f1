"""Losses that compare assignments to prototypes."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from luss_core import group


@torch.no_grad()
def sinkhorn(scores: Float[Tensor, "B K"], epsilon: float, iterations: int) -> Float[Tensor, "B K"]:
    """Balanced assignment of samples to prototypes, Sec. 3.1 of arXiv:2006.09882. Rows sum to 1.

    After many iterations every column sums to B / K, where the samples of all processes that train together are
    balanced as one batch; B may differ between them. The work is done on logarithms, in float32 at least: no row can
    vanish, however small epsilon is.

    Args:
        scores: cosines of samples and prototypes.
        epsilon: strength of the entropy; small is hard.
    """
    log_q = (scores if scores.dtype == torch.float64 else scores.float()) / epsilon
    for _ in range(iterations):
        log_q = group.log_softmax_over_rows(log_q)
        log_q = log_q.log_softmax(dim=1)
    return log_q.exp()


def soft_cross_entropy(logits: Float[Tensor, "B K"], target: Float[Tensor, "B K"]) -> Float[Tensor, ""]:
    """Cross-entropy of logits against target distributions (Eq. 2 of arXiv:2006.09882).

    The mean over the batch, in the sense of `group.mean` where B differs between processes; 0 of an empty batch.
    """
    return group.mean(-(target * logits.log_softmax(dim=1)).sum(dim=1))


def normalized_entropy(rows: Float[Tensor, "B K"]) -> Float[Tensor, ""]:
    """Mean entropy of distributions as a fraction of the greatest possible: 0 one-hot, 1 uniform."""
    return torch.special.entr(rows).sum(dim=1).mean() / math.log(rows.shape[1])
