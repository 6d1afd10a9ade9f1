"""Weight files: safetensors with a word on what they are, written whole and read strictly."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from luss_core.errors import UserError
from luss_core.io import atomic

N = TypeVar("N", bound=nn.Module)

REASON = 200
"""Letters of the reason why weights do not fit, which may name hundreds of them."""


def save_weights(path: Path, module: nn.Module, about: Mapping[str, Any]) -> None:
    """Write weights as safetensors, whole or not at all; ``about`` (JSON) says what they are."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}
    with atomic(path) as partial:
        save_file(tensors, partial, {"luss": json.dumps(about)})


def read_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Weights and what was said about them.

    Raises:
        UserError: missing, cut short, or not written by this package.
    """
    try:
        with safe_open(path, "pt") as file:
            about = json.loads((file.metadata() or {})["luss"])
            return {name: file.get_tensor(name) for name in file.keys()}, about  # noqa: SIM118 - not a mapping
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist; run the stage that writes it") from error
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise UserError(
            f"{path} is not a whole weight file of this package ({error}); delete it and run its stage"
        ) from error


def load_network(path: Path, kind: str, stage: str, build: Callable[[dict[str, Any]], N]) -> N:
    """A network with the weights of a file, in evaluation mode.

    Args:
        build: makes it, without weights, from what was said about them.
        kind, stage: what the file should hold and who writes it, for messages.

    Raises:
        UserError: the file is missing or damaged, or holds something else.
    """
    weights, about = read_weights(path)
    try:
        network = build(about)
        network.load_state_dict(weights)
    except (KeyError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:REASON]
        raise UserError(
            f"{path} holds no {kind} as {stage} writes it ({reason}); give that file, or run {stage} again"
        ) from error
    return network.eval().to(memory_format=torch.channels_last)
