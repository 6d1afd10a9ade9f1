"""Encoders and segmenters that this project trained, into an encoder of other settings."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from luss_core.models.encoder import Encoder
from luss_core.models.foreign.fit import check, place

OWN = "this project's"
PARTS = ("backbone", "decoder", "attention")


def fill_from_own(
    encoder: Encoder, path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, Any]
) -> tuple[str, ...]:
    """Fill what both the file and the settings have, the backbone always; says which parts.

    Args:
        about: what the file says of itself.

    Raises:
        UserError: a part does not fit.
    """
    named = {name.removeprefix("encoder."): tensor for name, tensor in tensors.items()}  # a segmenter has one inside
    parts = {}
    for part in PARTS:
        inner = {name.removeprefix(f"{part}."): t for name, t in named.items() if name.startswith(f"{part}.")}
        module = getattr(encoder, part)
        if module is not None and (inner or part == "backbone"):
            remedy = _settings(encoder, about) if part == "backbone" else f"give a file with this pretrain.{part}"
            check(module, inner, f"weights {path} ({OWN})", f"the {part} of the settings", remedy)
            parts[part] = module, inner
    for module, inner in parts.values():
        place(module, inner)
    return tuple(parts)


def licence_of(about: Mapping[str, Any]) -> str:
    """Of the weights that the training of a file began from; "" if from random ones."""
    return str((about.get("weights") or {}).get("licence", ""))


def _settings(encoder: Encoder, about: Mapping[str, Any]) -> str:
    """What to set so that the backbone is that of the file."""
    mine = encoder.cfg.backbone.model_dump(mode="json")
    was = (about.get("encoder") or {}).get("backbone") or {}
    wrong = [f"pretrain.backbone.{key}: {value}" for key, value in was.items() if mine.get(key) != value]
    return f"set {', '.join(wrong)}" if wrong else "give an encoder.safetensors of the same pretrain.backbone"
