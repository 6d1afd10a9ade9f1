"""Networks."""

from itertools import accumulate
from operator import mul
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import Discriminator, Field, Tag

from luss_core.config.base import Dilation, Positive, Section


class BackboneConfig(Section):
    """ResNet, He et al. 2016, arXiv:1512.03385."""

    family: Literal["resnet"] = "resnet"
    arch: Literal["resnet18", "resnet50"] = "resnet18"
    width: int = Field(16, gt=0, multiple_of=8)
    """Channels of the first stage; 64 is the published network. Fewer than 8 crash the CPU kernels of torch."""
    stem: Literal["imagenet", "small"] = "small"
    """imagenet: 7x7 with stride 2, then max-pooling; small: 3x3 with stride 2, for images below 100 pixels."""
    strides: tuple[Literal[1, 2, 4], Literal[1, 2, 4], Literal[1, 2, 4], Literal[1, 2, 4]] = (1, 2, 2, 1)
    """Of the four stages; 1, 2, 2, 2 is the published network. The default has an overall stride of 8."""
    dilations: tuple[Dilation, Dilation, Dilation, Dilation] = (1, 1, 1, 1)
    """Of the 3x3 convolutions of the four stages; the first of a stage has that of the stage before. Strides
    1, 2, 2, 1 with dilations 1, 1, 1, 2 (output stride 16) and 1, 2, 1, 1 with 1, 1, 2, 4 (8) are DeepLab's."""

    @property
    def pixels(self) -> tuple[int, int, int, int]:
        """Pixels of the image from one position to the next in the maps of the four stages."""
        stem = 4 if self.stem == "imagenet" else 2
        first, second, third, fourth = tuple(accumulate((stem, *self.strides), mul))[1:]
        return first, second, third, fourth

    @property
    def published(self) -> bool:
        """Whether weights of the published network fit, which any strides and dilations leave as they are."""
        return self.width == 64 and self.stem == "imagenet"


class TimmConfig(Section):
    """A network of timm by its name, CNN or ViT. Its patch size, strides and normalisation are its own."""

    family: Literal["timm"] = "timm"
    name: str = Field("vit_small_patch14_dinov2.lvd142m", min_length=1)
    """As timm lists it, with or without what follows the point: the weights that pretrain.weights: timm takes. Its last
    four stages are used, of a ViT the outputs at each quarter of its depth."""
    output_stride: Literal[8, 16, 32] | None = None
    """Of a CNN: dilated instead of strided from there on. null: as published."""


def _family(backbone: Any) -> str:
    """The family that settings belong to; the default where it is left out."""
    return str(backbone.get("family", "resnet") if isinstance(backbone, dict) else backbone.family)


FAMILIES: dict[str, type[Section]] = {"resnet": BackboneConfig, "timm": TimmConfig}
"""Of backbones, by name."""

if TYPE_CHECKING:
    AnyBackbone = BackboneConfig | TimmConfig
else:
    AnyBackbone = Annotated[
        Union[tuple(Annotated[kind, Tag(name)] for name, kind in FAMILIES.items())],  # noqa: UP007 - made here
        Discriminator(_family),
    ]


class DecoderConfig(Section):
    """DeepLabV3+ head, Chen et al. 2018, arXiv:1802.02611: ASPP over stage 4, then a decoder with an earlier stage."""

    channels: int = Field(256, gt=0, multiple_of=8)
    """Of every branch of ASPP and of the output; 256 is the published head."""
    low_level_channels: int = Field(48, gt=0, multiple_of=8)
    """To which the map of the earlier stage is reduced; 48 is the published head."""
    low_level_stage: int = Field(1, ge=1, le=4)
    """The earlier stage. Those of a ViT are all as coarse as its patches: 1 is a quarter of its depth, 4 the end."""
    rates: tuple[Positive, Positive, Positive] = (1, 2, 3)
    """Dilations of the three 3x3 branches of ASPP. The default is for maps about 7 positions wide; 6, 12, 18 is
    published, for maps of 33 positions. A branch whose rate is as large as the map sees no neighbour at all."""
    aspp_stride: Literal[2, 4, 8, 16, 32, 64] = 32
    """Pixels of the image from one position to the next in ASPP; finer maps of stage 4 are averaged."""
    decoder_stride: Literal[2, 4, 8, 16, 32, 64] = 16
    """The same in the decoder and in its output; finer maps are averaged, coarser ones interpolated."""


SMALL_DECODER = DecoderConfig(channels=64, low_level_channels=16, low_level_stage=2, aspp_stride=8, decoder_stride=4)
"""A quarter as wide as the published head, for views below 100 pixels."""


class EncoderConfig(Section):
    """What is learned and passed on: backbone, decoder, attention."""

    backbone: AnyBackbone = Field(default_factory=BackboneConfig)
    decoder: DecoderConfig | None = None
    """DeepLabV3+ head; null uses the last stage of the backbone."""
    attention: bool = False
    """Pixel attention, Sec. 4 of the LUSS paper: one weight a pixel, with which the map is pooled."""
    attention_stages: tuple[Positive, ...] = ()
    """Stages of the backbone that the attention is a linear function of, at the resolution of the finest: what is
    foreground shows best below the last stage. Empty: the map that is pooled, as in the paper."""


def check_views(
    backbone: AnyBackbone, pixels: tuple[int, ...], decoder: DecoderConfig | None, sizes: list[int]
) -> None:
    """Compare the views of a training with the network.

    Args:
        pixels: of the image from one position to the next, of the map of each stage.
        sizes: sides of the views in pixels; none where nothing is trained.

    Raises:
        ValueError: they leave too few positions; the message names the keys and the remedy.
    """
    smallest = min(sizes, default=pixels[-1] + 1)
    if smallest <= pixels[-1]:
        if isinstance(backbone, BackboneConfig):
            have, remedy = f"backbone.strides {list(backbone.strides)} with stem {backbone.stem}", "lower a stride or "
        else:
            have, remedy = f"backbone.name {backbone.name}", ""
        raise ValueError(
            f"{have}: one position of the last stage every {pixels[-1]} pixels, so that a view of {smallest} has no 2x2"
            f" positions; {remedy}set views.crops.size to at least {pixels[-1] + 1}"
        )
    if decoder:
        _check_decoder(decoder, pixels, sizes)


def _check_decoder(decoder: DecoderConfig, pixels: tuple[int, ...], sizes: list[int]) -> None:
    aspp, out, stage = decoder.aspp_stride, decoder.decoder_stride, decoder.low_level_stage
    if stage > len(pixels):
        raise ValueError(f"decoder.low_level_stage {stage}, but the backbone has {len(pixels)} stages; lower it")
    if aspp < pixels[-1]:
        raise ValueError(
            f"decoder.aspp_stride {aspp} is finer than the last stage of the backbone, which has one position every"
            f" {pixels[-1]} pixels; set aspp_stride to {pixels[-1]} or more, or take finer strides of the backbone"
        )
    if out < pixels[stage - 1]:
        raise ValueError(
            f"decoder.decoder_stride {out} is finer than decoder.low_level_stage {stage}, which has one position every"
            f" {pixels[stage - 1]} pixels; set decoder_stride to {pixels[stage - 1]} or more, or take an earlier stage"
        )
    if sizes and min(sizes) <= aspp:
        raise ValueError(
            f"decoder.aspp_stride {aspp} leaves ASPP no 2x2 positions in a view of {min(sizes)} pixels; lower it (and,"
            f" if need be, the strides of the backbone) or set views.crops.size to at least {aspp + 1}"
        )
    for size in sizes:
        if size % out:
            near = " or ".join(str(n) for n in (size // out * out, (size // out + 1) * out) if n > aspp)
            raise ValueError(
                f"views.crops.size {size} is not a multiple of decoder.decoder_stride {out}: the last position would"
                f" reach past the view, and positions of two views would not match; set the size to {near}"
            )
