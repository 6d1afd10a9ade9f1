"""A trained backbone with another output stride and the same weights."""

from luss_core.config import AnyBackbone, BackboneConfig, EncoderConfig, TimmConfig
from luss_core.errors import UserError
from luss_core.models.backbone import Backbone, make_backbone
from luss_core.models.encoder import Encoder

RATIOS = (4, 2, 1)
"""Strides that a stage may have, the largest first."""


def restrided(encoder: Encoder, stride: int, who: str) -> Backbone:
    """The backbone of an encoder, with one position of its last map every ``stride`` pixels.

    Args:
        who: whose encoder it is, for messages.

    Raises:
        UserError: its stride cannot become that.
    """
    if isinstance(encoder.cfg.backbone, TimmConfig) and encoder.backbone.strides[-1] == stride:
        return encoder.backbone  # a ViT of such patches has no other stride to ask for
    cfg = with_stride(encoder.cfg, stride, who).backbone
    try:
        backbone = make_backbone(cfg)
    except UserError as error:
        known = f"it has one every {encoder.backbone.strides[-1]} pixels, and timm cannot change that"
        raise cannot(cfg, stride, who, known) from error
    if backbone.strides[-1] != stride:
        raise cannot(cfg, stride, who, f"it has one every {backbone.strides[-1]} pixels whatever is asked for")
    backbone.load_state_dict(encoder.backbone.state_dict())
    return backbone


def with_stride(encoder: EncoderConfig, stride: int, who: str) -> EncoderConfig:
    """The backbone alone, with another output stride.

    Raises:
        UserError: as ``restrided``, as far as the settings tell.
    """
    backbone = encoder.backbone
    found: AnyBackbone
    if isinstance(backbone, BackboneConfig):
        found = _resnet(backbone, stride, who)
    else:
        found = TimmConfig.model_validate({"name": backbone.name, "output_stride": stride})
    return EncoderConfig(backbone=found)


def _resnet(cfg: BackboneConfig, stride: int, who: str) -> BackboneConfig:
    """Strides and dilations with which convolutions look as far in the image as they did in training, where they can.

    The reach of a convolution is its dilation in pixels of the image. A map becomes as coarse as its reach allows, but
    not coarser than ``stride``; where it is finer, the dilation is what is missing. So the published network gets
    strides 1, 2, 2, 1 with dilations 1, 1, 1, 2 at output stride 16, as DeepLab, and that of output stride 8 gets the
    same ones. The last stage of a network that was finer than that all along becomes coarser.
    """
    trained = cfg.pixels
    reach = [pixels * dilation for pixels, dilation in zip(trained, cfg.dilations, strict=True)]
    pixels = [trained[0]]  # the stride of the first stage decides whether it has a shortcut with weights
    for far in reach[1:]:
        pixels.append(
            next(pixels[-1] * ratio for ratio in RATIOS if ratio == 1 or pixels[-1] * ratio <= min(far, stride))
        )
    if stride not in [pixels[2] * ratio for ratio in RATIOS]:
        raise cannot(cfg, stride, who, f"stage 3 has one every {pixels[2]} pixels already")
    pixels[3] = stride
    dilations = [max(1, round(far / now)) for far, now in zip(reach, pixels, strict=True)]
    if max(dilations) > 8:
        raise cannot(
            cfg, stride, who, f"it would need dilations {dilations}, of which 8 is the largest that is possible"
        )
    strides = [cfg.strides[0], *(after // before for before, after in zip(pixels, pixels[1:], strict=False))]
    return BackboneConfig.model_validate(cfg.model_dump() | {"strides": strides, "dilations": dilations})


def cannot(cfg: AnyBackbone, stride: int, who: str, reason: str) -> UserError:
    """Why the encoder cannot be used."""
    name = cfg.arch if isinstance(cfg, BackboneConfig) else cfg.name
    return UserError(
        f"the encoder of {who}, {name}, cannot have one position every {stride} pixels"
        f" (segment.network.output_stride): {reason}; leave it out of transfer.encoders, or set output_stride to the"
        " other of 8 and 16. ResNets and most CNNs of timm can have either"
    )
