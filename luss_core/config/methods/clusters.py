"""Methods that learn from the clusters of their own features."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from luss_core.config.base import Factor, Fraction, Positive
from luss_core.config.methods.base import MethodConfig, Registered
from luss_core.config.methods.instance import MOCO_COLOURS, MoCoConfig


class DeepClusterConfig(MethodConfig):
    """DeepCluster, arXiv:1807.05520: learns to tell the clusters that its own features form.

    The colours change as for the other methods, in place of the paper's Sobel filter, which its AlexNet looked through.
    """

    views: ClassVar[int] = 1
    below_images: ClassVar[tuple[str, ...]] = ("clusters",)

    name: Literal["deepcluster"] = "deepcluster"
    lr_factor: Factor = 0.33
    """Learning rate in multiples of train.lr: NMI 7.3 in the trial of docs/benchmark.md, 2.2 with 1."""
    clusters: int = Field(64, gt=1)
    """10,000 in the paper for 1.28 million images; several times the categories."""
    components: int = Field(32, ge=1)
    """Whitened principal components that are clustered; 256 in the paper."""
    iterations: Positive = 20
    """Of k-means."""
    every_epochs: Positive = 4
    """Epochs from one clustering to the next; 1 in the paper, where an epoch has 5,000 steps. Each begins with a new
    classifier, which 15 steps do not teach."""


class ODCConfig(MethodConfig):
    """ODC, arXiv:2006.10645: DeepCluster without pauses; what is remembered of every image is clustered at each step.

    Settings of the paper's code are for 1.28 million images and batches of 512.
    """

    views: ClassVar[int] = 1
    least_batch: ClassVar[int] = 2

    name: Literal["odc"] = "odc"
    lr_factor: Factor = 0.25
    """Learning rate in multiples of train.lr: NMI 8.1 with a third in the trial of docs/benchmark.md, 4.7 with 1."""
    clusters: int = Field(32, gt=1)
    """10,000 in the paper; several times the categories."""
    hidden: Positive = 128
    """Width of the hidden layer of the head; 512 in the paper."""
    dim: Positive = 64
    """Width of what is remembered; 256 in the paper."""
    dropout: float = Field(0, ge=0, lt=1)
    """Share of the hidden layer that is left out at each step; 0.5 in the paper's code."""
    momentum: Fraction = 0.5
    """Share of what was remembered of an image that stays when it is seen again."""
    smallest: Positive = 5
    """A cluster of fewer images is given up, and the largest is split in its place. 20 in the paper, where clusters
    have 128 images in the mean; here they have 31."""
    refresh_steps: Positive = 10
    """Steps from one calculation of all centroids to the next."""
    iterations: Positive = 20
    """Of the k-means before the first step."""

    @property
    def images_needed(self) -> dict[str, int]:
        return {"clusters x smallest": self.clusters * self.smallest}


class PCLConfig(MoCoConfig):
    """PCL v2, arXiv:2005.04966: MoCo v2, and draws images to the centroids of their clusters in several clusterings.

    One number in the paper's code, 16384, says how many images and how many prototypes are negatives, so that it must
    be less than each number of clusters; here they are told apart.
    """

    name: Literal["pcl"] = "pcl"  # type: ignore[assignment]
    lr_factor: Factor = 1
    """Learning rate in multiples of train.lr: NMI 17.0 in the trial of docs/benchmark.md, 19.3 with 3 (chance)."""
    clusters: Annotated[tuple[Annotated[int, Field(gt=1)], ...], Field(min_length=1)] = (32, 64, 128)
    """How many, in each clustering; 25,000, 50,000 and 100,000 in the paper, for 1.28 million images."""
    negatives: Positive = 128
    """Prototypes of a clustering that an image is told from, drawn at each step; all others where there are fewer.
    16384 in the paper."""
    alpha: float = Field(10, ge=0)
    """Smoothing of the concentration: small clusters would look concentrated without it, Eq. 12."""
    warmup_epochs: int = Field(8, ge=0)
    """Before the first clustering, of MoCo alone; 20 of 200 in the paper."""
    every_epochs: Positive = 4
    """Epochs from one clustering to the next; 1 in the paper, where an epoch has 5,000 steps."""
    iterations: Positive = 20
    """Of k-means."""
    restarts: Positive = 5
    """Of k-means, the best of which is taken."""

    @property
    def images_needed(self) -> dict[str, int]:
        return {**super().images_needed, "clusters": max(self.clusters)}


_ODC_COLOURS = {"jitter": 1.0, "brightness": 0.4, "contrast": 0.4, "saturation": 1.0, "hue": 0.5, "blur": 0}
"""Colours of ODC, in its code. With those of SwAV and four times the learning rate the clusters of the embedded set
changed from step to step, and nothing was learned."""

METHODS = {
    "deepcluster": Registered(
        DeepClusterConfig,
        "luss_core.methods.deepcluster:DeepCluster",
        tiny={"clusters": 5, "components": 6, "every_epochs": 1},
    ),
    "odc": Registered(
        ODCConfig,
        "luss_core.methods.odc:ODC",
        tiny={"clusters": 5, "hidden": 16, "dim": 8, "dropout": 0.5, "smallest": 7, "refresh_steps": 2},
        pretrain={"views": _ODC_COLOURS},
    ),
    "pcl": Registered(
        PCLConfig,
        "luss_core.methods.pcl:PCL",
        tiny={
            "dim": 8,
            "queue": 20,
            "batchnorm_images": 4,
            "clusters": [4, 6],
            "negatives": 4,
            "warmup_epochs": 0,
            "every_epochs": 1,
        },
        pretrain={"views": MOCO_COLOURS},
    ),
}
