"""Probes: how well an encoder separates annotated classes, by the protocols of the CACL paper. Imports no torch."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from luss_core.config.base import Positive, Section
from luss_core.config.training import FinetuneViewsConfig, TrainConfig


class AnnotatedConfig(Section):
    """The annotated data set, in the layout of its authors. Its labels are for probes alone: no encoder sees them."""

    format: Literal["voc", "cityscapes", "camvid", "imagenet_s"] = "imagenet_s"
    root: str | None = None
    """Its folder: that with JPEGImages (voc), leftImg8bit and gtFine (cityscapes), train and trainannot (camvid), or
    <split> and <split>-segmentation (imagenet_s). null: the images of this workflow, see data_root; imagenet_s only."""
    train: str | None = None
    """The split whose labels are learned from. null: voc the first that is there of train_aug, trainaug and train;
    imagenet_s of train-semi and validation; the others train."""
    test: str | None = None
    """The split that is scored. null: voc and cityscapes val; camvid test; imagenet_s validation, or test where
    validation is learned from."""

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if self.root is None and self.format != "imagenet_s":
            raise ValueError(
                f"format {self.format} without root: set root to the folder of the data set; null stands for the images"
                " of this workflow, which are in the layout imagenet_s"
            )
        if self.train is not None and self.train == self.test:
            raise ValueError(f"train and test are both {self.train}: name another split, or leave them null")
        return self


class ProbeConfig(Section):
    """What the protocols have in common."""

    features: Literal["stage4", "output"] = "stage4"
    """The last map of the backbone, as in the paper, or that of the decoder where there is one."""
    size: Annotated[int, Field(ge=8)] | None = None
    """Shorter side in pixels of the images that the encoder sees; classes are scored at the size of the label anyway.
    null: images as they are."""


class LinearTrainConfig(TrainConfig):
    """The numbers of the paper, as far as it gives them: 300 epochs, rate 0.6, no weight decay."""

    epochs: int = Field(300, ge=0)
    batch_size: Positive = 16
    optimizer: Literal["sgd", "larc", "lars", "adamw"] = "sgd"
    lr: float = Field(0.6, gt=0)
    warmup_epochs: float = Field(0, ge=0)
    weight_decay: float = Field(0, ge=0)


class LinearConfig(ProbeConfig):
    """A 1x1 convolution on the map of a frozen encoder, resized bilinearly to the label, and cross-entropy.

    Images are seen whole and unchanged, so that their features are computed once.
    """

    standardize: bool = True
    """First subtract the mean of each channel of the map and divide by its deviation, as found on the training images,
    and by the root of the number of channels. The convolution could undo it, so the probe stays linear, and one rate
    suits every encoder. false: the map as it is, as the paper seems to have it."""
    label_stride: Positive = 4
    """Each step looks at one in so many pixels along either side of the label, other ones in every step: on average the
    loss of all pixels. 1: all of them in every step. Scores are of all pixels."""
    cache_gb: float = Field(50, ge=0)
    """Features and labels are kept on disk, 16 bits a number, while they take no more; else computed in every epoch."""
    train: LinearTrainConfig = Field(default_factory=LinearTrainConfig)


class LimitedTrainConfig(TrainConfig):
    """The numbers of the paper, as far as it gives them: 1000 epochs, rate 0.3."""

    epochs: int = Field(1000, ge=0)
    batch_size: Positive = 16
    """Of fewer images than that, all of them."""
    optimizer: Literal["sgd", "larc", "lars", "adamw"] = "sgd"
    lr: float = Field(0.3, gt=0)
    warmup_epochs: float = Field(0, ge=0)


class LimitedConfig(ProbeConfig):
    """The whole network and a 1x1 convolution, trained with a few of the labels."""

    percents: Annotated[tuple[Annotated[float, Field(gt=0, le=100)], ...], Field(min_length=1)] = (1, 5, 10, 100)
    """Of the training images, a run each. Drawn by the seed; those of a smaller share are among those of a larger."""
    views: FinetuneViewsConfig = Field(default_factory=FinetuneViewsConfig)
    train: LimitedTrainConfig = Field(default_factory=LimitedTrainConfig)

    @field_validator("percents")
    @classmethod
    def _once(cls, percents: tuple[float, ...]) -> tuple[float, ...]:
        if len(set(percents)) < len(percents):
            raise ValueError(f"percents {list(percents)} names something twice")
        return percents


class ProbesConfig(Section):
    """`snakemake probes`: how well the encoders of `run` separate annotated classes."""

    data: AnnotatedConfig = Field(default_factory=AnnotatedConfig)
    linear: LinearConfig = Field(default_factory=LinearConfig)
    limited: LimitedConfig = Field(default_factory=LimitedConfig)
