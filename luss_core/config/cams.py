"""How a segmenter learns from one label an image: what each method can be told. Imports no torch."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Union

from pydantic import Discriminator, Field, Tag

from luss_core.config.base import Positive, Section

if TYPE_CHECKING:
    from luss_core.config.training import FinetuneConfig

Present = Literal["any", "one", "several"]
"""Which categories an image may show, see CamConfig."""
Classification = Literal["soft-margin", "cross-entropy"]
BatchNorm = Literal["frozen", "trained"]


class CamMethodConfig(Section):
    """What every method says of itself; a method adds its own settings."""

    bias: ClassVar[bool] = False
    """Whether the 1x1 convolution has one; those of the published SEAM and SC-CAM have none."""

    name: str
    present: Present = "any"
    """What is foreground in an image: any: each pixel is of the category whose map is greatest there. one: all of it is
    of one category, the one that the image as a whole is given, and the score is the map of that, from 0 at its minimum
    in the image to 1 at its maximum. So it seems to be in Table 4 of the LUSS paper, where refined maps change no image
    accuracy. several: the same with every category that is more probable than not, and with one at the least."""

    classification: Classification = "cross-entropy"
    """The loss of labels. cross-entropy: one category excludes the others, as in the LUSS paper. soft-margin: a sigmoid
    for each category on its own, divided by their number, as SEAM, SC-CAM and the CAM that they are compared with were
    published; it wants a learning rate that many times higher."""
    batchnorm: BatchNorm = "trained"
    """BatchNorm of the encoder. frozen: keeps its statistics and weights, as SEAM, SC-CAM and their CAM were published:
    crops have other statistics than whole images, and small batches poor ones. Learning rates must suit it: sgd with
    0.01 does, adamw with 0.001 ruins a ready encoder. trained suits random weights."""

    @property
    def freezes_batchnorm(self) -> bool:
        """Whether BatchNorm of the encoder stays as it is."""
        return self.batchnorm == "frozen"

    def check(self, finetune: "FinetuneConfig") -> None:
        """Compare with the rest of the section.

        Raises:
            ValueError: they do not go together; the message names the keys and the remedy.
        """
        if self.present != "any":
            self._need(finetune, f"method {self.name} with present: {self.present}")

    def _need(self, finetune: "FinetuneConfig", asking: str) -> None:
        """Maps that decide alone what is foreground, as only a trained convolution makes them."""
        if finetune.segmenter.attend:
            raise ValueError(
                f"{asking} takes the foreground from the activation maps, and segmenter.attend: true takes it from the"
                " attention; set segmenter.attend: false"
            )
        if finetune.segmenter.head == "centroids":
            raise ValueError(f"{asking} needs activation maps that are trained; set segmenter.head: linear")


class CamConfig(CamMethodConfig):
    """Class activation maps, trained by cross-entropy as in Sec. 3.1 of the LUSS paper: no more than the head."""

    bias: ClassVar[bool] = True

    name: Literal["cam"] = "cam"


class WeakConfig(CamMethodConfig):
    """What SEAM and SC-CAM have in common."""

    classification: Classification = "soft-margin"
    """As of cam."""
    batchnorm: BatchNorm = "frozen"
    """As of cam. Two views of different sizes have different statistics."""

    def check(self, finetune: "FinetuneConfig") -> None:
        self._need(finetune, f"method {self.name}")


class SeamConfig(WeakConfig):
    """SEAM, arXiv:2004.04581: maps that stay the same when the image is made smaller, and a pixel correlation module,
    which spreads them over what looks alike. Published with segmenter.encoder: trained, crops of 448 pixels, batches of
    8, sgd with lr 0.01 and schedule poly, weight_decay 5e-4, head_lr 10, 8 epochs."""

    name: Literal["seam"] = "seam"
    present: Literal["one", "several"] = "one"
    """Which categories are foreground in an image, where no label says it: one: that of the greatest score. several:
    all that are more probable than not, and one at the least."""
    scale: float = Field(0.3, gt=0, lt=1)
    """Side of the smaller view in parts of the larger one, rounded to whole positions of the coarsest map, and at
    least two of them."""
    hardest: float = Field(0.2, gt=0, le=1)
    """Share of the differences between the refined map of a view and the map of the other that are learned from, the
    largest; of all categories, although those that an image does not have differ nowhere."""


class SCCamConfig(WeakConfig):
    """SC-CAM, arXiv:2008.01183: a second head tells sub-categories, found by k-means within each category, so that the
    network looks at more than what is special of the category. Published with segmenter.encoder: trained, crops of 224
    pixels, batches of 16, sgd with lr 0.01 and schedule poly, weight_decay 5e-4, head_lr 10."""

    name: Literal["sc-cam"] = "sc-cam"
    present: Present = "one"
    """As of cam. In the paper labels say it."""
    subcategories: int = Field(10, gt=1)
    """Of each category; of one with fewer images as many as it has."""
    weight: float = Field(5, gt=0)
    """Of the loss of sub-categories, beside 1 of categories."""
    rounds: Positive = 3
    """How often sub-categories are found anew. The epochs are divided into one part more, as even as can be: the first
    learns categories alone."""
    iterations: Positive = 20
    """Of k-means."""

    def check(self, finetune: "FinetuneConfig") -> None:
        super().check(finetune)
        if finetune.segmenter.encoder == "frozen":
            raise ValueError(
                "method sc-cam changes the maps through the encoder alone, which segmenter.encoder: frozen keeps as it"
                " is; set segmenter.encoder: trained, or method: {name: cam}"
            )
        if 0 < finetune.train.epochs <= self.rounds:
            raise ValueError(
                f"method sc-cam with rounds {self.rounds} needs an epoch of categories alone and one for each round,"
                f" and train.epochs is {finetune.train.epochs}; set it to {self.rounds + 1} or more, or lower rounds"
            )


def smaller_side(side: int, scale: float, stride: int) -> int:
    """Pixels of a side of SEAM's smaller view: whole positions of the coarsest map, two at the least."""
    return max(2, round(side * scale / stride)) * stride


def check_scale(cfg: CamMethodConfig, sizes: list[int], stride: int) -> None:
    """Compare the views of SEAM with the network.

    Args:
        sizes: sides of the views in pixels.
        stride: pixels of the image from one position to the next in the coarsest map.

    Raises:
        ValueError: the smaller view would be as large as the larger one.
    """
    smallest = min(sizes)
    if isinstance(cfg, SeamConfig) and (side := smaller_side(smallest, cfg.scale, stride)) >= smallest:
        raise ValueError(
            f"finetune.method seam compares views of {smallest} pixels (finetune.views.crops.size) with smaller ones,"
            f" and scale {cfg.scale:g} leaves {side} pixels: sides are whole positions of the last stage of the"
            f" backbone, one every {stride} pixels, and two of them at the least; lower scale, or set the size to"
            f" {3 * stride} or more"
        )


CAMS: dict[str, type[CamMethodConfig]] = {"cam": CamConfig, "seam": SeamConfig, "sc-cam": SCCamConfig}
"""By name."""


def _name(method: Any) -> str:
    """The name that a method goes by; the default where it is left out."""
    return str(method.get("name", "cam") if isinstance(method, dict) else getattr(method, "name", method))


if TYPE_CHECKING:
    AnyCamMethod = CamMethodConfig
else:
    AnyCamMethod = Annotated[
        Union[tuple(Annotated[kind, Tag(name)] for name, kind in CAMS.items())],  # noqa: UP007 - made here
        Discriminator(_name),
    ]
