"""Losses that compare embeddings of images with each other."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from luss_core import group


def cosine_distance(predicted: Float[Tensor, "B D"], target: Float[Tensor, "B D"]) -> Float[Tensor, ""]:
    """|p/|p| - t/|t||^2 = 2 - 2 cos(p, t), mean over the batch; 0..4, Eq. 2 of arXiv:2006.07733."""
    return (2 - 2 * F.cosine_similarity(predicted.float(), target.float(), dim=1)).mean()


@torch.no_grad()
def margin(one: Float[Tensor, "B D"], two: Float[Tensor, "B D"]) -> Float[Tensor, ""]:
    """How much more alike two views of an image are than views of two images: difference of the mean cosines, -2..2.

    0 where all images look the same, and of a batch of one.
    """
    a, b = F.normalize(one.float(), dim=1), F.normalize(two.float(), dim=1)
    same, count = (a * b).sum(dim=1).mean(), len(a)
    others = (count * a.mean(dim=0) @ b.mean(dim=0) - same) / max(count - 1, 1)
    return (same - others) * (count > 1)


def instance_cross_entropy(
    z: Float[Tensor, "B D"], positive: Float[Tensor, "B D"], negatives: Float[Tensor, "B K D"], temperature: float
) -> Float[Tensor, ""]:
    """-log of the share that the positive has among itself and the negatives, exp(z p / t), mean over the batch.

    Args:
        z, positive, negatives: unit vectors.
    """
    alike = torch.cat([(z * positive).sum(dim=1, keepdim=True), torch.einsum("bd,bkd->bk", z, negatives)], dim=1)
    return -(alike / temperature).log_softmax(dim=1)[:, 0].mean()


def spread(z: Float[Tensor, "B D"]) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """v(Z) = mean_d max(0, 1 - sqrt(var z_d + 1e-4)) and c(Z), the squared covariances of two dimensions over D: Eq. 1,
    2 and 4 of arXiv:2105.04906, over the batches of all processes."""
    with torch.autocast(z.device.type, enabled=False):
        everything = group.gather(z if z.dtype == torch.float64 else z.float())
        centred = everything - everything.mean(dim=0)
        covariance = centred.t() @ centred / (len(everything) - 1)
        variance = covariance.diagonal()
        missing = F.relu(1 - (variance + 1e-4).sqrt()).mean()
        return missing, (covariance.square().sum() - variance.square().sum()) / z.shape[1]
