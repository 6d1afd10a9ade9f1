"""Methods that classify images by what is known of them: how they were turned, or their category."""

from typing import ClassVar, Literal

from luss_core.config.methods.base import MethodConfig, Need, Registered


class RotationConfig(MethodConfig):
    """Rotation, arXiv:1803.07728: tells by how many quarter turns each image was turned.

    Each image is seen in all four rotations at once, so that a step costs four views of an image.
    """

    views: ClassVar[int] = 1

    name: Literal["rotation"] = "rotation"


class SupervisedConfig(MethodConfig):
    """Supervised: learns the category folders of the images, the upper bound that methods without labels are held
    against.

    The LUSS paper gives no settings of its own.
    """

    views: ClassVar[int] = 1

    name: Literal["supervised"] = "supervised"

    @property
    def needs(self) -> frozenset[Need]:
        return frozenset({"labels"})


PLAIN_COLOURS = {"jitter": 0, "gray": 0, "blur": 0}
"""Crops and flips alone."""

METHODS = {
    "rotation": Registered(
        RotationConfig, "luss_core.methods.rotation:Rotation", tiny={}, pretrain={"views": PLAIN_COLOURS}
    ),
    "supervised": Registered(SupervisedConfig, "luss_core.methods.supervised:Supervised", tiny={}),
}
