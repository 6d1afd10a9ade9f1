"""Losses between the image-level and pixel-level embeddings of two views: Sec. 4 of the LUSS paper."""

from jaxtyping import Float
from torch import Tensor

from luss_core import group
from luss_core.losses.clustering import sinkhorn, soft_cross_entropy


def image_to_pixel(
    codes: Float[Tensor, "B K"], pixels: Float[Tensor, "B P K"], temperature: float
) -> Float[Tensor, ""]:
    """L_s(v_i, v~_j): every pixel of one view predicts the code of the image-level embedding of the other.

    The code of an image stands before the sum over its P pixels, so it is not copied P times. Processes that train
    together must have the same P; B may differ between them.

    Args:
        codes: of the image-level embeddings of one view.
        pixels: scores of the pixels of the other view.
    """
    return group.mean(-(codes * (pixels / temperature).log_softmax(dim=2).mean(dim=1)).sum(dim=1))


def pixel_to_pixel(
    first: Float[Tensor, "B P K"], second: Float[Tensor, "B P K"], temperature: float, epsilon: float, iterations: int
) -> Float[Tensor, ""]:
    """(L_s(v~_1, v~_2) + L_s(v~_2, v~_1)) / 2: the same place has the same code in both views.

    The codes balance all pixels of the batch, without a queue.
    """
    a, b = first.flatten(0, 1), second.flatten(0, 1)
    code_a, code_b = (sinkhorn(s.detach(), epsilon, iterations) for s in (a, b))
    return (soft_cross_entropy(b / temperature, code_a) + soft_cross_entropy(a / temperature, code_b)) / 2
