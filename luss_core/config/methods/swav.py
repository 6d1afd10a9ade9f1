"""SwAV and what builds on it."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from luss_core.config.base import Positive
from luss_core.config.methods.base import MethodConfig, Need, Registered

if TYPE_CHECKING:
    from luss_core.config.training import PretrainConfig


class SwAVConfig(MethodConfig):
    """SwAV, arXiv:2006.09882. The defaults suit a thousand images; the recipes for ImageNet-S have the paper's."""

    small_views: ClassVar[bool] = True
    least_batch: ClassVar[int] = 2

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
        off = "switch alignment off: method.i2p_weight and method.p2p_weight 0"
        return off if self.i2p_weight or self.p2p_weight else ""

    def check(self, pretrain: "PretrainConfig") -> None:
        super().check(pretrain)
        if self.needs and not pretrain.attention:
            raise ValueError(
                "method.attention_target teaches the attention: set attention: true, or method.attention_target: none"
            )


_SWAV = {"prototypes": 12, "hidden": 16, "dim": 8, "freeze_prototypes_steps": 2, "queue": 16, "queue_start_epoch": 1}

METHODS = {
    "swav": Registered(SwAVConfig, "luss_core.methods.swav:SwAV", _SWAV),
    "shape": Registered(ShapeConfig, "luss_core.methods.shape:Shape", {**_SWAV, "grid": 3}, whole=True),
}
