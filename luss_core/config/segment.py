"""`snakemake transfer`: supervised segmentation that begins from the encoders. Imports no torch."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from luss_core.config.base import Fraction, Name, Positive, Section
from luss_core.config.training import TrainConfig

Percent = Annotated[float, Field(gt=0, le=100)]


class DeepLabV3PlusConfig(Section):
    """DeepLabV3+, Chen et al. 2018, arXiv:1802.02611, as published: not the low-cost one of pretrain.decoder."""

    output_stride: Literal[8, 16] = 16
    """Pixels of the image from one position of the last map of the backbone to the next: what was trained with larger
    strides is dilated, with the same weights."""
    rates: tuple[Positive, Positive, Positive] = (6, 12, 18)
    """Dilations of the three 3x3 branches of ASPP at output stride 16; twice as much at 8. The published ones are for
    crops of 513 pixels, 33 positions; a branch whose rate is as large as the map sees no neighbour."""
    channels: int = Field(256, gt=0, multiple_of=8)
    """Of every branch of ASPP and of the decoder."""
    low_level_channels: int = Field(48, gt=0, multiple_of=8)
    """To which the map of the backbone at a quarter of the resolution is reduced."""
    separable: bool = True
    """3x3 convolutions of ASPP and decoder as a depthwise and a 1x1 one, as in Sec. 3.1 of the paper. The LUSS paper
    does not say which it used; its 32.4 G multiply-accumulates with ResNet-50 are near those of false (34.9 G at 8)."""
    dropout: float = Field(0.1, ge=0, lt=1)
    """Behind ASPP, as in the official code."""

    @property
    def dilations(self) -> tuple[int, int, int]:
        """Of the branches at this output stride."""
        first, second, third = (rate * 16 // self.output_stride for rate in self.rates)
        return first, second, third


class SegmentTrainConfig(TrainConfig):
    """SGD with momentum and the polynomial schedule, as in the paper."""

    epochs: int = Field(46, ge=1)
    """46 are the 30,000 steps of the paper with the 10,582 augmented images of VOC."""
    batch_size: int = Field(16, ge=2)
    """BatchNorm of the image pooling of ASPP needs two images. Of fewer images than that, all of them."""
    optimizer: Literal["sgd", "larc", "lars", "adamw"] = "sgd"
    lr: float = Field(1e-3, gt=0)
    """Of the backbone; see head_lr."""
    schedule: Literal["cosine", "step", "poly"] = "poly"
    warmup_epochs: float = Field(0, ge=0)


class WholeConfig(Section):
    """How an image is segmented once the network has learned."""

    scales: Annotated[tuple[Annotated[float, Field(gt=0, le=4)], ...], Field(min_length=1)] = (1.0,)
    """Of the image; the probabilities of all are averaged. Published for multi-scale scores: 0.5 to 1.75 by 0.25."""
    flip: bool = False
    """Average with what is found in the mirrored image."""
    window: Annotated[int, Field(ge=32)] | None = None
    """Side in pixels of a square that slides over the image; probabilities are averaged where several lie over each
    other. null: the whole image at once."""
    overlap: float = Field(0.33, ge=0, le=0.9)
    """Of neighbouring windows, as a share of their side; at least that much."""


class SegmentConfig(Section):
    """Supervised training of a segmentation network whose backbone begins from an encoder, with a share of the labels
    of probes.data. Nothing but the backbone is taken from the encoder, as in the LUSS paper."""

    network: DeepLabV3PlusConfig = Field(default_factory=DeepLabV3PlusConfig)
    size: Annotated[int, Field(ge=8)] | None = None
    """Pixels to which the shorter side of larger images is reduced; scores are at the size of the label anyway. null:
    images as they are."""
    crop: int = Field(64, ge=32)
    """Side in pixels of the squares that are learned from; 513 in the paper. Smaller images are padded with gray, which
    is not learned from."""
    scale: tuple[Annotated[float, Field(gt=0, le=8)], Annotated[float, Field(gt=0, le=8)]] = (0.5, 2.0)
    """Range of the factor by which an image is resized before it is cropped."""
    flip: Fraction = 0.5
    head_lr: float = Field(10, gt=0)
    """Learning rate of ASPP, decoder and classifier in multiples of train.lr: they begin with nothing."""
    least_steps: int = Field(0, ge=0)
    """train.epochs becomes more for a small share of the labels, until there are so many steps. 0: never."""
    train: SegmentTrainConfig = Field(default_factory=SegmentTrainConfig)
    whole: WholeConfig = Field(default_factory=WholeConfig)
    cache_gb: float = Field(50, ge=0)
    """Decoded images and labels are kept on disk during a training while they take no more; else each is decoded again
    in every epoch."""

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if self.scale[0] > self.scale[1]:
            raise ValueError(f"scale {list(self.scale)} must be two factors, the smaller one first")
        return self


class TransferConfig(Section):
    """`snakemake transfer`: Table 7 of the LUSS paper. What an encoder is worth where segmentation is learned from
    labels; of which data set, see probes.data, and how, see segment."""

    encoders: tuple[Name, ...] | None = None
    """Presets whose encoders are compared, in this order. null: random, and those of `run`."""
    percents: Annotated[tuple[Percent, ...], Field(min_length=1)] = (10, 100)
    """Of the training images, a run each. Drawn by the seed; those of a smaller share are among those of a larger."""

    note: str = ""
    """What readers of the page must know of the data, for instance that it has photographs in common with those that
    encoders learned from."""

    @field_validator("encoders", "percents")
    @classmethod
    def _once(cls, values: tuple[object, ...] | None) -> tuple[object, ...] | None:
        if values is not None and not values:
            raise ValueError("names no encoder: give one or more presets, or null for random and those of `run`")
        if values is not None and len(set(values)) < len(values):
            raise ValueError(f"{list(values)} names something twice")
        return values


class TransferRow(Section):
    """What the page of `snakemake transfer` is told of an encoder."""

    preset: str
    learned: str
    """By what, from what and for how long, in words."""


class TransferRows(Section):
    """The encoders in their order."""

    rows: tuple[TransferRow, ...] = ()
    seeds: tuple[int, ...] = ()
