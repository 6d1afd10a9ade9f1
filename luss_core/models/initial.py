"""What a training begins from, where that is not random: weights published with a network, or a file of weights."""

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torchvision
from torch import nn

from luss_core.config import BackboneConfig, PretrainConfig, TimmConfig
from luss_core.errors import UserError
from luss_core.models.encoder import Encoder
from luss_core.models.foreign import Loaded, load_file

REASON = 200
"""Letters of the reason why nothing could be downloaded."""
TORCHVISION_LICENCE = "torchvision: weights may have terms that follow from the data that they learned from"


def load_initial(encoder: Encoder, cfg: PretrainConfig, begin: Path | None = None) -> dict[str, Any] | None:
    """Fill an encoder with the weights that ``cfg.weights`` names; what they are, see ``foreign``. None: random ones.

    Args:
        begin: the encoder that ``cfg.weights_of`` names.

    Raises:
        UserError: they cannot be downloaded, or do not fit, or ``begin`` is there without that setting, or not with it.
    """
    if (begin is None) != (cfg.weights_of is None):
        raise UserError(
            f"pretrain.weights_of is {cfg.weights_of}, and --begin {begin}: give encoder.safetensors of that preset as"
            " --begin, or neither"
        )
    if begin is not None:
        return asdict(load_file(encoder, begin))
    if cfg.weights is None:
        return None
    if cfg.weight_file is not None:
        return asdict(load_file(encoder, Path(cfg.weight_file).expanduser()))
    if isinstance(cfg.backbone, TimmConfig):
        return asdict(_of_timm(encoder, cfg.backbone))
    return asdict(_of_torchvision(encoder, cfg.backbone))


def _of_timm(encoder: Encoder, cfg: TimmConfig) -> Loaded:
    from luss_core.models.timm_backbone import create, published

    about = published(cfg.name)
    where = f"https://huggingface.co/{about.hf_hub_id}" if about.hf_hub_id else about.url
    if not where:
        raise UserError(f"pretrain.weights: timm publishes none for {cfg.name}; set weights: null, or name a file")
    try:
        model = create(cfg, pretrained=True)
    except Exception as error:  # Hubs raise errors of four libraries.
        raise _not_there(error, cfg.name, f"{where} (model.safetensors)" if about.hf_hub_id else where) from error
    inner = encoder.backbone.model
    assert isinstance(inner, nn.Module)
    inner.load_state_dict(model.state_dict())
    name = f"{about.architecture}.{about.tag}" if about.tag else str(about.architecture)
    return Loaded("timm", f"timm: {name}", digest(inner), about.license or "", ("backbone",))


def _of_torchvision(encoder: Encoder, cfg: BackboneConfig) -> Loaded:
    weights = torchvision.models.get_model_weights(cfg.arch).DEFAULT
    try:
        state = weights.get_state_dict(progress=False, check_hash=True)
    except Exception as error:  # as above
        raise _not_there(error, cfg.arch, weights.url) from error
    encoder.backbone.load_state_dict({name: value for name, value in state.items() if not name.startswith("fc.")})
    source = f"torchvision: {weights}"
    return Loaded("torchvision", source, digest(encoder.backbone), TORCHVISION_LICENCE, ("backbone",))


def _not_there(error: Exception, name: str, where: str) -> UserError:
    reason = " ".join(str(error).split())[:REASON]
    return UserError(
        f"pretrain.weights: those of {name} could not be downloaded ({reason}). Where there is a network, download"
        f" {where}; bring the file here, and set pretrain.weights to its path"
    )


def digest(module: nn.Module) -> str:
    """SHA-256 of all tensors by name: of weights that a library downloaded, whose files it keeps to itself."""
    found = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        array = value.detach().cpu().contiguous().numpy()
        found.update(repr((name, array.dtype.str, array.shape)).encode() + array.tobytes())
    return found.hexdigest()
