"""A batch of views on its way from the loader to a method."""

from dataclasses import dataclass

import torch
from torch import Tensor

from luss_core.data.views import ViewParameters, colour_view


@dataclass(frozen=True)
class Batch:
    """Crops of B images as uint8 and what made them; colour is applied where the network is."""

    crops: list[Tensor]
    """V tensors (B, 3, H, W) uint8, large crops first."""
    parameters: list[ViewParameters]
    """One a view; the boxes and flips tell where each view lies in the image."""
    row: Tensor
    """(B,) row of each image in the image list."""
    label: Tensor | None = None
    """(B,) pseudo label, 0-based; only where there is one."""

    def to(self, device: torch.device) -> "Batch":
        crops = [crop.to(device, non_blocking=True) for crop in self.crops]
        label = None if self.label is None else self.label.to(device, non_blocking=True)
        return Batch(crops, [p.to(device) for p in self.parameters], self.row.to(device, non_blocking=True), label)

    def pin_memory(self) -> "Batch":
        """Called by the loader, so that copies to a GPU overlap with computing."""
        label = None if self.label is None else self.label.pin_memory()
        return Batch([crop.pin_memory() for crop in self.crops], self.parameters, self.row.pin_memory(), label)

    def views(self) -> list[Tensor]:
        """V tensors (B, 3, H, W) float32, coloured and normalised."""
        return [colour_view(c, p) for c, p in zip(self.crops, self.parameters, strict=True)]
