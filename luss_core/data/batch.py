"""A batch of views on its way from the loader to a method."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from luss_core.data.overlap import overlapping
from luss_core.data.views import ViewParameters, colour_view

TRAVELS = {
    torch.float64: torch.float32,
    torch.float32: torch.float32,
    torch.int64: torch.int32,
    torch.int32: torch.int32,
    torch.bool: torch.int32,
}
"""As what small tensors are packed."""


@dataclass(frozen=True)
class Batch:
    """Crops of B images as uint8 and what made them; colour is applied where the network is.

    All small tensors travel as one: on a GPU each copy has its price, and none may be waited for.
    """

    crops: list[Tensor]
    """V tensors (B, 3, H, W) uint8, large crops first."""
    layout: list[ViewParameters]
    """The parameters as they were drawn; their tensors stay where they were made. Use `parameters`."""
    small: Tensor
    """Of `pack`: index, overlaps, label if there is one, and the tensors of the parameters."""
    sizes: tuple[int, int]
    """B, and how many images have views that overlap."""
    labelled: bool = False
    planes: Mapping[str, list[Tensor]] = field(default_factory=dict)
    """By name (saliency, masks), (B, 1, H, W) for each large view, cropped and flipped as it is."""

    @cached_property
    def parameters(self) -> list[ViewParameters]:
        """One a view; the boxes and flips tell where each view lies in the image."""
        moved = iter(self._tensors[3:])
        return [view.of_tensors([next(moved) for _ in view.tensors()]) for view in self.layout]

    @property
    def index(self) -> Tensor:
        """(B,) int64 position of each image among those that are trained on."""
        return self._tensors[0].long()

    @property
    def overlaps(self) -> Tensor:
        """(b,) int32 images of the batch whose first two views share a part of the image, in order."""
        return self._tensors[1]

    @property
    def label(self) -> Tensor | None:
        """(B,) int64 label, 0-based; only where there is one."""
        return self._tensors[2].long() if self.labelled else None

    def to(self, device: torch.device) -> "Batch":
        planes = {name: [move(part, device) for part in plane] for name, plane in self.planes.items()}
        crops = [move(crop, device) for crop in self.crops]
        return replace(self, crops=crops, small=move(self.small, device), planes=planes)

    def pin_memory(self) -> "Batch":
        """Called by the loader, so that copies to a GPU overlap with computing."""
        planes = {name: [part.pin_memory() for part in plane] for name, plane in self.planes.items()}
        return replace(
            self, crops=[crop.pin_memory() for crop in self.crops], small=self.small.pin_memory(), planes=planes
        )

    def views(self) -> list[Tensor]:
        """V tensors (B, 3, H, W) float32, coloured and normalised."""
        return [colour_view(c, p) for c, p in zip(self.crops, self.parameters, strict=True)]

    @cached_property
    def _tensors(self) -> list[Tensor]:
        """Those in ``small``."""
        images, overlaps = self.sizes
        like = [torch.empty(n, dtype=torch.int32) for n in (images, overlaps, images if self.labelled else 0)]
        return unpack(self.small, [*like, *(t for view in self.layout for t in view.tensors())])


def make_batch(
    crops: list[Tensor],
    parameters: list[ViewParameters],
    index: Sequence[int],
    label: Tensor | None = None,
    planes: Mapping[str, list[Tensor]] | None = None,
) -> Batch:
    """A batch from its parts, on the processor; see ``Batch``."""
    overlaps = overlapping(*parameters[:2]) if len(parameters) > 1 else torch.empty(0, dtype=torch.bool)
    numbers = [torch.tensor(index), overlaps.nonzero()[:, 0], torch.empty(0).int() if label is None else label]
    small = pack([*numbers, *(t for view in parameters for t in view.tensors())])
    return Batch(crops, parameters, small, (len(index), int(overlaps.sum())), label is not None, planes or {})


def pack(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors as one of int32; float64 becomes float32, since Apple GPUs have no other."""
    return torch.cat([t.to(TRAVELS[t.dtype]).flatten().view(torch.int32) for t in tensors])


def unpack(packed: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
    """The tensors of ``pack``, where ``packed`` is; ``like`` tells their shapes and types."""
    parts = packed.split([t.numel() for t in like])
    return [
        (part.bool() if t.dtype == torch.bool else part.view(TRAVELS[t.dtype])).view(t.shape)
        for part, t in zip(parts, like, strict=True)
    ]


def move(x: Tensor, device: torch.device) -> Tensor:
    return x.to(device, non_blocking=True)
