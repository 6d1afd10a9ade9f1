"""Methods that learn from objects, which saliency maps show."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from luss_core.config.base import Fraction, Positive
from luss_core.config.methods.base import MethodConfig, Need, Registered
from luss_core.config.methods.instance import MOCO_COLOURS

if TYPE_CHECKING:
    from luss_core.config.training import PretrainConfig


class MaskContrastConfig(MethodConfig):
    """MaskContrast, arXiv:2102.06191: tells the pixels of an object from objects of other images.

    Objects are what the maps of the stage prior show, without any label. Its preset segments as the paper does: k-means
    of what images are in the mean where their object is, and one category for the whole of it.
    """

    least_batch: ClassVar[int] = 2
    below_images: ClassVar[tuple[str, ...]] = ("queue",)

    name: Literal["maskcontrast"] = "maskcontrast"
    dim: Positive = 32
    """Width of the embedding of a pixel."""
    queue: Positive = 256
    """Objects of past batches that pixels are told from; 128 in the paper with supervised saliency, else 256."""
    temperature: float = Field(0.5, gt=0)
    momentum: Fraction = 0.99
    """With which the copy follows; 0.999 in the paper, for thousands of steps."""
    mask: Literal["otsu", "adaptive"] = "otsu"
    """What of a saliency map is object: what reaches Otsu's threshold, or twice the mean of the map."""
    saliency_weight: float = Field(1, gt=0)
    """Of the loss that teaches the attention where objects are."""
    batchnorm_images: int = Field(32, gt=1)
    """Images that the copy normalises together, drawn from the joint batch: shuffled BatchNorm."""

    @property
    def needs(self) -> frozenset[Need]:
        return frozenset({"saliency"})

    def check(self, pretrain: "PretrainConfig") -> None:
        if not pretrain.attention:
            raise ValueError("method maskcontrast teaches the attention where objects are: set attention: true")


_OF_OBJECTS = {"features": "output", "attend": True, "encoder": "frozen", "head": "centroids", "label": "image"}
"""An object has the category of its pooled vector, and lies where the attention says."""

METHODS = {
    "maskcontrast": Registered(
        MaskContrastConfig,
        "luss_core.methods.maskcontrast:MaskContrast",
        tiny={"dim": 8, "queue": 20, "batchnorm_images": 4},
        pretrain={"attention": True, "views": MOCO_COLOURS},
        stages={
            "extract": {"features": "output", "attend": True},
            "finetune": {"segmenter": _OF_OBJECTS, "train": {"epochs": 0}},
        },
        whole=True,
    ),
}
