"""Tensors by name into a network: all that it has, nothing that it does not know, or a message with the list."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from luss_core.errors import UserError
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


def check(
    module: nn.Module,
    tensors: Mapping[str, Tensor],
    begin: str,
    name: str,
    remedy: str,
    surely: bool = False,
    known: Callable[[str], bool] = lambda _: False,
) -> None:
    """Refuse tensors that are not all that a network has, and weights.

    Args:
        begin, name: how messages begin, and what the network is called there.
        surely: they are of another network even if names and shapes agree.
        known: whether a name that the network does not have is known to be no backbone.

    Raises:
        UserError: they do not fit, or their values are no weights.
    """
    wanted = module.state_dict()
    differs = difference(shapes_of(wanted), shapes_of(tensors), known)
    if differs or surely:
        raise UserError(f"{begin} do not fit {name}: {remedy}" + (f". Tensors {differs}" if differs else ""))
    reason = unusable({name: t for name, t in tensors.items() if name in wanted}, wanted)
    if reason:
        raise UserError(f"{begin}: {reason}; give another file")


def place(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copy values into a network; what it does not have stays out, and types become those that it has."""
    module.load_state_dict(dict(tensors), strict=False)
