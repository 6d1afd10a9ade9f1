"""Stages that train nothing."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from luss_core.config.advcam import AdvCAMConfig
from luss_core.config.base import Fraction, Positive, Section

LAST_THRESHOLD = 0.8
"""Of the official sweep; scores above are not told apart."""


class ExamineConfig(Section):
    """What the encoder learned: how alike it sees one place in two views, and one category; where its attention lies.

    Measured on the validation images (training images where there are none), with the large views of pretrain.
    """

    images: Positive = 5000
    """Images that are measured, at the most; of more an even sample."""
    draws: Positive = 4
    """Pairs of views of each image."""
    grid: int = Field(7, ge=1, le=64)
    """Places along each side of the region that two views share."""
    size: int = Field(72, ge=8)
    """Shorter side in pixels of the whole images, for categories and attention (256 in the papers)."""
    batch_size: Positive = 64


class ExtractConfig(Section):
    """Step 2a: one vector an image."""

    features: Literal["output", "stage4", "colour_histogram"] = "output"
    """The map of the decoder, or of stage 4 of the backbone, pooled. colour_histogram is a control that looks at no
    shape: 8x8x8 RGB bins."""
    attend: bool = True
    """Pool with the attention, where there is one. The paper does not say; its successor does."""
    size: int = Field(72, ge=8)
    """Shorter side of the image in pixels (256 in the papers)."""
    crop: Annotated[int, Field(ge=8)] | None = 72
    """Side of the centre square that is looked at, in pixels (224 in the papers). null: the whole image, one at a time,
    as `infer` sees it."""
    batch_size: Positive = 64

    @model_validator(mode="after")
    def _inside(self) -> Self:
        if self.crop is not None and self.crop > self.size:
            raise ValueError(f"crop {self.crop} is larger than size {self.size}")
        return self


class ClusterConfig(Section):
    """Step 2b: k-means with K = number of categories."""

    assign: Literal["kmeans", "single", "folders", "file"] = "kmeans"
    """single gives every image the same label: the control without categories. folders takes the category folders of
    the images for labels: supervised, the upper rows of Table 4 of the LUSS paper. file takes those of `labels`:
    supervised as well, and an image may have several. Pages say so."""
    labels: Annotated[str, Field(min_length=1)] | None = None
    """With assign: file, a CSV file in UTF-8 whose first line is image,category: a line for each label, so an image
    with several has several lines. image: path below the data folder, with its ending, or without where that means one
    image. category: any name; as many as classes, and numbered in the order of their names. finetune leaves out
    images without a line (docs/wsss.md)."""
    restarts: Positive = 30
    iterations: Positive = 20
    sample: int = Field(256, ge=0)
    """Vectors a cluster, at the most, that are held in memory and learned from; of more a random sample. 0: all, as in
    the paper. 256 are all of them up to 2,048 images for 8 categories."""
    passes: Positive = 5
    """Where there are more vectors than that, iterations over all of them after the restarts."""
    normalize: bool = True
    """L2-normalise the features first."""
    components: int = Field(0, ge=0)
    """Then keep this many principal components, each scaled to the same variance, so that distances are not ruled by
    the few directions in which features spread most (DeepCluster, arXiv:1807.05520, keeps 256 for 10,000 clusters). 0:
    the features as they are, as in the paper. 16 raised SwAV on the embedded set from 31 to 37 mIoU, three seeds."""
    whiten: bool = True
    """Scale the components to the same variance. false suits features that others learned: what spreads most in them is
    what they know."""
    normalize_after: bool = False
    """L2-normalise what is left, and the centroids: the nearest is that of the greatest cosine."""

    @model_validator(mode="after")
    def _labelled(self) -> Self:
        if self.assign == "file" and self.labels is None:
            raise ValueError(
                "assign: file needs a file of labels: set labels to a CSV file with the columns image and category, or"
                " assign to kmeans"
            )
        return self


class InferConfig(Section):
    """Step 4: class activation maps to masks."""

    size: int = Field(72, ge=8)
    """Shorter side of the network input in pixels (256 in the papers)."""
    sample: Positive = 2000
    """Training images whose scores decide the threshold, at the most; of more an even sample."""
    splits: tuple[Literal["train", "validation", "test"], ...] = ("validation", "test")
    """What is segmented; a data set that has none of them is segmented whole."""
    threshold: Literal["otsu"] | Fraction = "otsu"
    """Foreground where the score (see finetune.segmenter.attend), as a fraction of its maximum, reaches this. otsu:
    Otsu's threshold of the scores of the training images, which needs no ground truth. At most 0.8, the last of the 81
    thresholds that are evaluated."""
    vote: Literal["pixel", "object"] = "pixel"
    """Who decides on a category. object: all pixels of a connected piece of the foreground together, by the sum of
    their probabilities, so that one object is not painted as several categories; objects that do not touch keep their
    own. pixel: each pixel for itself."""
    advcam: AdvCAMConfig | None = None
    """null: maps of the image as it is. {} climbs as published, on top of any finetune.method: each image takes up to
    200 passes in place of one, so lower `sample` as well (docs/wsss.md)."""

    @field_validator("threshold", mode="before")
    @classmethod
    def _evaluated(cls, value: Any) -> Any:
        """One message for all that it cannot be, not one for each type that it could."""
        allowed = f"found {value!r}; allowed: otsu, or 0 to {LAST_THRESHOLD}, where scores end"
        try:
            fits = value == "otsu" or 0 <= float(value) <= LAST_THRESHOLD
        except (TypeError, ValueError) as error:
            raise ValueError(allowed) from error
        if not fits:
            raise ValueError(allowed)
        return value


class EvaluateConfig(Section):
    """How masks are scored: the ImageNet-S protocol."""

    match: Literal["auto", "identity"] = "auto"
    """auto: Hungarian matching of clusters and classes on the validation images, reused for the test images."""
    absent: Literal["skip", "zero"] = "skip"
    """Classes absent from a size range are left out (the released tool) or count 0 (the tables of the first paper)."""
    folders: Literal["auto", True, False] = "auto"
    """Whether the folders of the training images are categories, so that pages show how well clusters agree with them
    (NMI). auto: in ImageNet-S layout, unless folders are called by dates or by a camera, and where the ground truth of
    a plain folder agrees with them."""


class ExportConfig(Section):
    """One file that segments images on its own. There is nothing to choose."""


class ReportConfig(Section):
    """What the page shows."""

    panels: Positive = 12
    """Images shown with truth and prediction."""
    gallery: Positive = 8
    """Images shown nearest each centroid."""
    images: Positive = 5000
    """Images on the page of all images, at the most; of more an even sample."""
