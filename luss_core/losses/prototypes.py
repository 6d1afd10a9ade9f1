"""Contrast with the centroids of clusters, each with a temperature of its own: ProtoNCE of PCL, arXiv:2005.04966."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def proto_nce(
    z: Float[Tensor, "B D"],
    own: Int[Tensor, " B"],
    drawn: Int[Tensor, " R"],
    centroids: Float[Tensor, "K D"],
    phi: Float[Tensor, " K"],
) -> Float[Tensor, ""]:
    """-log of the share of the own centroid among itself and those drawn, exp(z c / phi_c), mean over the batch.

    One clustering of the second part of Eq. 11. A drawn centroid that is an image's own is none of its negatives.

    Args:
        z, centroids: unit vectors.
        own: cluster of each image.
        drawn: clusters that are negatives, the same for all images, each once.
    """
    with torch.autocast(z.device.type, enabled=False):  # phi is as small as a temperature
        positive = (z * centroids[own]).sum(dim=1, keepdim=True) / phi[own][:, None]
        negative = (z @ centroids[drawn].t() / phi[drawn]).masked_fill(drawn == own[:, None], -torch.inf)
    return -torch.cat([positive, negative], dim=1).log_softmax(dim=1)[:, 0].mean()


def concentration(
    distance: Float[Tensor, " N"], label: Int[Tensor, " N"], clusters: int, temperature: float, alpha: float
) -> Float[Tensor, " K"]:
    """phi_c = sum of the distances to c / (n log(n + alpha)) of the n members of each cluster: Eq. 12.

    As in the paper's code a cluster of one image or none has the greatest of all, values are cut at their tenth and
    ninetieth percentile, and their mean becomes the temperature.

    Args:
        distance: Euclidean, of each image to the centroid of its cluster.
    """
    size = torch.bincount(label, minlength=clusters).to(distance)
    total = torch.bincount(label, distance, minlength=clusters).to(distance)
    phi = total / (size * (size + alpha).log()).clamp(min=1e-12)
    phi = torch.where(size > 1, phi, phi[size > 1].amax() if bool((size > 1).any()) else 1.0)
    phi = phi.clamp(*torch.quantile(phi, torch.tensor([0.1, 0.9], dtype=phi.dtype)))
    return temperature * phi / phi.mean() if bool(phi.mean() > 0) else torch.full_like(phi, temperature)
