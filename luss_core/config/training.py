"""The training loop, and the stages that train."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from luss_core.config.base import Fraction, Name, Positive, Section
from luss_core.config.cams import AnyCamMethod, CamConfig
from luss_core.config.methods import AnyMethod, ShapeConfig
from luss_core.config.network import SMALL_DECODER, BackboneConfig, DecoderConfig, EncoderConfig, check_views
from luss_core.config.views import CropConfig, ViewsConfig


class TrainConfig(Section):
    """One run of the training loop."""

    epochs: int = Field(56, ge=0)
    """0 keeps the initial weights: the control without learning."""
    batch_size: Positive = 64
    """Images per optimiser step over all processes."""
    optimizer: Literal["sgd", "larc", "lars", "adamw"] = "adamw"
    """larc: SGD with layer-wise adaptive rates, arXiv:1708.03888, as the official recipes of SwAV and LUSS use; lars:
    the same, but biases and BatchNorm are neither adapted nor decayed, as in SimCLR and BYOL."""
    lr: float = Field(6e-3, gt=0)
    """Peak learning rate. How far a short training comes decides what is found: on the embedded set, in 40 epochs, NMI
    of shape was 50 with 0.001, 61.5 ± 5.1 with 0.004, 72.2 ± 0.5 with 0.006, 66.5 ± 3.7 with 0.008 (three seeds or
    more), and is 73.0 ± 1.5 with 0.006 in 56."""
    schedule: Literal["cosine", "step", "poly"] = "cosine"
    """After the warm-up: half a cosine down to final_lr; divided at milestones; or what is left of the steps to the
    power of 0.9, as DeepLab, arXiv:1706.05587."""
    final_lr: float = Field(1e-6, ge=0)
    """Learning rate at the end of the cosine."""
    milestones: tuple[Annotated[float, Field(gt=0)], ...] = ()
    """Epochs at which the step schedule multiplies the learning rate by step_factor."""
    step_factor: float = Field(0.1, gt=0, lt=1)
    warmup_epochs: float = Field(2, ge=0)
    momentum: Fraction = 0.9
    """Not of adamw."""
    weight_decay: float = Field(1e-4, ge=0)
    larc_trust: float = Field(0.001, gt=0)
    """Trust coefficient; larc and lars only."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """auto: bfloat16 autocast where the processor or GPU computes in it, float32 elsewhere."""

    @model_validator(mode="after")
    def _milestones_of_the_step_schedule(self) -> Self:
        if bool(self.milestones) != (self.schedule == "step") or list(self.milestones) != sorted(self.milestones):
            raise ValueError(
                f"milestones {list(self.milestones)} with schedule {self.schedule}: give rising epochs with"
                " schedule: step, none with cosine"
            )
        return self


PUBLISHERS = ("timm", "torchvision")
"""Of weights that are known by the name of the network."""


class PretrainConfig(EncoderConfig):
    """Step 1: self-supervised representation learning, from random weights or from those that others trained."""

    weights: Annotated[str, Field(min_length=1)] | None = None
    """What training begins from; train.epochs: 0 keeps it. null: random weights. timm: what timm publishes for
    backbone.name, and torchvision: what torchvision publishes for backbone.arch; either is downloaded. Anything else is
    a file."""
    weights_of: Name | None = None
    """Preset whose encoder, of the same seed, training begins from, in place of `weights`: it is trained first. It
    learned from the same images, so that nothing of others comes in. Its backbone must have the same weights."""
    backbone_lr: float = Field(0.1, gt=0)
    """Learning rate of a backbone that begins with weights, in multiples of train.lr; random ones have 1."""
    frozen_stages: int = Field(0, ge=0, le=4)
    """How many stages of a backbone that begins with weights stay as they are, with what comes before them and with the
    statistics of their BatchNorm; see low_level_stage for those of a ViT. 0: all learn."""

    decoder: DecoderConfig | None = SMALL_DECODER
    attention: bool = True
    method: AnyMethod = Field(default_factory=ShapeConfig)
    views: ViewsConfig = Field(default_factory=ViewsConfig)
    train: TrainConfig = Field(default_factory=TrainConfig)
    diagnose_every_epochs: int = Field(8, ge=0)
    """Epochs from one look at the features of a sample of the images to the next, beside that at the end: how far they
    differ, how many clusters are in use, and whether nearest neighbours are of one category, if folders are categories
    (evaluate.folders). Changes nothing that is trained. 0: never."""

    @model_validator(mode="after")
    def _method_agrees(self) -> Self:
        large, wanted = self.views.crops[0].count, self.method.views
        if large < wanted:
            raise ValueError(
                f"views.crops must begin with an entry of count >= {wanted}, found {large}: {self.method.name} looks at"
                f" {wanted} large views of an image"
            )
        if self.train.epochs and self.train.batch_size < self.least_batch:
            who = f"method {self.method.name}" if self.method.least_batch > 1 else "the decoder"
            raise ValueError(
                f"train.batch_size {self.train.batch_size}: {who} needs several images in a batch, to compare or to"
                f" normalise them; set it to {self.least_batch} or more"
            )
        self.method.check(self)
        return self

    @property
    def least_batch(self) -> int:
        """Images that a batch must have; ASPP of the decoder pools each to one position, and normalises over them."""
        return max(self.method.least_batch, 1 if self.decoder is None else 2)

    @property
    def seen_views(self) -> ViewsConfig:
        """The views that the method looks at."""
        return self.views if self.method.small_views else self.views.first(self.method.views)

    @property
    def encoder(self) -> EncoderConfig:
        """The network alone."""
        return EncoderConfig(
            backbone=self.backbone,
            decoder=self.decoder,
            attention=self.attention,
            attention_stages=self.attention_stages,
        )

    @property
    def method_train(self) -> TrainConfig:
        """``train`` with the learning rate of the method."""
        return self.train.model_copy(update={"lr": self.train.lr * self.method.lr_factor})

    @property
    def weight_file(self) -> str | None:
        """The file that training begins from, if it is one."""
        return None if self.weights in PUBLISHERS else self.weights

    @property
    def begun(self) -> bool:
        """Whether training begins from weights that are not random."""
        return self.weights is not None or self.weights_of is not None

    @model_validator(mode="after")
    def _weights_suit(self) -> Self:
        backbone = self.backbone
        if self.weights is not None and self.weights_of is not None:
            raise ValueError(
                f"weights {self.weights} and weights_of {self.weights_of}: training begins from one of them; set the"
                " other to null"
            )
        if self.frozen_stages and not self.begun:
            raise ValueError(
                f"frozen_stages {self.frozen_stages} without weights would keep random ones; set frozen_stages: 0, or"
                " weights"
            )
        if self.weights == "timm" and backbone.family != "timm":
            raise ValueError(
                "weights: timm are published for networks of timm, found backbone.family resnet; set weights:"
                " torchvision, or backbone: {family: timm, name: ...}"
            )
        if self.weights == "torchvision" and not (isinstance(backbone, BackboneConfig) and backbone.published):
            found = "family timm"
            if isinstance(backbone, BackboneConfig):
                found = f"width {backbone.width} and stem {backbone.stem}"
            raise ValueError(
                "weights: torchvision are published for backbone: {family: resnet, width: 64, stem: imagenet}, found"
                f" {found}; set these"
            )
        return self

    @model_validator(mode="after")
    def _strides_fit(self) -> Self:
        if isinstance(self.backbone, BackboneConfig):
            self.check_strides(self.backbone.pixels)
        return self

    def check_strides(self, pixels: tuple[int, ...]) -> None:
        """Compare the views with the network, whose strides only timm knows where it has the network.

        Args:
            pixels: of the image from one position to the next, of the map of each stage.

        Raises:
            ValueError: they do not go together; the message names the keys and the remedy.
        """
        if self.frozen_stages > len(pixels):
            raise ValueError(f"frozen_stages {self.frozen_stages}, but the backbone has {len(pixels)} stages; lower it")
        if max(self.attention_stages, default=0) > len(pixels):
            raise ValueError(
                f"attention_stages {list(self.attention_stages)}, but the backbone has {len(pixels)} stages; lower them"
            )
        seen = self.seen_views.crops if self.train.epochs else ()
        sizes = [crop.size for crop in seen]
        check_views(self.backbone, pixels, self.decoder, sizes)
        self.method.check_views(pixels[-1], sizes)


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
    attend: bool = True
    """The attention weighs the pixels that are pooled and decides at inference what is foreground; the activation maps
    decide the category alone. In the paper their maximum decides both, but aligned pixels all predict the category of
    their image. The paper's successor takes the foreground from the attention as well."""
    encoder: Literal["trained", "frozen"] = "frozen"
    """The paper trains the whole network, which spreads the attention over the image: nothing but the labels teaches it
    then. frozen trains the 1x1 convolution alone."""
    head: Literal["linear", "centroids"] = "linear"
    """What gives a vector its category: a 1x1 convolution that is trained, as in the paper, or the nearest centroid of
    `cluster`, with finetune.train.epochs: 0."""
    label: Literal["pixel", "image"] = "pixel"
    """image: what is foreground in an image is all of one category, that of its pooled vector. Of photographs of one
    kind of object each that is right more often; pixel can tell several objects apart."""
    head_lr: float = Field(10, gt=0)
    """Learning rate of the 1x1 convolution in multiples of train.lr: it begins with nothing."""


class FinetuneConfig(Section):
    """Step 3: encoder, 1x1 convolution, global average pooling, cross-entropy on the pseudo labels."""

    method: AnyCamMethod = Field(default_factory=CamConfig)
    segmenter: SegmenterConfig = Field(default_factory=SegmenterConfig)
    views: FinetuneViewsConfig = Field(default_factory=FinetuneViewsConfig)
    train: FinetuneTrainConfig = Field(default_factory=FinetuneTrainConfig)
    corrected: Annotated[str, Field(min_length=1)] | None = None
    """Folder of masks that you corrected: PNG files under the names of their images, with the ids that
    `luss export --to png` writes (docs/correct.md). A short training behind all others teaches the attention where
    objects are, and the categories which is which, and so improves the other images. null: none."""

    @model_validator(mode="after")
    def _head_agrees(self) -> Self:
        if self.segmenter.head == "centroids" and self.train.epochs:
            raise ValueError(f"segmenter.head: centroids learns nothing, but train.epochs = {self.train.epochs}; set 0")
        if self.segmenter.label == "image" and not self.segmenter.attend:
            raise ValueError(
                "segmenter.label: image leaves the foreground to the attention: set segmenter.attend: true"
            )
        if self.corrected is not None and not self.segmenter.attend:
            raise ValueError(
                "corrected masks teach the attention where objects are, and segmenter.attend is false: set it to true,"
                " with pretrain.attention: true, or set corrected: null"
            )
        self.method.check(self)
        return self
