"""Methods that learn from the clusters of their own features."""

from typing import ClassVar, Literal

from pydantic import Field

from luss_core.config.base import Positive
from luss_core.config.methods.base import MethodConfig, Registered


class DeepClusterConfig(MethodConfig):
    """DeepCluster, arXiv:1807.05520: learns to tell the clusters that its own features form.

    The colours change as for the other methods, in place of the paper's Sobel filter, which its AlexNet looked through.
    """

    views: ClassVar[int] = 1
    below_images: ClassVar[tuple[str, ...]] = ("clusters",)

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


METHODS = {
    "deepcluster": Registered(
        DeepClusterConfig,
        "luss_core.methods.deepcluster:DeepCluster",
        tiny={"clusters": 5, "components": 6, "every_epochs": 1},
    ),
}
