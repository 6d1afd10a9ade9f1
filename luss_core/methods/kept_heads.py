"""Heads that pretrain keeps beside the encoder, for pictures of what they find alike: heads.safetensors."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from luss_core.config import PretrainConfig
from luss_core.methods import build_method
from luss_core.methods.base import Method
from luss_core.models.encoder import Encoder
from luss_core.models.tensor_file import read_about
from luss_core.models.weights import load_network, save_weights

NAME = "heads.safetensors"


def save_heads(encoder: Path, heads: nn.ModuleDict, about: Mapping[str, Any]) -> None:
    """Write the heads beside an encoder file, which ``about`` is of; nothing but that where there are none."""
    save_weights(encoder.with_name(NAME), heads, dict(about) | {"heads": list(heads)})


def load_heads(encoder: Path, cfg: PretrainConfig, network: Encoder) -> nn.ModuleDict:
    """The heads beside an encoder file, in evaluation mode; none where there are none, or no such file.

    Args:
        cfg: what the encoder was trained with.
        network: that of the file.

    Raises:
        UserError: as ``load_network``.
    """
    path = encoder.with_name(NAME)
    if not path.exists() or not read_about(path, "pretrain").get("heads"):
        return nn.ModuleDict()

    def heads(_: Mapping[str, Any]) -> nn.ModuleDict:
        method: Method = build_method(cfg.method, network, 1)  # also says that the stage is made of that module
        return method.position_heads

    return load_network(path, "head", "pretrain", heads)
