"""Cues of what is foreground, from the maps of an encoder, without truth and without training."""

from collections.abc import Callable
from functools import wraps

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

ITERATIONS = 12
"""Of the power method; the first component of photographs stands out, and a cue need not be exact."""
EPSILON = 1e-6
SIMILAR = 0.3
"""Cosine of the keys with those of the seed above which a patch is background; as published, with DINO ViT-S/8."""


def without_autocast(cue: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The cue in the precision of its features: bfloat16 has few levels, and processors do not resize it smoothly."""

    @wraps(cue)
    def exact(*features: Tensor) -> Tensor:
        with torch.autocast(features[0].device.type, enabled=False):
            return cue(*features)

    return exact


def unit(maps: Float[Tensor, "B 1 h w"]) -> Float[Tensor, "B 1 h w"]:
    """Each map stretched to [0, 1]; one that is the same everywhere becomes 0."""
    least, most = maps.amin(dim=(2, 3), keepdim=True), maps.amax(dim=(2, 3), keepdim=True)
    return (maps - least) / (most - least).clamp(min=EPSILON)


def norm(features: Float[Tensor, "B D h w"]) -> Float[Tensor, "B 1 h w"]:
    """L2 norm at each position: networks that learned to classify answer to objects more than to what is around."""
    return features.norm(dim=1, keepdim=True)


@without_autocast
def border(features: Float[Tensor, "B D h w"]) -> Float[Tensor, "B 1 h w"]:
    """1 - cosine of each position and the border of its image, mean over the border, which is background as a rule."""
    z = F.normalize(features, dim=1)
    outer = on_border(z)
    return 1 - torch.einsum("bdhw,bd->bhw", z, _mean_over(z, outer))[:, None]


@without_autocast
def component(features: Float[Tensor, "B D h w"]) -> Float[Tensor, "B 1 h w"]:
    """First principal component of the positions of each image; the border is on its low side."""
    z = F.normalize(features, dim=1)
    z = z - z.mean(dim=(2, 3), keepdim=True)
    outer = on_border(z)
    direction = -_mean_over(z, outer)  # a start that is the same every time, and on the right side
    for _ in range(ITERATIONS):
        along = torch.einsum("bdhw,bd->bhw", z, direction)
        direction = F.normalize(torch.einsum("bhw,bdhw->bd", along, z), dim=1)
    along = torch.einsum("bdhw,bd->bhw", z, direction)[:, None]
    return along * torch.where(_mean_over(along, outer) > 0, -1.0, 1.0)[:, :, None, None]


@without_autocast
def seed(attention: Float[Tensor, "B m h w"], keys: Float[Tensor, "B m d h w"]) -> Float[Tensor, "B 1 h w"]:
    """1 where the keys are unlike those of the background seed, the patch that the class token attends to least; or 0.

    Of FOUND, arXiv:2212.07834, the part that is not trained. Heads count by how concentrated they are, both in the
    attention and in the cosine.
    """
    weight = concentration(attention)
    least = torch.einsum("bm,bmhw->bhw", weight, attention).flatten(1).argmin(dim=1)  # (B,)
    z = F.normalize(torch.einsum("bm,bmdhw->bmdhw", weight, keys).flatten(1, 2), dim=1)  # (B, m d, h, w)
    background = z.flatten(2).take_along_dim(least[:, None, None], dim=2)  # (B, m d, 1)
    return (torch.einsum("bdhw,bd->bhw", z, background[:, :, 0]) <= SIMILAR)[:, None].to(keys)


def concentration(attention: Float[Tensor, "B m h w"]) -> Float[Tensor, "B m"]:
    """Weight of each head: log(sum of Q / Q), with Q the share of patches to which it gives more than the mean of all.

    A head without such a patch, which looks at register tokens for instance, counts nothing. The published code adds
    1e-10 to Q, with which it would count more than all others together. One that has all such patches counts alone.
    """
    above = attention > attention.mean(dim=(1, 2, 3), keepdim=True)
    share = above.sum(dim=(2, 3)).to(attention)  # in patches, whose number cancels
    total = share.sum(dim=1, keepdim=True)
    return torch.where(share == total, share.clamp(max=1), (total / share.clamp(min=1)).log() * (share > 0))


def on_border(maps: Tensor) -> Float[Tensor, "1 1 h w"]:
    """1 at the outermost positions of a map, 0 within."""
    outer = torch.ones_like(maps[:1, :1])
    outer[..., 1:-1, 1:-1] = 0
    return outer


def together(cues: list[Float[Tensor, "B 1 h w"]]) -> Float[Tensor, "B 1 h w"]:
    """Product of the cues, each stretched to [0, 1]: foreground is where all of them agree."""
    return torch.stack([unit(cue) for cue in cues]).prod(dim=0)


def _mean_over(maps: Tensor, where: Tensor) -> Tensor:
    return (maps * where).sum(dim=(2, 3)) / where.sum()


CUES = {"norm": norm, "border": border, "component": component}
"""Of features, by name."""
CUES_OF_HEADS = {"seed": seed}
"""Of the heads of the last attention of a ViT: of the attention of its class token, and of the keys."""
