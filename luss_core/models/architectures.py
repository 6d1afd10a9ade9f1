"""Published networks as settings, by name. Imports no torch.

Known of DeepLabV3+* (LUSS paper, Sec. 4 and Table 4): it is DeepLabV3+ made cheaper "by down-sampling the
high-resolution feature maps in the deep stages", with details in a supplement that cannot be found; with ResNet-50 it
costs 9.5 G multiply-accumulates at 224 x 224 pixels, with ResNet-18 it has 16.7 M parameters and costs 3.3 G (these two
with the small overhead of SEAM).

Follows from the 16.7 M: a head of 5.4 M parameters, that is 256 channels and no separable convolutions.

Chosen: stage 3 keeps the resolution of stage 2, 1/8; stage 4 goes down to 1/32, where ASPP runs; the decoder runs at
1/16, with stage 1 averaged to it. That gives 9.47 G and 3.50 G, off by 0.3 and 5.9 percent. The decoder at 1/32 would
give 9.28 G and 3.31 G, off by 2.3 and 0.2, but half the resolution for what is segmented. Two more that were counted
fit one backbone only: output stride 16 with the decoder at 1/16 gives 9.40 G but 4.08 G; the same with ASPP at 1/32
gives 3.50 G but 7.20 G. Stage 3 is not dilated: if it were, stage 4 would skip every value that the finer map adds. The
rates of ASPP are chosen for 7 positions, what a view of 224 pixels leaves.

The original DeepLabV3+ with ResNet-50 is said to cost 32.4 G; here it is 34.9 G at output stride 8 and 13.2 G at 16.
Its decoder runs at 1/4, and its rates double at output stride 8, as in arXiv:1706.05587.
"""

from typing import NamedTuple

from luss_core.config import AnyBackbone, BackboneConfig, DecoderConfig


class Architecture(NamedTuple):
    """A backbone and what is on top of it."""

    backbone: AnyBackbone
    decoder: DecoderConfig | None = None


_PLAIN = {
    "resnet18": BackboneConfig(arch="resnet18", width=64, stem="imagenet", strides=(1, 2, 2, 2)),
    "resnet50": BackboneConfig(arch="resnet50", width=64, stem="imagenet", strides=(1, 2, 2, 2)),
}
_CHEAP = DecoderConfig(channels=256, low_level_channels=48, rates=(1, 2, 3), aspp_stride=32, decoder_stride=16)
_OS16 = DecoderConfig(channels=256, low_level_channels=48, rates=(6, 12, 18), aspp_stride=16, decoder_stride=4)
_OS8 = DecoderConfig(channels=256, low_level_channels=48, rates=(12, 24, 36), aspp_stride=8, decoder_stride=4)


def _dilated(plain: BackboneConfig, strides: tuple[int, ...], dilations: tuple[int, ...]) -> BackboneConfig:
    return BackboneConfig.model_validate({**plain.model_dump(), "strides": strides, "dilations": dilations})


PUBLISHED: dict[str, Architecture] = {
    **{name: Architecture(plain) for name, plain in _PLAIN.items()},
    **{
        f"deeplabv3plus*-{name}": Architecture(_dilated(plain, (1, 2, 1, 4), (1, 1, 1, 1)), _CHEAP)
        for name, plain in _PLAIN.items()
    },
    **{
        f"deeplabv3plus-{name}-os16": Architecture(_dilated(plain, (1, 2, 2, 1), (1, 1, 1, 2)), _OS16)
        for name, plain in _PLAIN.items()
    },
    **{
        f"deeplabv3plus-{name}-os8": Architecture(_dilated(plain, (1, 2, 1, 1), (1, 1, 2, 4)), _OS8)
        for name, plain in _PLAIN.items()
    },
}
