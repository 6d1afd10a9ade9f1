"""Whether vectors of images still tell images apart: collapse, use of clusters, and neighbours of the same category."""

import math

import torch
from torch import Tensor

NEIGHBOURS = 20
"""Of an image, that vote; Sec. 3.4 of arXiv:1805.01978 has 200 for 1.28 million images, arXiv:2104.14294 found 20 best
in all its runs."""
TEMPERATURE = 0.07
"""Of their votes, as in both."""


def unit(vectors: Tensor) -> Tensor:
    """(n, D) -> (n, D) float64 of length 1; zeros stay zeros."""
    return torch.nn.functional.normalize(vectors.double(), dim=1)


def deviation(units: Tensor) -> float:
    """Standard deviation of each channel, averaged and multiplied by sqrt(D), Sec. 4.1 of arXiv:2011.10566. 0..1.

    1: the (n, D) unit vectors are spread over the sphere. 0: all are the same, which is a collapse.
    """
    return float(units.std(dim=0, correction=0).mean()) * math.sqrt(units.shape[1])


def effective_rank(vectors: Tensor) -> float:
    """exp of the entropy of the singular values of an (n, D) matrix, divided by their sum. 1..min(n, D).

    Roy & Vetterli, EUSIPCO 2007, Definition 1; RankMe, arXiv:2210.02885, found it to go with what features are good
    for. 1: all vectors lie on one line.
    """
    values = torch.linalg.svdvals(vectors.double())
    return _perplexity(values)


def cluster_use(cluster: Tensor, clusters: int) -> float:
    """exp of the entropy of the sizes of clusters, as a share of how many there can be. Above 0 and at most 1.

    1: as many of the n images, (n,) int64, are in each of the ``clusters``, or each is in one of its own.
    """
    sizes = torch.bincount(cluster, minlength=clusters).double()
    return _perplexity(sizes) / max(1, min(clusters, len(cluster)))


def nearest_neighbours(units: Tensor, label: Tensor) -> float:
    """Share of images that get their own category from the votes of their nearest neighbours. 0..1.

    Each of the (n, D) unit vectors is left out once. A neighbour of cosine s votes with exp(s / 0.07): Sec. 3.4 of
    arXiv:1805.01978.

    Args:
        label: (n,) int64 categories, from 0.
    """
    similar = (units @ units.T).fill_diagonal_(-math.inf)
    nearest, place = similar.topk(min(NEIGHBOURS, len(units) - 1), dim=1)
    votes = units.new_zeros(len(units), int(label.max()) + 1)
    votes.scatter_add_(1, label[place], (nearest / TEMPERATURE).exp())
    return float((votes.argmax(dim=1) == label).double().mean())


def largest_share(label: Tensor) -> float:
    """Share of the images that are of the commonest category: what who looks at no image can get right."""
    return float(torch.bincount(label).max()) / len(label)


def _perplexity(weights: Tensor) -> float:
    """exp of the entropy of weights that are made to sum to 1; 1 where all are 0."""
    shares = weights / weights.sum().clamp(min=torch.finfo(weights.dtype).tiny)
    return float(torch.special.entr(shares).sum().exp())
