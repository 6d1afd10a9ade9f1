"""What is foreground, taught to a ready encoder."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from luss_core.config.base import Positive
from luss_core.config.methods.base import MethodConfig, Need, Registered

if TYPE_CHECKING:
    from luss_core.config.training import PretrainConfig


class ForegroundConfig(MethodConfig):
    """Teaches the attention of a ready encoder what is foreground, by cues that need no truth; the encoder stays.

    The target is the product of the cues, each stretched to [0, 1], cut by Otsu's threshold of the batch. What learns
    is one linear layer: the attention, see attention_stages. For pretrain.weights; docs/encoders.md.
    """

    views: ClassVar[int] = 1

    name: Literal["foreground"] = "foreground"
    cues: Annotated[tuple[Literal["saliency", "norm", "border", "component", "seed"], ...], Field(min_length=1)] = (
        "saliency",
        "norm",
    )
    """Foreground is where all of them are high. saliency: the maps of the stage prior. norm: L2 norm of the features;
    for a CNN that learned to classify. border: one minus the cosine between a position and the border of its image.
    component: first principal component of the positions of an image, with the border on its low side; for a ViT.
    seed: where the keys of the last attention are unlike those of the patch that the class token attends to least, by a
    cosine of at most 0.3, as published for DINO (FOUND, arXiv:2212.07834); for a ViT with a class token and without
    rotary positions. docs/measured.md has a table for a CNN; no ViT with weights was measured."""
    stage: Positive | None = None
    """Stage of the backbone whose map norm, border and component are computed from. null: the last."""
    penalty: float = Field(0.1, ge=0)
    """Weight in the loss of the squared weights of the layer, whose inputs have variance 1, so that it learns what
    foregrounds have in common rather than what is peculiar to the cues. In a trial on objects8, trained to the end and
    seen in two sizes, F was 77 with 0.1, 74 with 0.001 and 71 with 1."""

    @property
    def needs(self) -> frozenset[Need]:
        by_cue: dict[str, Need] = {"saliency": "saliency", "seed": "heads"}
        return frozenset(need for cue, need in by_cue.items() if cue in self.cues)

    def check(self, pretrain: "PretrainConfig") -> None:
        if not pretrain.attention:
            raise ValueError("method foreground teaches the attention: set attention: true")
        if "seed" in self.cues and pretrain.backbone.family == "resnet":
            raise ValueError(
                "method.cues: seed looks at what the class token of a ViT attends to, which a ResNet does not have;"
                " take other cues (saliency, norm, border, component), or a ViT: backbone: {family: timm, name:"
                " vit_small_patch14_dinov2.lvd142m}"
            )


METHODS = {
    "foreground": Registered(
        ForegroundConfig,
        "luss_core.methods.foreground:Foreground",
        tiny={"cues": ["saliency", "norm", "border", "component"]},
        pretrain={"decoder": None, "attention": True, "views": {"jitter": 0, "gray": 0, "blur": 0}},
        whole=True,
    ),
}
