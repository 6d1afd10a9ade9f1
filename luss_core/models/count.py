"""What a network costs, counted without computing it: all tensors are on the meta device and take no memory."""

from typing import NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from luss_core.models.architectures import Architecture
from luss_core.models.backbone import make_backbone
from luss_core.models.deeplab import DeepLabHead


class Cost(NamedTuple):
    """Of one image."""

    parameters: int
    macc: int
    """Multiply-accumulates of convolutions and linear layers; normalisation, activation and resizing are not counted,
    as usual."""


def count(architecture: Architecture, size: int) -> Cost:
    """The cost of the encoder, which has no classifier, for an image of size x size pixels."""
    with torch.device("meta"):
        backbone = make_backbone(architecture.backbone).eval()
        head = DeepLabHead(architecture.decoder, backbone.widths).eval() if architecture.decoder else None
        with torch.inference_mode(), FlopCounterMode(display=False) as counter:
            maps = backbone(torch.empty(1, 3, size, size))
            if head:
                head(maps, (size, size))
    parameters = [*backbone.parameters(), *(head.parameters() if head else ())]
    return Cost(sum(p.numel() for p in parameters), counter.get_total_flops() // 2)
