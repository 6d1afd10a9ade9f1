"""A batch of views on its way from the loader to a method."""

from collections.abc import Callable
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
    prior: list[Tensor] | None = None
    """(B, 1, H, W) uint8 saliency of the views of the first size, cropped and flipped as they are; only where asked."""

    def to(self, device: torch.device) -> "Batch":
        return self._map(lambda x: x.to(device, non_blocking=True), [p.to(device) for p in self.parameters])

    def pin_memory(self) -> "Batch":
        """Called by the loader, so that copies to a GPU overlap with computing."""
        return self._map(lambda x: x.pin_memory(), self.parameters)

    def views(self) -> list[Tensor]:
        """V tensors (B, 3, H, W) float32, coloured and normalised."""
        return [colour_view(c, p) for c, p in zip(self.crops, self.parameters, strict=True)]

    def _map(self, move: Callable[[Tensor], Tensor], parameters: list[ViewParameters]) -> "Batch":
        label = None if self.label is None else move(self.label)
        prior = None if self.prior is None else [move(part) for part in self.prior]
        return Batch([move(crop) for crop in self.crops], parameters, move(self.row), label, prior)
