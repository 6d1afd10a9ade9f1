"""A file of weights into an encoder, and what was loaded."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from luss_core.models.encoder import Encoder
from luss_core.models.foreign.fill import fill
from luss_core.models.foreign.own import OWN, fill_from_own, licence_of
from luss_core.models.foreign.read import read


@dataclass(frozen=True)
class Loaded:
    """Weights that a training began from."""

    layout: str
    """What the file was recognised as."""
    source: str
    """Name of the file, or of the model where it was downloaded."""
    digest: str
    """SHA-256 of the bytes of the file."""
    licence: str
    """A note on what the repository says; "" where nothing is known."""
    parts: tuple[str, ...]
    """What was loaded: the backbone or, from this project's own files, decoder and attention too."""


def load_file(encoder: Encoder, path: Path) -> Loaded:
    """Fill the backbone with the weights of a file; from this project's own files the decoder and attention too.

    An encoder that is refused keeps the weights that it has.

    Raises:
        UserError: the file gives no weights, is of no known layout, or does not fit: names missing, left over or of
            another shape, values that are no weights.
    """
    contents = read(path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if contents.about is not None:
        parts = fill_from_own(encoder, path, contents.tensors, contents.about)
        return Loaded(OWN, path.name, digest, licence_of(contents.about), parts)
    backbone = network_of(encoder)
    layout = fill(backbone, path, contents.tensors)
    return Loaded(layout.name, path.name, digest, layout.licence or licence_by_timm(backbone), ("backbone",))


def network_of(encoder: Encoder) -> nn.Module:
    """The backbone with the names of torchvision or timm."""
    inner = getattr(encoder.backbone, "model", None)
    return inner if isinstance(inner, nn.Module) else encoder.backbone


def licence_by_timm(model: nn.Module) -> str:
    """A note on the weights that timm publishes for a model; "" for other networks."""
    cfg: Any = getattr(model, "pretrained_cfg", {})
    return f"{cfg['license']} (what timm says of {cfg.get('architecture')})" if cfg.get("license") else ""
