"""Tensors of a file of others into a backbone: this project's ResNet or a model of timm."""

import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from luss_core.errors import UserError
from luss_core.models.backbone import ResNet
from luss_core.models.foreign.anatomy import Shapes, advice, describe
from luss_core.models.foreign.fit import check, place, shapes_of
from luss_core.models.foreign.layouts import LAYOUTS, Layout, is_head, recognise, strip, unwrap
from luss_core.models.foreign.read import shorten
from luss_core.models.foreign.spellings import SAME, Tensors

logger = logging.getLogger(__name__)

BY_TIMM = Layout("names of its authors, converted by timm", "", SAME)


def fill(backbone: nn.Module, path: Path, tensors: Mapping[str, Tensor]) -> Layout:
    """Fill a backbone; says what the file was recognised as.

    Raises:
        UserError: no backbone in it, or one that does not fit.
    """
    layout = recognise(tensors, backbone.state_dict())
    stripped = {} if layout is None else strip(tensors, layout)
    looks = shapes_of(stripped)
    if not isinstance(backbone, ResNet):
        layout, stripped = _through_timm(backbone, path, tensors, layout, stripped)
    if layout is None:
        known = "; ".join(dict.fromkeys(row.name for row in LAYOUTS))
        raise UserError(
            f"weights {path}: no backbone was recognised among its {len(tensors)} tensors ({shorten(list(tensors))});"
            f" known are {known}"
        )
    known_head = layout  # for the function below, which has to see that it is not None
    check(
        backbone,
        stripped,
        f"weights {path} ({layout.name})",
        _name(backbone),
        _remedy(backbone, looks),
        surely=_is_other(backbone, looks),
        known=lambda name: is_head(name, known_head),
    )
    place(backbone, stripped)
    logger.info("weights %s: %s; %d tensors, %d of them used", path, layout.name, len(tensors), len(stripped))
    return layout


def _through_timm(
    model: nn.Module, path: Path, tensors: Mapping[str, Tensor], layout: Layout | None, stripped: Tensors
) -> tuple[Layout, Tensors]:
    """The same in the names of timm's model; a file of no known layout is left to timm whole."""
    wanted = model.state_dict().keys()
    if layout is None or (layout.spelling is SAME and 2 * len(stripped.keys() & wanted) <= len(wanted)):
        layout, stripped = BY_TIMM, unwrap(tensors)
    try:
        return layout, convert_by_timm(model, stripped)
    except Exception as error:  # Whatever a conversion does with names that it was not made for.
        raise UserError(
            f"weights {path} ({layout.name}) do not fit {_name(model)}, which converts them ({type(error).__name__}:"
            f" {error}): {_remedy(model, shapes_of(stripped))}"
        ) from error


def convert_by_timm(module: nn.Module, tensors: Mapping[str, Tensor]) -> Tensors:
    """What timm makes of a file of this model's authors: names, register tokens, position embeddings of this size.

    timm applies this function of the model's own source file to what it downloads; models without one have the names
    of their authors.
    """
    source = vars(sys.modules[type(module).__module__])
    convert = source.get("checkpoint_filter_fn") or source.get("_filter_fn")
    return dict(tensors) if convert is None else convert(dict(tensors), module)


def _remedy(backbone: nn.Module, shapes: Shapes) -> str:
    """What the file looks like and what to set."""
    if isinstance(backbone, ResNet):
        hint = advice(backbone.cfg, shapes)
    else:
        mine, found = describe(shapes_of(backbone.state_dict())), describe(shapes)
        other = f"it is {found}, and the settings have {mine or 'another network'}: change pretrain.backbone"
        hint = other if found and found != mine else ""
    return hint or "give the whole file of such a network"


def _is_other(backbone: nn.Module, shapes: Shapes) -> bool:
    """Whether tensors are of another network even where every shape fits.

    Stems for CIFAR have a stride that ours have not, and timm makes patches of 14 pixels from patches of 16.
    """
    if isinstance(backbone, ResNet):
        return advice(backbone.cfg, shapes) != ""
    mine, found = describe(shapes_of(backbone.state_dict())), describe(shapes)
    return bool(mine and found and mine != found)


def _name(backbone: nn.Module) -> str:
    if isinstance(backbone, ResNet):
        return f"the {backbone.cfg.arch} of the settings"
    cfg: Any = getattr(backbone, "pretrained_cfg", {})
    return f"{cfg.get('architecture') or type(backbone).__name__} of timm"
