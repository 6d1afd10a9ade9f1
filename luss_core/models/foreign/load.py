"""A file of weights into an encoder, and what was loaded."""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from luss_core.errors import UserError
from luss_core.models.backbone import ResNet
from luss_core.models.encoder import Encoder
from luss_core.models.foreign.anatomy import advice, describe
from luss_core.models.foreign.fit import convert_by_timm, difference, place, restrict, shapes_of, unusable
from luss_core.models.foreign.layouts import LAYOUTS, Layout, is_head, recognise, strip, unwrap
from luss_core.models.foreign.read import Contents, read, shorten
from luss_core.models.foreign.spellings import SAME

logger = logging.getLogger(__name__)

OWN = "this project's"
PARTS = ("backbone", "decoder", "attention")
"""Of an encoder of this project."""


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

    Raises:
        UserError: the file gives no weights, is of no known layout, or does not fit: names missing, left over or of
            another shape, values that are no weights.
    """
    contents = read(path)
    digest = _digest(path)
    if contents.about is not None:
        return _load_own(encoder, path, contents, digest)
    backbone = network_of(encoder)
    layout = fill(backbone, path, contents.tensors)
    licence = layout.licence or str(getattr(backbone, "pretrained_cfg", {}).get("license") or "")
    return Loaded(layout.name, path.name, digest, licence, ("backbone",))


def network_of(encoder: Encoder) -> nn.Module:
    """The backbone with the names of torchvision or timm."""
    inner = getattr(encoder.backbone, "model", None)
    return inner if isinstance(inner, nn.Module) else encoder.backbone


def fill(backbone: nn.Module, path: Path, tensors: Mapping[str, Tensor]) -> Layout:
    """Fill this project's ResNet or a model of timm; says what the file was recognised as.

    Raises:
        UserError: as ``load_file``.
    """
    wanted = backbone.state_dict()
    layout = recognise(tensors, wanted)
    stripped = {} if layout is None else strip(tensors, layout)
    if not isinstance(backbone, ResNet):
        layout, stripped = _through_timm(backbone, path, tensors, layout, stripped)
    if layout is None:
        known = ", ".join(dict.fromkeys(row.name for row in LAYOUTS))
        raise UserError(
            f"weights {path}: no backbone was recognised among the names {shorten(list(tensors))}; known are {known}"
        )
    logger.info("weights %s: %s, %d tensors of %d", path, layout.name, len(stripped), len(tensors))
    _check(backbone, stripped, path, layout)
    place(backbone, restrict(stripped, wanted.keys()))
    return layout


def _through_timm(
    model: nn.Module, path: Path, tensors: Mapping[str, Tensor], layout: Layout | None, stripped: dict[str, Tensor]
) -> tuple[Layout, dict[str, Tensor]]:
    """The same in the names of timm's model; a file of no known layout is left to timm whole."""
    wanted = model.state_dict().keys()
    if layout is None or (layout.spelling is SAME and 2 * len(stripped.keys() & wanted) <= len(wanted)):
        layout, stripped = Layout("names of its authors, converted by timm", "", SAME), unwrap(tensors)
    try:
        return layout, convert_by_timm(model, stripped)
    except Exception as error:  # Whatever a conversion does with names that it was not made for.
        raise UserError(
            f"weights {path} ({layout.name}): timm cannot convert them for {_name(model)}"
            f" ({type(error).__name__}: {error}); give a file of that model, or set pretrain.backbone to the file's"
        ) from error


def _check(backbone: nn.Module, found: Mapping[str, Tensor], path: Path, layout: Layout, part: str = "") -> None:
    wanted, shapes = backbone.state_dict(), shapes_of(found)
    begin = f"weights {path} ({layout.name})"
    differs = difference(shapes_of(wanted), shapes, lambda name: is_head(name, layout))
    other = advice(backbone.cfg, shapes) if isinstance(backbone, ResNet) and layout.name != OWN else ""
    if differs or other:
        remedy = other or _remedy(backbone, shapes)
        tensors = f". Tensors {differs}" if differs else ""
        raise UserError(f"{begin} do not fit {part or _name(backbone)}: {remedy}{tensors}")
    reason = unusable(restrict(found, wanted.keys()), wanted)
    if reason:
        raise UserError(f"{begin}: {reason}; give another file")


def _remedy(backbone: nn.Module, shapes: Mapping[str, tuple[int, ...]]) -> str:
    """What the file looks like and what to set."""
    mine, found = describe(shapes_of(backbone.state_dict())), describe(shapes)
    if found and found != mine:
        return f"it is {found}, and the settings have {mine or 'another network'}: change pretrain.backbone"
    return "give the whole file of such a network"


def _name(backbone: nn.Module) -> str:
    if isinstance(backbone, ResNet):
        return f"the {backbone.cfg.arch} of the settings"
    cfg: Any = getattr(backbone, "pretrained_cfg", {})
    return f"{cfg.get('architecture') or type(backbone).__name__} of timm"


def _load_own(encoder: Encoder, path: Path, contents: Contents, digest: str) -> Loaded:
    """An encoder or segmenter of this project: the backbone, and what else both it and the settings have."""
    about = contents.about or {}
    layout = Layout(OWN, "", SAME)
    tensors = {name.removeprefix("encoder."): tensor for name, tensor in contents.tensors.items()}
    loaded = []
    for part in PARTS:
        module = getattr(encoder, part)
        inner = {name.removeprefix(f"{part}."): t for name, t in tensors.items() if name.startswith(f"{part}.")}
        if module is None or not (inner or part == "backbone"):
            continue
        _check(module, inner, path, layout, f"the {part} of the settings")
        loaded.append((part, module, inner))
    for _, module, inner in loaded:
        place(module, inner)
    return Loaded(OWN, path.name, digest, _licence_of(about), tuple(part for part, _, _ in loaded))


def _licence_of(about: Mapping[str, Any]) -> str:
    """Of the weights that the training of a file began from; "" if from random ones."""
    return str((about.get("weights") or {}).get("licence", ""))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
