"""Methods of representation learning: what each can be told, and the registry. Imports no torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Union

from pydantic import Discriminator, Field, Tag

from luss_core.config.base import Fraction, Positive, Section

if TYPE_CHECKING:
    from luss_core.config.training import PretrainConfig

Need = Literal["saliency", "labels", "masks", "pairs"]
"""saliency: the maps of the stage prior, cropped as the large views. labels: the category folders of the images. masks:
their true masks, cropped likewise. pairs: frames of one video; every second large view is of the later frame."""


class MethodConfig(Section):
    """What every method says of itself; a method adds its own settings."""

    views: ClassVar[int] = 2
    """Views of the first size that it looks at, at the least where `small_views`, exactly otherwise."""
    small_views: ClassVar[bool] = False
    """Whether it looks at all views, those of other sizes too."""

    name: str

    @property
    def needs(self) -> frozenset[Need]:
        """What training reads beside the images."""
        return frozenset()

    @property
    def aligned_by(self) -> str:
        """The keys for which it compares places that the large views share; empty where it does not."""
        return ""

    @property
    def frame_stride(self) -> int:
        """Frames from the first to the second of a pair; where it needs pairs."""
        return 1

    def check(self, pretrain: "PretrainConfig") -> None:
        """Compare with the rest of the section.

        Raises:
            ValueError: they do not go together; the message names the keys and the remedy.
        """


class SwAVConfig(MethodConfig):
    """SwAV, arXiv:2006.09882. The defaults suit a thousand images; the recipes for ImageNet-S have the paper's."""

    small_views: ClassVar[bool] = True

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

    def check(self, pretrain: "PretrainConfig") -> None:
        if self.queue % pretrain.train.batch_size:
            raise ValueError(
                f"method.queue {self.queue} is not a multiple of train.batch_size {pretrain.train.batch_size}"
            )


class ShapeConfig(SwAVConfig):
    """Shape-enhanced representation learning: SwAV with a shape prior for the attention and alignment of pixels.

    The method of the LUSS paper, arXiv:2106.03149v1, Sec. 4, whose supplementary is lost: what it leaves open is a
    setting here. A weight of 0 switches a part off.
    """

    name: Literal["shape"] = "shape"  # type: ignore[assignment]
    attention_target: Literal["none", "soft", "otsu", "adaptive"] = "soft"
    """What the attention of the large views is taught by cross-entropy: the saliency map itself, or cut by Otsu's
    threshold, or at twice its mean. The paper does not say."""
    attention_weight: float = Field(1, gt=0)
    """Of that cross-entropy."""
    i2p_weight: float = Field(0.25, ge=0)
    """Of the image-to-pixel alignment. Both alignments are means over their two directions; the paper adds them and
    names no weights. With 1 for both, images become harder to tell apart on the embedded set, NMI 63 instead of 71 and
    mIoU 52 instead of 57 (three seeds), but easier on photographs, so their recipes have 1: objects8.yaml NMI
    14.4 instead of 10.5, mIoU 12.7 both times (two seeds)."""
    p2p_weight: float = Field(0.25, ge=0)
    """Of the pixel-to-pixel alignment. In both alignments the pixels teach the prototypes as well: the paper stops
    their gradients at the projection and says nothing of the prototypes."""
    grid: int = Field(7, ge=1, le=64)
    """Places along each side of the region that two views share."""
    max_pixels: Positive = 65536
    """Places of a batch that are aligned, at the most; more are sampled. Bounds the memory of the codes."""

    @property
    def needs(self) -> frozenset[Need]:
        return frozenset() if self.attention_target == "none" else frozenset({"saliency"})

    @property
    def aligned_by(self) -> str:
        return "method.i2p_weight and method.p2p_weight" if self.i2p_weight or self.p2p_weight else ""

    def check(self, pretrain: "PretrainConfig") -> None:
        super().check(pretrain)
        if self.needs and not pretrain.attention:
            raise ValueError(
                "method.attention_target teaches the attention: set attention: true, or method.attention_target: none"
            )


class BYOLConfig(MethodConfig):
    """BYOL, arXiv:2006.07733: predicts what a slowly following copy makes of the other view."""

    name: Literal["byol"] = "byol"
    hidden: Positive = 256
    """Width of the hidden layers of projection and prediction; 4096 in the paper."""
    dim: Positive = 64
    """Width of the projection; 256 in the paper."""
    momentum: Fraction = 0.99
    """With which the copy follows at first; it rises to 1 by half a cosine. In the paper 0.996 for 1,000 epochs, 0.99
    for up to 300."""


class NPIDConfig(MethodConfig):
    """NPID, arXiv:1805.01978: tells every image from all others by what is remembered of them.

    The loss is the cross-entropy among the image and the drawn negatives, as in later code; the paper estimates the
    whole softmax by noise contrast with a constant.
    """

    views: ClassVar[int] = 1

    name: Literal["npid"] = "npid"
    dim: Positive = 64
    """Width of the embedding; 128 in the paper."""
    negatives: Positive = 512
    """Images drawn for each image; all others where there are fewer. 4096 in the paper's code for 1.28 million."""
    temperature: float = Field(0.07, gt=0)
    momentum: Fraction = 0.5
    """Share of what was remembered of an image that stays when it is seen again."""


class DeepClusterConfig(MethodConfig):
    """DeepCluster, arXiv:1807.05520: learns to tell the clusters that its own features form.

    The colours change as for the other methods, in place of the paper's Sobel filter, which its AlexNet looked through.
    """

    views: ClassVar[int] = 1

    name: Literal["deepcluster"] = "deepcluster"
    clusters: int = Field(64, gt=1)
    """10,000 in the paper for 1.28 million images; several times the categories."""
    components: int = Field(32, ge=1)
    """Whitened principal components that are clustered; 256 in the paper."""
    iterations: Positive = 20
    """Of k-means."""
    every_epochs: Positive = 4
    """Epochs from one clustering to the next; 1 in the paper, where an epoch has 5,000 steps. Each begins with a new
    classifier, which 15 steps do not teach."""


@dataclass(frozen=True)
class Registered:
    """A method in the registry."""

    config: type[MethodConfig]
    implementation: str
    """module:class; loaded only when a method is asked for, so that its source counts for no other."""
    tiny: Mapping[str, Any]
    """Settings small enough to try it on forty images of 24 pixels, as the tests do."""
    pretrain: Mapping[str, Any] = field(default_factory=dict)
    """What its preset changes in the section pretrain, beside the name of the method."""
    whole: bool = False
    """It trains decoder and attention; the presets of others have the plain backbone."""


_SWAV = {"prototypes": 12, "hidden": 16, "dim": 8, "freeze_prototypes_steps": 2, "queue": 16, "queue_start_epoch": 1}

_MILD = {"brightness": 0.4, "contrast": 0.4, "saturation": 0.2, "hue": 0.1}
"""Colour jitter of BYOL, App. B of its paper."""


class ForegroundConfig(MethodConfig):
    """Teaches the attention of a ready encoder what is foreground, by cues that need no truth; the encoder stays.

    The target is the product of the cues, each stretched to [0, 1], cut by Otsu's threshold of the batch. What learns
    is one linear layer: the attention, see attention_stages. For pretrain.weights; docs/encoders.md.
    """

    views: ClassVar[int] = 1

    name: Literal["foreground"] = "foreground"
    cues: Annotated[tuple[Literal["saliency", "norm", "border", "component"], ...], Field(min_length=1)] = (
        "saliency",
        "norm",
    )
    """Foreground is where all of them are high. saliency: the maps of the stage prior. norm: L2 norm of the features;
    for a CNN that learned to classify. border: one minus the cosine between a position and the border of its image.
    component: first principal component of the positions of an image, with the border on its low side; for a ViT.
    docs/measured.md has a table for a CNN."""
    stage: Positive | None = None
    """Stage of the backbone whose map norm, border and component are computed from. null: the last."""
    penalty: float = Field(0.1, ge=0)
    """Weight in the loss of the squared weights of the layer, whose inputs have variance 1, so that it learns what
    foregrounds have in common rather than what is peculiar to the cues. In a trial on objects8, trained to the end and
    seen in two sizes, F was 77 with 0.1, 74 with 0.001 and 71 with 1."""

    @property
    def needs(self) -> frozenset[Need]:
        return frozenset({"saliency"}) if "saliency" in self.cues else frozenset()

    def check(self, pretrain: "PretrainConfig") -> None:
        if not pretrain.attention:
            raise ValueError("method foreground teaches the attention: set attention: true")


METHODS: dict[str, Registered] = {
    "swav": Registered(SwAVConfig, "luss_core.methods.swav:SwAV", _SWAV),
    "shape": Registered(ShapeConfig, "luss_core.methods.shape:Shape", {**_SWAV, "grid": 3}, whole=True),
    "byol": Registered(
        BYOLConfig,
        "luss_core.methods.byol:BYOL",
        tiny={"hidden": 16, "dim": 8},
        pretrain={"views": _MILD | {"kinds": [{"blur": 1.0}, {"blur": 0.1, "solarise": 0.2}]}},
    ),
    "npid": Registered(
        NPIDConfig,
        "luss_core.methods.npid:NPID",
        tiny={"dim": 8, "negatives": 16, "temperature": 0.5},
        pretrain={
            "views": {"jitter": 1.0, "brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.4, "blur": 0}
        },
    ),
    "deepcluster": Registered(
        DeepClusterConfig,
        "luss_core.methods.deepcluster:DeepCluster",
        tiny={"clusters": 5, "components": 6, "every_epochs": 1},
    ),
    "foreground": Registered(
        ForegroundConfig,
        "luss_core.methods.foreground:Foreground",
        tiny={"cues": ["saliency", "norm", "border", "component"]},
        pretrain={"decoder": None, "attention": True, "views": {"jitter": 0, "gray": 0, "blur": 0}},
        whole=True,
    ),
}
"""By name. Tests, stored losses, presets, config.yaml and `model-info` follow from it."""


def with_settings_of_method(pretrain: Any, methods: Mapping[str, Any]) -> Any:
    """The section pretrain with what ``methods`` says of its method below what it says itself."""
    own = (pretrain.get("method") or {}) if isinstance(pretrain, Mapping) else None
    if not isinstance(own, Mapping):  # refused later, with its place
        return pretrain
    return {**pretrain, "method": {**(methods.get(_name(own)) or {}), **own}}


def _name(method: Any) -> str:
    """The name that a method goes by; the default where it is left out."""
    return str(method.get("name", "shape") if isinstance(method, dict) else getattr(method, "name", method))


if TYPE_CHECKING:
    AnyMethod = MethodConfig
else:
    AnyMethod = Annotated[
        Union[tuple(Annotated[entry.config, Tag(name)] for name, entry in METHODS.items())],  # noqa: UP007 - made here
        Discriminator(_name),
    ]
