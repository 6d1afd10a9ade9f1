"""Every knob of the workflow: type, default, bound, unit, meaning.

This module imports no torch, because the Snakefile validates config.yaml with it on every parse.
"""

from itertools import accumulate
from operator import mul
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(gt=0)]
Dilation = Annotated[int, Field(ge=1, le=8)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$")]


class Section(BaseModel):
    """Base of all sections: unknown keys are errors, values never change after loading.

    Defaults are validated too: 2 becomes 2.0 whether it was written or left out, so settings compare as text.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, validate_default=True)


class SynthesizeConfig(Section):
    """The embedded data set: generated scenes with exact masks in ImageNet-S layout."""

    train: Positive = 1000
    validation: Positive = 160
    test: Positive = 240
    min_side: int = Field(64, ge=32)
    """Shortest side of a scene in pixels; sides are drawn from [min_side, max_side]."""
    max_side: int = Field(96, ge=32)
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_side > self.max_side:
            raise ValueError(f"min_side {self.min_side} is above max_side {self.max_side}")
        return self


class PrepareConfig(Section):
    """Which files become images, and how large they are kept."""

    short_side: int = Field(72, ge=8)
    """Images whose shorter side is longer are reduced to it (pixels); smaller ones are kept as they are."""
    masks: str | None = None
    """Folder of ground-truth masks for a plain folder of images; an ImageNet-S layout brings its own."""
    max_megapixels: float = Field(64, gt=0)
    """Larger files are set aside: they are mistakes or attacks more often than photographs."""
    max_rejected_fraction: Fraction = 0.1
    """Stop when more than this share of the files cannot be used."""


class PriorConfig(Section):
    """What probably is object: a saliency map of every image, made without learning. Nothing uses it yet.

    The numbers are those of the region contrast of Cheng et al. 2015, TPAMI 37(3); a folder of maps needs none of them.
    """

    folder: str | None = None
    """Folder of your own greyscale maps, <split>/cat/1.png for <split>/cat/1.jpg; null computes region contrast."""
    size: int = Field(256, ge=16)
    """Images whose longer side is longer are reduced to it (pixels), and so are the maps."""
    segment_scale: float = Field(50, gt=0)
    """k of the segmentation, Felzenszwalb and Huttenlocher 2004, in units of CIE Lab: larger makes larger regions."""
    segment_sigma: float = Field(0.5, ge=0)
    """Standard deviation in pixels of the blur before the segmentation."""
    min_region: float = Field(200, ge=0)
    """Pixels of the smallest region in an image of 400 x 300; it changes in proportion to the area of the image."""
    spatial_spread: float = Field(0.4, gt=0)
    """Squared distance at which regions count for 1/e; the image is 1 wide and 1 high."""
    centre_weight: float = Field(9, ge=0)
    """Preference for the middle of the image; 0 for none."""
    border: float = Field(0.4, gt=0)
    """Regions count as background if this share of their extent lies along the border; large keeps them all."""


class BackboneConfig(Section):
    """ResNet, He et al. 2016, arXiv:1512.03385."""

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


class DecoderConfig(Section):
    """DeepLabV3+ head, Chen et al. 2018, arXiv:1802.02611: ASPP over stage 4, then a decoder with an earlier stage."""

    channels: int = Field(256, gt=0, multiple_of=8)
    """Of every branch of ASPP and of the output; 256 is the published head."""
    low_level_channels: int = Field(48, gt=0, multiple_of=8)
    """To which the map of the earlier stage is reduced; 48 is the published head."""
    low_level_stage: int = Field(1, ge=1, le=4)
    """The earlier stage."""
    rates: tuple[Positive, Positive, Positive] = (1, 2, 3)
    """Dilations of the three 3x3 branches of ASPP. The default is for maps about 7 positions wide; 6, 12, 18 is
    published, for maps of 33 positions. A branch whose rate is as large as the map sees no neighbour at all."""
    aspp_stride: Literal[2, 4, 8, 16, 32, 64] = 32
    """Pixels of the image from one position to the next in ASPP; finer maps of stage 4 are averaged."""
    decoder_stride: Literal[2, 4, 8, 16, 32, 64] = 16
    """The same in the decoder and in its output; finer maps are averaged, coarser ones interpolated."""


class SwAVConfig(Section):
    """SwAV, arXiv:2006.09882. The defaults suit a thousand images; the recipes for ImageNet-S have the paper's."""

    name: Literal["swav"] = "swav"
    prototypes: int = Field(24, gt=1)
    """K. Ten times the categories at batches of 256; with 64 images a step three times learn faster (NMI 23
    against 17 for K = 40, one seed, 450 steps on an early version of the embedded set)."""
    hidden: Positive = 256
    """Width of the hidden layer of the projection head."""
    dim: Positive = 64
    """D, width of the projection."""
    temperature: float = Field(0.2, gt=0)
    """Of the predicted codes; 0.1 in the paper. At small batches what lets learning start is its ratio to epsilon."""
    epsilon: float = Field(0.03, gt=0)
    """Entropy of the Sinkhorn assignment; smaller is harder. 0.05 in the paper, where small batches stay at ln K."""
    sinkhorn_iterations: Positive = 3
    freeze_prototypes_steps: int = Field(100, ge=0)
    """Optimiser steps during which the prototypes stay as they are."""
    queue: int = Field(0, ge=0)
    """Past projections that take part in the assignment, for each of the two large crops; 0 for none."""
    queue_start_epoch: int = Field(15, ge=0)
    final_batchnorm: bool = True
    """BatchNorm without affine after the projection, as in the code of the LUSS authors; not in the SwAV paper."""


class ShapeConfig(SwAVConfig):
    """Shape-enhanced representation learning: SwAV with a shape prior for the attention and alignment of pixels.

    The method of the LUSS paper, arXiv:2106.03149v1, Sec. 4, whose supplementary is lost: what it leaves open is a
    setting here. A weight of 0 switches a part off.
    """

    name: Literal["shape"] = "shape"  # type: ignore[assignment]
    prior: Literal["none", "soft", "otsu", "adaptive"] = "soft"
    """What the attention of the large views is taught by cross-entropy: the saliency map itself, or cut by Otsu's
    threshold, or at twice its mean. The paper does not say."""
    prior_weight: float = Field(1, gt=0)
    i2p_weight: float = Field(1, ge=0)
    """Of the image-to-pixel alignment."""
    p2p_weight: float = Field(1, ge=0)
    """Of the pixel-to-pixel alignment."""
    i2p_bidirectional: bool = False
    """The image-level embedding predicts the mean code of the pixels as well."""
    grid: int = Field(7, ge=1, le=64)
    """Places along each side of the region that two views share."""
    grid_points: Literal["centre", "edge"] = "centre"
    """Middles of the cells, or from border to border as in the code of the later TPAMI paper."""
    align_attended: bool = False
    """The attention multiplies the pixels as well before they are projected."""
    max_pixels: Positive = 65536
    """Places of a batch that are aligned, at the most; more are sampled. Bounds the memory of the codes."""


METHODS: dict[str, type[SwAVConfig]] = {"swav": SwAVConfig, "shape": ShapeConfig}
"""The settings of each method."""


def _name(method: Any) -> str:
    """The name that a method goes by; the default where it is left out."""
    return str(method.get("name", "shape") if isinstance(method, dict) else method.name)


MethodConfig = Annotated[
    Annotated[SwAVConfig, Tag("swav")] | Annotated[ShapeConfig, Tag("shape")], Discriminator(_name)
]


class CropConfig(Section):
    """One kind of view."""

    count: Positive
    size: int = Field(ge=8)
    """Side of the square view in pixels."""
    scale: tuple[Fraction, Fraction]
    """Range of the area of the crop as a fraction of the image."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not 0 < self.scale[0] <= self.scale[1]:
            raise ValueError(f"scale {list(self.scale)} must be two rising fractions above 0")
        return self


class ViewsConfig(Section):
    """Random views of an image. Defaults of the colour part: Sec. 5.1 of arXiv:2006.09882."""

    crops: Annotated[tuple[CropConfig, ...], Field(min_length=1)] = (CropConfig(count=2, size=48, scale=(0.3, 1)),)
    """Large crops first; the first two views give the codes. Small crops are a second entry, in the papers {count: 6,
    size: 96, scale: [0.05, 0.14]} beside 224 pixels."""
    flip: Fraction = 0.5
    jitter: Fraction = 0.8
    """Probability of the colour jitter."""
    brightness: float = Field(0.8, ge=0)
    contrast: float = Field(0.8, ge=0)
    saturation: float = Field(0.8, ge=0)
    hue: float = Field(0.2, ge=0, le=0.5)
    gray: Fraction = 0.2
    blur: Fraction = 0.5
    """Probability of the Gaussian blur."""
    blur_sigma: tuple[float, float] = (0.1, 2.0)
    """Range of the standard deviation at 224 pixels; it shrinks in proportion to the size of the view."""


class TrainConfig(Section):
    """One run of the training loop."""

    epochs: int = Field(64, ge=0)
    """0 keeps the initial weights: the control without learning."""
    batch_size: Positive = 64
    """Images per optimiser step over all processes."""
    optimizer: Literal["sgd", "larc", "adamw"] = "adamw"
    """larc: SGD with layer-wise adaptive rates, arXiv:1708.03888, as the official recipes use."""
    lr: float = Field(4e-3, gt=0)
    """Peak learning rate."""
    final_lr: float = Field(1e-6, ge=0)
    """Learning rate at the end of the cosine."""
    warmup_epochs: float = Field(2, ge=0)
    momentum: Fraction = 0.9
    """SGD only."""
    weight_decay: float = Field(1e-4, ge=0)
    larc_trust: float = Field(0.001, gt=0)
    """Trust coefficient; larc only."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """auto: bfloat16 autocast where the processor or GPU computes in it, float32 elsewhere."""
    checkpoint_epochs: Positive = 5
    """Epochs between checkpoints."""


class SmallDecoderConfig(DecoderConfig):
    """As the published head, but a quarter as wide and for views below 100 pixels."""

    channels: int = Field(64, gt=0, multiple_of=8)
    low_level_channels: int = Field(16, gt=0, multiple_of=8)
    low_level_stage: int = Field(2, ge=1, le=4)
    aspp_stride: Literal[2, 4, 8, 16, 32, 64] = 8
    decoder_stride: Literal[2, 4, 8, 16, 32, 64] = 4


class EncoderConfig(Section):
    """What is learned and passed on: backbone, decoder, attention."""

    backbone: BackboneConfig = BackboneConfig()
    decoder: DecoderConfig | None = None
    """DeepLabV3+ head; null uses the last stage of the backbone."""
    attention: bool = False
    """Pixel attention, Sec. 4 of the LUSS paper: one weight a pixel, with which the map is pooled."""


class PretrainConfig(EncoderConfig):
    """Step 1: self-supervised representation learning from random weights."""

    decoder: DecoderConfig | None = SmallDecoderConfig()
    attention: bool = True
    method: MethodConfig = ShapeConfig()
    views: ViewsConfig = ViewsConfig()
    train: TrainConfig = TrainConfig()

    @model_validator(mode="after")
    def _two_large_views(self) -> Self:
        if self.views.crops[0].count < 2:
            raise ValueError("views.crops must begin with an entry of count >= 2: two large views give the codes")
        return self

    @model_validator(mode="after")
    def _prior_needs_attention(self) -> Self:
        if self.prior and not self.attention:
            raise ValueError("method.prior teaches the attention: set attention: true, or method.prior: none")
        return self

    @model_validator(mode="before")
    @classmethod
    def _without_defaults_of_other_methods(cls, values: Any) -> Any:
        """Drop what config.yaml says of its own method where the user names another one over it."""
        method = values.get("method") if isinstance(values, dict) else None
        if not isinstance(method, dict) or method.get("name") not in METHODS:
            return values
        own = METHODS[method["name"]].model_fields
        others = [fields for kind in METHODS.values() if (fields := kind.model_fields) is not own]
        kept = {
            key: value
            for key, value in method.items()
            if key in own or not any(key in fields and fields[key].default == value for fields in others)
        }
        return values | {"method": kept}

    @property
    def prior(self) -> bool:
        """Whether training reads the saliency maps."""
        return isinstance(self.method, ShapeConfig) and self.method.prior != "none"

    @property
    def encoder(self) -> EncoderConfig:
        """The network alone."""
        return EncoderConfig(backbone=self.backbone, decoder=self.decoder, attention=self.attention)

    @model_validator(mode="after")
    def _queue_of_whole_batches(self) -> Self:
        queue, batch = self.method.queue, self.train.batch_size
        if queue % batch:
            raise ValueError(f"method.queue {queue} is not a multiple of train.batch_size {batch}")
        return self

    @model_validator(mode="after")
    def _strides_fit(self) -> Self:
        pixels, smallest = self.backbone.pixels, min(crop.size for crop in self.views.crops)
        if smallest <= pixels[3]:
            raise ValueError(
                f"backbone.strides {list(self.backbone.strides)} with stem {self.backbone.stem} leave one position of"
                f" stage 4 every {pixels[3]} pixels, so that a view of {smallest} has no 2x2 positions; lower a stride"
                f" or set views.crops.size to at least {pixels[3] + 1}"
            )
        if self.decoder:
            _check_decoder(self.decoder, pixels, [crop.size for crop in self.views.crops])
        return self


def _check_decoder(decoder: DecoderConfig, pixels: tuple[int, int, int, int], sizes: list[int]) -> None:
    aspp, out, stage = decoder.aspp_stride, decoder.decoder_stride, decoder.low_level_stage
    if aspp < pixels[3]:
        raise ValueError(
            f"decoder.aspp_stride {aspp} is finer than stage 4 of the backbone, which has one position every"
            f" {pixels[3]} pixels; set aspp_stride to {pixels[3]} or more, or lower one of backbone.strides"
        )
    if out < pixels[stage - 1]:
        raise ValueError(
            f"decoder.decoder_stride {out} is finer than decoder.low_level_stage {stage}, which has one position every"
            f" {pixels[stage - 1]} pixels; set decoder_stride to {pixels[stage - 1]} or more, or take an earlier stage"
        )
    if min(sizes) <= aspp:
        raise ValueError(
            f"decoder.aspp_stride {aspp} leaves ASPP no 2x2 positions in a view of {min(sizes)} pixels; lower it (and,"
            f" if need be, backbone.strides) or set views.crops.size to at least {aspp + 1}"
        )
    for size in sizes:
        if size % out:
            near = " or ".join(str(n) for n in (size // out * out, (size // out + 1) * out) if n > aspp)
            raise ValueError(
                f"views.crops.size {size} is not a multiple of decoder.decoder_stride {out}: the last position would"
                f" reach past the view, and positions of two views would not match; set the size to {near}"
            )


class ExtractConfig(Section):
    """Step 2a: one vector an image."""

    features: Literal["output", "stage4", "colour_histogram"] = "output"
    """The map of the decoder, or of stage 4 of the backbone, pooled. colour_histogram is a control that looks at no
    shape: 8x8x8 RGB bins."""
    attend: bool = True
    """Pool with the attention, where there is one. The paper does not say; its successor does."""
    size: int = Field(72, ge=8)
    """Shorter side of the image in pixels (256 in the papers)."""
    crop: int = Field(72, ge=8)
    """Side of the centre square that is looked at, in pixels (224 in the papers)."""
    batch_size: Positive = 64

    @model_validator(mode="after")
    def _inside(self) -> Self:
        if self.crop > self.size:
            raise ValueError(f"crop {self.crop} is larger than size {self.size}")
        return self


class ClusterConfig(Section):
    """Step 2b: k-means with K = number of categories."""

    assign: Literal["kmeans", "single"] = "kmeans"
    """single gives every image the same label: the control without categories."""
    restarts: Positive = 30
    iterations: Positive = 20
    normalize: bool = True
    """L2-normalise the features first."""


class FinetuneViewsConfig(ViewsConfig):
    """Crop and flip only, as the official fine-tuning."""

    crops: Annotated[tuple[CropConfig, ...], Field(min_length=1)] = (CropConfig(count=1, size=64, scale=(0.25, 1)),)
    jitter: Fraction = 0
    gray: Fraction = 0
    blur: Fraction = 0


class FinetuneTrainConfig(TrainConfig):
    """As in pretrain, but shorter and gentler."""

    epochs: int = Field(10, ge=0)
    lr: float = Field(1e-3, gt=0)
    warmup_epochs: float = Field(0, ge=0)


class SegmenterConfig(Section):
    """What is segmented from."""

    features: Literal["output", "stage4"] = "output"
    """The map of the decoder (D in the LUSS paper), or of stage 4 of the backbone (S4)."""
    attend: bool = False
    """The attention multiplies the map before the 1x1 convolution. Not in the paper."""


class FinetuneConfig(Section):
    """Step 3: encoder, 1x1 convolution, global average pooling, cross-entropy on the pseudo labels."""

    segmenter: SegmenterConfig = SegmenterConfig()

    views: FinetuneViewsConfig = FinetuneViewsConfig()
    train: FinetuneTrainConfig = FinetuneTrainConfig()


class InferConfig(Section):
    """Step 4: class activation maps to masks."""

    size: int = Field(72, ge=8)
    """Shorter side of the network input in pixels (256 in the papers)."""
    splits: tuple[Literal["train", "validation", "test"], ...] = ("validation", "test")
    """What is segmented; a data set that has none of them is segmented whole."""
    threshold: Literal["otsu"] | Fraction = "otsu"
    """Foreground where the score, as a fraction of its maximum, reaches this. otsu: Otsu's threshold of the scores of
    the training images, which needs no ground truth."""


class EvaluateConfig(Section):
    """How masks are scored: the ImageNet-S protocol."""

    match: Literal["auto", "identity"] = "auto"
    """auto: Hungarian matching of clusters and classes on the validation images, reused for the test images."""
    absent: Literal["skip", "zero"] = "skip"
    """Classes absent from a size range are left out (the released tool) or count 0 (the tables of the first paper)."""
    unknown: Literal["error", "drop"] = "error"
    """What to do with a predicted id that the matching does not know."""


class ReportConfig(Section):
    """What the page shows."""

    panels: Positive = 12
    """Images shown with truth and prediction."""
    gallery: Positive = 8
    """Images shown nearest each centroid."""


STAGES = (
    *("synthesize", "prepare", "prior"),
    *("pretrain", "extract", "cluster", "finetune", "infer", "evaluate", "report"),
)
"""In order; the names of the rule files, the scripts, the sections and the functions."""

RUN_STAGES = STAGES[STAGES.index("pretrain") :]
"""Stages that belong to one method and seed; the others belong to the data set."""


class Stages(Section):
    """One section a stage."""

    synthesize: SynthesizeConfig = SynthesizeConfig()
    prepare: PrepareConfig = PrepareConfig()
    prior: PriorConfig = PriorConfig()
    pretrain: PretrainConfig = PretrainConfig()
    extract: ExtractConfig = ExtractConfig()
    cluster: ClusterConfig = ClusterConfig()
    finetune: FinetuneConfig = FinetuneConfig()
    infer: InferConfig = InferConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    report: ReportConfig = ReportConfig()


UNTRAINED = {"attention": False, "method": {"name": "swav"}, "train": {"epochs": 0}}
"""What the controls share."""


class Config(Stages):
    """config.yaml."""

    dataset: Name = "embedded"
    """Names the results folder."""
    data_root: str | None = None
    """Folder of images; null generates the embedded data set."""
    classes: int = Field(8, gt=1)
    """C: how many categories to find."""
    run: Annotated[tuple[Name, ...], Field(min_length=1)] = ("shape",)
    """Which of `methods` to run."""
    ablation: tuple[Name, ...] = ("swav", "deeplab", "attention", "prior", "i2p", "shape")
    """Which of `methods` `snakemake ablation` runs and sets beside each other: Table 5 of the LUSS paper."""
    controls: tuple[Name, ...] = ("random", "colour", "single")
    """Which of `methods` `snakemake controls` runs as well, and sets beside `run` on one page."""
    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] = (0,)
    """One run of each method for every seed."""
    track_code: bool = True
    """Run a stage again when the source that it imports has changed (comments and docstrings do not count)."""
    environment: Literal["luss", "luss-gpu"] = "luss"
    """Which file of envs/ `snakemake --use-conda` installs."""
    methods: dict[Name, dict[str, Any]] = {
        "shape": {"pretrain": {"method": {"name": "shape"}}},
        "shape-s4": {
            "pretrain": {"method": {"name": "shape"}},
            "extract": {"features": "stage4"},
            "finetune": {"segmenter": {"features": "stage4"}},
        },
        "swav": {"pretrain": {"decoder": None, "attention": False, "method": {"name": "swav"}}},
        "deeplab": {"pretrain": {"attention": False, "method": {"name": "swav"}}},
        "attention": {"pretrain": {"method": {"name": "swav"}}},
        "prior": {"pretrain": {"method": {"name": "shape", "i2p_weight": 0.0, "p2p_weight": 0.0}}},
        "i2p": {"pretrain": {"method": {"name": "shape", "p2p_weight": 0.0}}},
        "random": {"pretrain": UNTRAINED},
        "colour": {"pretrain": UNTRAINED, "extract": {"features": "colour_histogram"}},
        "single": {"pretrain": UNTRAINED, "cluster": {"assign": "single"}},
    }
    """Named settings: what each changes in the sections of this file."""

    @model_validator(mode="after")
    def _each_run_once(self) -> Self:
        for key, values in (
            ("run", self.run),
            ("controls", self.controls),
            ("ablation", self.ablation),
            ("seeds", self.seeds),
        ):
            if len(set(values)) < len(values):
                raise ValueError(f"{key} {list(values)} names something twice")
        return self
