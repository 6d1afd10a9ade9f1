"""Categories by the nearest centroid of k-means, at each position of a map: only corrected masks teach them."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from luss_core.data.features import Clusters


class Shape(NamedTuple):
    """What a file has to say to make the module again."""

    dim: int
    components: int
    """0 without a linear map."""
    normalize: bool
    normalize_after: bool


class NearestCentroid(nn.Module):
    """(B, D, h, w) -> (B, C, h, w), greatest where the centroid is nearest.

    2 z c - |c|^2 of the changed vector z and a centroid c, which is their negative squared distance but for |z|^2, the
    same for all. So an image whose vector k-means has seen gets the label that k-means gave it.
    """

    matrix: Tensor  # (d, D)
    offset: Tensor  # (d,)
    centroids: Tensor  # (C, d)

    def __init__(self, shape: Shape, classes: int):
        super().__init__()
        self.shape = shape
        d = shape.components or shape.dim
        self.register_buffer("matrix", torch.zeros(shape.components, shape.dim))
        self.register_buffer("offset", torch.zeros(shape.components))
        self.register_buffer("centroids", torch.zeros(classes, d))

    def learn(self) -> None:
        """Make parameters of the centroids; files keep them by the same name."""
        centroids = self.centroids
        del self.centroids
        self.centroids = nn.Parameter(centroids)

    def forward(self, maps: Tensor) -> Tensor:
        with torch.autocast(maps.device.type, enabled=False):
            z = maps.float()
            z = F.normalize(z, dim=1) if self.shape.normalize else z
            if self.shape.components:
                z = torch.einsum("kd,bdhw->bkhw", self.matrix, z) + self.offset[:, None, None]
            z = F.normalize(z, dim=1) if self.shape.normalize_after else z
            near = torch.einsum("cd,bdhw->bchw", 2 * self.centroids, z)
            return near - self.centroids.square().sum(dim=1)[:, None, None]


def of_clusters(found: Clusters) -> NearestCentroid:
    """The module of what ``cluster`` wrote."""
    change = found.change
    shape = Shape(change.matrix.shape[1], len(change.matrix), change.normalize, change.normalize_after)
    head = NearestCentroid(shape, len(found.centroids))
    for name, value in (("matrix", change.matrix), ("offset", change.offset), ("centroids", found.centroids)):
        getattr(head, name).copy_(torch.from_numpy(value))
    return head
