"""Tensors by name into a network: all that it has, nothing that it does not know, or a message with the list."""

import sys
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from luss_core.models.foreign.anatomy import Shapes
from luss_core.models.foreign.read import shorten

COUNTER = "num_batches_tracked"
"""Of BatchNorm, which files before torch 0.4.1 do not have; nothing is computed from it here."""


class Difference(NamedTuple):
    """How tensors differ from those of a network."""

    missing: list[str]
    left: list[str]
    shapes: list[str]
    """With both shapes."""

    def __str__(self) -> str:
        parts = (("missing", self.missing), ("left over", self.left), ("of another shape", self.shapes))
        return "; ".join(f"{len(names)} {what}: {shorten(names)}" for what, names in parts if names)


def difference(wanted: Shapes, found: Shapes, known: Callable[[str], bool]) -> Difference | None:
    """Names and shapes that do not agree; None if all do.

    Args:
        known: whether a name that the network does not have is known to be no backbone.
    """
    missing = [name for name in wanted if name not in found and not name.endswith(COUNTER)]
    left = [name for name in found if name not in wanted and not name.endswith(COUNTER) and not known(name)]
    shapes = [
        f"{name} {list(found[name])} for {list(shape)}"
        for name, shape in wanted.items()
        if name in found and tuple(found[name]) != tuple(shape)
    ]
    return Difference(missing, left, shapes) if missing or left or shapes else None


def shapes_of(tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """Without reading what is in them."""
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def unusable(tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> str:
    """Why the values are no weights; "" if they are."""
    for name, tensor in tensors.items():
        if not wanted[name].is_floating_point():
            continue
        if tensor.layout != torch.strided or tensor.is_quantized or not tensor.is_floating_point():
            kind = "quantized values" if tensor.is_quantized else f"{tensor.dtype} in layout {tensor.layout}"
            return f"{name} holds {kind} instead of real numbers"
        if not tensor.isfinite().all():
            return f"{name} holds values that are not finite: a training that failed, or a damaged file"
    return ""


@torch.no_grad()
def place(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copy values into a network; types are converted, so that half precision becomes what the network has."""
    module.load_state_dict(dict(tensors), strict=False)


def convert_by_timm(module: nn.Module, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """What timm makes of a file of this model's authors: names, register tokens, position embeddings of this size.

    timm applies this function of the model's own source file when it loads what it downloaded; models without one
    have the names of their authors.
    """
    source = vars(sys.modules[type(module).__module__])
    convert = source.get("checkpoint_filter_fn") or source.get("_filter_fn")
    return dict(tensors) if convert is None else convert(dict(tensors), module)


def restrict(tensors: Mapping[str, Tensor], names: Collection[str]) -> dict[str, Tensor]:
    """Those that a network has."""
    return {name: tensor for name, tensor in tensors.items() if name in names}
