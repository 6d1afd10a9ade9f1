"""What every method says of itself, and its entry in the registry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from luss_core.config.base import Factor, Section

if TYPE_CHECKING:
    from luss_core.config.training import PretrainConfig

Need = Literal["saliency", "labels", "masks", "pairs", "heads"]
"""saliency: the maps of the stage prior, cropped as the large views. labels: the category folders of the images. masks:
their true masks, cropped likewise. pairs: frames of one video; every second large view is of the later frame.
heads: those of the last attention of a ViT, of the class token."""


class MethodConfig(Section):
    """What every method says of itself; a method adds its own settings."""

    views: ClassVar[int] = 2
    """Views of the first size that it looks at, at the least where `small_views`, exactly otherwise."""
    small_views: ClassVar[bool] = False
    """Whether it looks at all views, those of other sizes too."""
    below_images: ClassVar[tuple[str, ...]] = ()
    """Its settings that may not be more than the training images."""
    least_batch: ClassVar[int] = 1
    """Images that a batch must have: 2 where they are compared, or a head normalises over them."""

    name: str
    lr_factor: Factor = 1
    """Learning rate in multiples of train.lr, from a trial with that optimizer: docs/benchmark.md."""

    @property
    def needs(self) -> frozenset[Need]:
        """What training reads beside the images."""
        return frozenset()

    @property
    def images_needed(self) -> dict[str, int]:
        """By the setting that asks for them, how many training images there must be at the least."""
        return {setting: int(getattr(self, setting)) for setting in self.below_images}

    @property
    def aligned_by(self) -> str:
        """What else to do where the large views share too little; empty if it compares no places that they share."""
        return ""

    @property
    def frame_stride(self) -> int:
        """Frames from the first to the second of a pair, where it needs pairs; 0 pairs an image with itself."""
        return 1

    @property
    def frame_stride_ms(self) -> float | None:
        """The same in milliseconds, in place of frames."""
        return None

    def check_views(self, stride: int, sizes: Sequence[int]) -> None:
        """Compare the sides of the views, in pixels, with those from one position of the last map to the next.

        Raises:
            ValueError: as ``check``.
        """

    def check(self, pretrain: "PretrainConfig") -> None:
        """Compare with the rest of the section.

        Raises:
            ValueError: they do not go together; the message names the keys and the remedy.
        """


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
    stages: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What its preset changes in the stages behind, by section."""
    whole: bool = False
    """It trains decoder and attention; the presets of others have the plain backbone."""
