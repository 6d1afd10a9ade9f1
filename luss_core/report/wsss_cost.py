"""What a segmenter is made of and costs: counted from what its file says, in one pass."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from luss_core.config import BackboneConfig, EncoderConfig
from luss_core.methods.cams import make_segmenter
from luss_core.methods.segmenter import Segmenter
from luss_core.models.count import Cost
from luss_core.models.tensor_file import read_about

MAKE = ("encoder", "segmenter", "classes", "centroids", "method")
"""What says how the network is made."""


class _Segments(nn.Module):
    """Segmentation as a call, which is what is counted."""

    def __init__(self, network: Segmenter):
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network.segment(images).maps


def about_network(segmenter: Path, size: int) -> dict[str, Any]:
    """architecture in words, parameters and macc of a pass over size x size pixels, with all that the method adds.

    Raises:
        UserError: the file is missing or holds something else.
    """
    about = read_about(segmenter, "finetune")
    cost = _counted(json.dumps({name: about.get(name) for name in MAKE}, sort_keys=True), size)
    encoder = EncoderConfig.model_validate(about["encoder"])
    return {"architecture": architecture(encoder), "parameters": cost.parameters, "macc": cost.macc}


def architecture(encoder: EncoderConfig) -> str:
    """As a table calls a network."""
    backbone = encoder.backbone
    if isinstance(backbone, BackboneConfig):
        name = backbone.arch.replace("resnet", "ResNet-") + (
            f", width {backbone.width}" if backbone.width != 64 else ""
        )
    else:
        name = backbone.name
    return name if encoder.decoder is None else f"{name}, DeepLabV3+"


@cache
def _counted(about: str, size: int) -> Cost:
    # computed, with random weights: the meta device has no autocast, which the correlation module switches off
    network = make_segmenter(json.loads(about)).eval()
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        _Segments(network)(torch.zeros(1, 3, size, size))
    return Cost(sum(p.numel() for p in network.parameters()), counter.get_total_flops() // 2)
