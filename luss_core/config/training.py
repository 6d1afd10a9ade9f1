"""Views, the training loop, and the stages that train."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from luss_core.config.base import Fraction, Positive, Section
from luss_core.config.methods import METHODS, MethodConfig, ShapeConfig
from luss_core.config.network import SMALL_DECODER, DecoderConfig, EncoderConfig, check_decoder


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

    epochs: int = Field(40, ge=0)
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


class PretrainConfig(EncoderConfig):
    """Step 1: self-supervised representation learning from random weights."""

    decoder: DecoderConfig | None = SMALL_DECODER
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
            check_decoder(self.decoder, pixels, [crop.size for crop in self.views.crops])
        return self


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
    head_lr: float = Field(10, gt=0)
    """Learning rate of the 1x1 convolution in multiples of train.lr: it begins with nothing."""


class FinetuneConfig(Section):
    """Step 3: encoder, 1x1 convolution, global average pooling, cross-entropy on the pseudo labels."""

    segmenter: SegmenterConfig = SegmenterConfig()
    views: FinetuneViewsConfig = FinetuneViewsConfig()
    train: FinetuneTrainConfig = FinetuneTrainConfig()
