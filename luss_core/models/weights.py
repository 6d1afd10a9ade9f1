"""Weight files: safetensors with a word on what they are, written whole and read strictly."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import save_file
from torch import nn

from luss_core.errors import UserError
from luss_core.models.tensor_file import read_tensors, write_tensors

N = TypeVar("N", bound=nn.Module)

REASON = 200
"""Letters of the reason why weights do not fit, which may name hundreds of them."""


def save_weights(path: Path, module: nn.Module, about: Mapping[str, Any]) -> None:
    """Write weights as safetensors, whole or not at all; ``about`` (JSON) says what they are.

    Raises:
        UserError: the folder cannot be written, or the disk is full.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}
    write_tensors(path, tensors, about, save_file)


def load_network(path: Path, kind: str, stage: str, build: Callable[[dict[str, Any]], N]) -> N:
    """A network with the weights of a file, in evaluation mode.

    Args:
        build: makes it, without weights, from what was said about them.
        kind, stage: what the file should hold and who writes it, for messages.

    Raises:
        UserError: the file is missing or damaged, or holds something else.
    """
    weights, about = read_tensors(path, "pt", stage)
    try:
        network = build(about)
        network.load_state_dict(weights)
    except (KeyError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:REASON]
        raise UserError(
            f"{path} holds no {kind} as {stage} writes it ({reason}); give that file, or run {stage} again"
        ) from error
    return network.eval().to(memory_format=torch.channels_last)
