"""Methods that tell images apart, or follow a copy of themselves."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from luss_core.config.base import Factor, Fraction, Positive
from luss_core.config.methods.base import MethodConfig, Registered

if TYPE_CHECKING:
    from luss_core.config.training import PretrainConfig


class BYOLConfig(MethodConfig):
    """BYOL, arXiv:2006.07733: predicts what a slowly following copy makes of the other view."""

    least_batch: ClassVar[int] = 2

    name: Literal["byol"] = "byol"
    lr_factor: Factor = 3
    """Learning rate in multiples of train.lr: NMI 17.5 in the trial of docs/benchmark.md, 13.3 with 1."""
    hidden: Positive = 256
    """Width of the hidden layers of projection and prediction; 4096 in the paper."""
    dim: Positive = 64
    """Width of the projection; 256 in the paper."""
    momentum: Fraction = 0.99
    """With which the copy follows at first; it rises to 1 by half a cosine. In the paper 0.996 for 1,000 epochs, 0.99
    for up to 300."""


class VICRegConfig(MethodConfig):
    """VICReg, arXiv:2105.04906: embeddings of two views alike, each number of them spread out, none like another."""

    least_batch: ClassVar[int] = 2

    name: Literal["vicreg"] = "vicreg"
    hidden: Positive = 256
    """Width of the two hidden layers of the expander; 8192 in the paper."""
    dim: Positive = 256
    """Width of the embedding; 8192 in the paper."""
    invariance: float = Field(25, ge=0)
    """Weight of the distance between the two views, lambda."""
    variance: float = Field(25, ge=0)
    """Weight of what is missing to a standard deviation of 1, mu."""
    covariance: float = Field(1, ge=0)
    """Weight of the covariances, nu."""


class NPIDConfig(MethodConfig):
    """NPID, arXiv:1805.01978: tells every image from all others by what is remembered of them.

    The loss is the cross-entropy among the image and the drawn negatives, as in later code; the paper estimates the
    whole softmax by noise contrast with a constant.
    """

    views: ClassVar[int] = 1

    name: Literal["npid"] = "npid"
    lr_factor: Factor = 3
    """Learning rate in multiples of train.lr: NMI 19.6 in the trial of docs/benchmark.md, 8.6 with 1."""
    dim: Positive = 64
    """Width of the embedding; 128 in the paper."""
    negatives: Positive = 512
    """Images drawn for each image; all others where there are fewer. 4096 in the paper's code for 1.28 million."""
    temperature: float = Field(0.07, gt=0)
    momentum: Fraction = 0.5
    """Share of what was remembered of an image that stays when it is seen again."""


class MoCoConfig(MethodConfig):
    """MoCo v2, arXiv:2003.04297: tells an image from those of past batches, which a slowly following copy saw."""

    below_images: ClassVar[tuple[str, ...]] = ("queue",)

    name: Literal["moco"] = "moco"
    lr_factor: Factor = 3
    """Learning rate in multiples of train.lr: NMI 22.1 in the trial of docs/benchmark.md, 17.2 with 1."""
    dim: Positive = 64
    """Width of the embedding; 128 in the paper. The hidden layer is as wide as the features."""
    queue: Positive = 512
    """Negatives, of past batches; 65536 in the paper, a twentieth of its images."""
    temperature: float = Field(0.2, gt=0)
    momentum: Fraction = 0.99
    """With which the copy follows; 0.999 in the paper, for a million steps."""
    batchnorm_images: int = Field(32, gt=1)
    """Images that the copy normalises together, drawn from the joint batch: shuffled BatchNorm. 32 on each of the
    paper's GPUs."""


class SimCLRConfig(MethodConfig):
    """SimCLR, arXiv:2002.05709: tells the other view of an image from both views of the other images of the batch."""

    least_batch: ClassVar[int] = 2

    name: Literal["simclr"] = "simclr"
    layers: Literal[2, 3] = 3
    """Of the projection head: 2 in the paper, 3 in its code, 2 in later code. Those before the last are as wide as the
    features."""
    dim: Positive = 64
    """Width of the embedding; 128 in the paper."""
    temperature: float = Field(0.5, gt=0, allow_inf_nan=False)
    """0.1 in the paper for batches of 4096, 0.5 for its small images (App. B.9). Batches of 64 do not start to learn
    with 0.1: on the embedded set NMI was 2 in 28 epochs; in 6 it was 13 with 0.3 and 17 with 0.5 (one seed)."""


class PixProConfig(MethodConfig):
    """PixPro, arXiv:2011.10043: each position predicts what a slowly following copy sees there in the other view."""

    least_batch: ClassVar[int] = 2

    name: Literal["pixpro"] = "pixpro"
    hidden: Positive = 256
    """Width of the hidden layer of the projection, twice that of the features as in the paper, which has 4096."""
    dim: Positive = 64
    """Width of the projection; 256 in the paper."""
    sharpness: float = Field(2, ge=1, allow_inf_nan=False)
    """Power of the similarities with which positions are mixed."""
    distance: float = Field(0.7, gt=0, allow_inf_nan=False)
    """Below which two positions belong together, in diagonals of the larger of their two cells in the image."""
    momentum: Fraction = 0.99
    """With which the copy follows at first; it rises to 1 by half a cosine."""

    @property
    def aligned_by(self) -> str:
        return "take another method: pixpro compares places that two views share"

    def check(self, pretrain: "PretrainConfig") -> None:
        if pretrain.attention:
            raise ValueError("method pixpro compares positions, without attention: set attention: false")


_MILD = {"brightness": 0.4, "contrast": 0.4, "saturation": 0.2, "hue": 0.1}
"""Colour jitter of BYOL, App. B of its paper."""

_BYOL_VIEWS = _MILD | {"kinds": [{"blur": 1.0}, {"blur": 0.1, "solarise": 0.2}]}
"""Blur and solarising differ between the two views, in the same place."""

MOCO_COLOURS = {
    "jitter": 0.8,
    "brightness": 0.4,
    "contrast": 0.4,
    "saturation": 0.4,
    "hue": 0.1,
    "gray": 0.2,
    "blur": 0.5,
}
"""Colours of MoCo v2, in its code."""

METHODS = {
    "vicreg": Registered(
        VICRegConfig,
        "luss_core.methods.vicreg:VICReg",
        tiny={"hidden": 16, "dim": 8},
        pretrain={"views": _MILD | {"kinds": [{"blur": 1.0}, {"blur": 0.1, "solarise": 0.2}]}},
    ),
    "byol": Registered(
        BYOLConfig,
        "luss_core.methods.byol:BYOL",
        tiny={"hidden": 16, "dim": 8},
        pretrain={"views": _BYOL_VIEWS},
    ),
    "npid": Registered(
        NPIDConfig,
        "luss_core.methods.npid:NPID",
        tiny={"dim": 8, "negatives": 16, "temperature": 0.5},
        pretrain={
            "views": {"jitter": 1.0, "brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.4, "blur": 0}
        },
    ),
    "moco": Registered(
        MoCoConfig,
        "luss_core.methods.moco:MoCo",
        tiny={"dim": 8, "queue": 20, "batchnorm_images": 4},
        pretrain={"views": MOCO_COLOURS},
    ),
    "simclr": Registered(
        SimCLRConfig,
        "luss_core.methods.simclr:SimCLR",
        tiny={"dim": 8, "temperature": 0.5},
    ),
    "pixpro": Registered(
        PixProConfig,
        "luss_core.methods.pixpro:PixPro",
        tiny={"hidden": 16, "dim": 8},
        pretrain={"views": _BYOL_VIEWS},
    ),
}
