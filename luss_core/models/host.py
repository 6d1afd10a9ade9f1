"""Random numbers within a step: drawn on the processor, so that a GPU trains with the same ones."""

import torch
from torch import Tensor


def to_device(drawn: Tensor, device: torch.device) -> Tensor:
    """What was drawn on the processor; a GPU is sent it without being waited for."""
    return drawn.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else drawn.to(device)
