"""A network as a function of one batch, in the form that torch can trace for images of any size."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from luss_core.data.normalization import MEAN, STD
from luss_core.methods.segmenter import Segmenter

PADDING = "Conv2dSame"
"""What timm calls convolutions that pad by the size of their input, as TensorFlow does."""


class Whole(nn.Module):
    """(B, 3, h, w) uint8 RGB -> the maps of categories, and the logits of being foreground where there are any."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: Segmenter) -> None:
        super().__init__()
        self.network = network
        for name, values in (("mean", MEAN), ("std", STD)):
            self.register_buffer(name, torch.tensor(values).view(-1, 1, 1))

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        found = self.network.segment((image.float() / 255 - self.mean) / self.std)
        return (found.maps,) if found.attention is None else (found.maps, found.attention)


class Padded(nn.Module):
    """A convolution that pads by its input, with the padding that it had for one image."""

    def __init__(self, layer: nn.Conv2d, shape: tuple[int, int]) -> None:
        super().__init__()
        self.layer = layer
        self.amounts: list[int] = []
        for size, kernel, stride, dilation in zip(shape, layer.kernel_size, layer.stride, layer.dilation, strict=True):
            missing = max(0, (-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 - size)
            self.amounts = [missing // 2, missing - missing // 2, *self.amounts]  # the last axis comes first

    def forward(self, x: Tensor) -> Tensor:
        layer = self.layer
        x = F.pad(x, self.amounts)
        return F.conv2d(x, layer.weight, layer.bias, layer.stride, 0, layer.dilation, layer.groups)


def traceable(network: Segmenter, example: Tensor) -> Whole:
    """The network, changed in place: what depended on the size of an image no longer does.

    Right for the sides that it asks for, multiples of the coarsest stride: all layers with a stride then see even
    sides, and pad alike. Traced as it was, EfficientNet is minutes of symbolic arithmetic.

    Args:
        example: (B, 3, h, w) uint8 with such sides.
    """
    network.encoder.backbone.resizes = False
    whole, shapes = Whole(network).eval(), dict[nn.Module, tuple[int, int]]()
    with _watched(network, shapes), torch.no_grad():
        whole(example)
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if child in shapes:
                assert isinstance(child, nn.Conv2d)
                setattr(parent, name, Padded(child, shapes[child]))
    return whole


@contextmanager
def _watched(network: nn.Module, shapes: dict[nn.Module, tuple[int, int]]) -> Iterator[None]:
    """Note the size of what each layer that pads by it is given."""

    def note(layer: nn.Module, given: tuple[Tensor, ...]) -> None:
        height, width = given[0].shape[-2:]
        shapes[layer] = (height, width)

    layers = [layer for layer in network.modules() if type(layer).__name__ == PADDING]
    hooks = [layer.register_forward_pre_hook(note) for layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
