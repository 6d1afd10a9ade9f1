"""Methods that learn from pairs of frames."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from luss_core.config.base import Fraction, Positive
from luss_core.config.methods.base import MethodConfig, Need, Registered
from luss_core.config.methods.instance import MOCO_COLOURS

if TYPE_CHECKING:
    from luss_core.config.training import PretrainConfig

Head = Literal["global", "pixel", "cycle"]


class CACLConfig(MethodConfig):
    """CACL, Pang et al., AAAI 2022: three heads learn from two frames of a video, whole, by position, and in a cycle.

    The crop and the flip of a pair are shared, colours are not. For a backbone of output stride 8.
    """

    name: Literal["cacl"] = "cacl"
    heads: Annotated[tuple[Head, ...], Field(min_length=1)] = ("global", "pixel", "cycle")
    """Whose losses are added up, Table 1a: [global] is MoCo on pairs of frames, [global, pixel] the "2 heads"."""
    stride: int = Field(8, ge=0)
    """Frames from the first to the second of a pair, Table 1b. 0: the same frame in other colours ("only
    augmentation"), for photographs."""
    stride_ms: float | None = Field(None, gt=0, allow_inf_nan=False)
    """The same in milliseconds, in place of stride: the frame nearest to it, at least the next one. For videos of
    several frame rates."""
    positives: Literal["matched", "position"] = "matched"
    """What the pixel head takes for one thing in both frames: what the global head finds most alike, Eq. 4, or the same
    position, as for Table 1b without "decide by global head"."""
    pixel_shuffle: bool = True
    """Roll the images before the network and the maps back behind it, Eq. 7: else padding tells positions apart."""
    cycle_negatives: bool = True
    """Positions of other videos among the ends of the second jump."""
    soft_cycle: bool = True
    """The cycle is to end where the global head sees the like of its beginning, instead of there alone."""
    soft_target: Literal["frame", "pair"] = "frame"
    """The like of a position among those of its own frame, <u, u>, or of the later one, <u, u+>, as the formula of the
    paper has it; its text speaks of the pixels in the frame, as the other side of the comparison does."""
    dim: Positive = 64
    """Width of the three embeddings; 128 in the paper."""
    queue: Positive = 1024
    """Negatives of each head; 16384 in the paper."""
    other_videos: bool = True
    """Negatives are of other videos alone, as in the paper, where each of its 240,000 videos gives one pair an epoch.
    false: all that is in the queues, also what the own video left there some steps ago."""
    positions: int = Field(0, ge=0)
    """Of each frame that come into the queues of pixel and cycle head, drawn at random; the paper does not say. 0: as
    many as let the queue span eight steps."""
    temperature: float = Field(0.07, gt=0)
    """Of all three losses and of the soft target."""
    momentum: Fraction = 0.99
    """With which the copy follows; 0.999 in the paper, for a hundred times the steps."""
    batchnorm_images: int = Field(32, gt=1)
    """Images that the copy normalises together, drawn from the joint batch: shuffled BatchNorm."""

    @property
    def needs(self) -> frozenset[Need]:
        return frozenset({"pairs"})

    @property
    def frame_stride(self) -> int:
        return self.stride

    @property
    def frame_stride_ms(self) -> float | None:
        return self.stride_ms

    def check(self, pretrain: "PretrainConfig") -> None:
        if len(set(self.heads)) < len(self.heads):
            raise ValueError(f"method.heads {list(self.heads)} names a head twice; take one out")
        if "global" not in self.heads:
            self._check_without_global()
        if pretrain.decoder is not None:
            raise ValueError("method cacl learns from the last map of the backbone: set decoder: null")

    def check_views(self, stride: int, sizes: Sequence[int]) -> None:
        for size in sizes:
            if self.pixel_shuffle and size % stride:
                raise ValueError(
                    f"views.crops.size {size} is no multiple of {stride}, the output stride of the backbone, so that"
                    " rolled pixels cannot be rolled back; set a multiple, or method.pixel_shuffle: false"
                )

    def _check_without_global(self) -> None:
        if "pixel" in self.heads and self.positives == "matched":
            raise ValueError(
                "method.positives: matched asks the global head, which is not among method.heads; add global, or set"
                " positives: position"
            )
        if "cycle" in self.heads and self.soft_cycle:
            raise ValueError(
                "method.soft_cycle asks the global head, which is not among method.heads; add global, or set"
                " soft_cycle: false"
            )


METHODS = {
    "cacl": Registered(
        CACLConfig,
        "luss_core.methods.cacl:CACL",
        tiny={"stride": 1, "dim": 8, "queue": 20, "positions": 2, "temperature": 0.2, "batchnorm_images": 4},
        pretrain={"views": MOCO_COLOURS},
    ),
}
