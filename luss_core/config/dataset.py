"""Stages of the data set."""

from typing import Literal, Self

from pydantic import Field, model_validator

from luss_core.config.base import Fraction, Positive, Section
from luss_core.config.mask_table import MaskTable
from luss_core.config.sequences import VideoConfig


class SynthesizeConfig(Section):
    """The embedded data set: generated scenes with exact masks in ImageNet-S layout."""

    train: Positive = 1000
    validation: Positive = 160
    test: Positive = 240
    min_side: int = Field(64, ge=32)
    """Shortest side of a scene in pixels; sides are drawn from [min_side, max_side]."""
    max_side: int = Field(96, ge=32)
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_side > self.max_side:
            raise ValueError(f"min_side {self.min_side} is above max_side {self.max_side}")
        return self


class PrepareConfig(Section):
    """Which files become images, and how large they are kept."""

    short_side: int = Field(72, ge=8)
    """Images whose shorter side is longer are reduced to it (pixels); smaller ones are kept as they are."""
    masks: str | None = None
    """Folder of ground-truth masks for a plain folder of images; an ImageNet-S layout brings its own. Where only some
    images have one, set allow_missing. The word none says that what looks like masks among the files is photographs."""
    mask_coding: Literal["auto", "ids", "imagenet_s", "binary"] = "auto"
    """How masks are read. auto finds it from the masks and says it. ids: the value of one channel, or the index of a
    palette, is the id; 255 is ignored in 8 bits, 65535 in 16. imagenet_s: id = R + 256 G, 1000 is ignored. binary: 0 is
    nothing, the one other value is the object, id 1."""
    mask_colours: MaskTable = {}
    """What each colour or value means, where it is no id: {"#000000": 0, "#ff0000": 1, "0,128,0": 2, "#e0e0c0": ignore}
    for coloured masks, {0: 0, 128: 1, 255: ignore} for masks of one channel. Black and 0 are id 0 unless said
    otherwise; a mask with another colour that is not named cannot be used."""
    rotated_masks: Literal["auto", "upright", "raw"] = "auto"
    """What the mask of a photograph lies over whose EXIF tag says that it must be turned: the photograph as viewers
    show it (upright), or the pixels as they are stored (raw). auto goes by the sizes; where these do not tell, as the
    others of the data set, and upright if there are none."""
    max_megapixels: float = Field(64, gt=0)
    """Files that would take more memory are set aside: mistakes or attacks more often than photographs. JPEG is
    reduced while it is read, so that large photographs do not."""
    white_of_16_bits: int | None = Field(None, ge=1, le=65535)
    """Value that is white in images of 16 bits, for all files. null finds it: the largest of as many bits as they use,
    4095 for 12 bits."""
    max_rejected_fraction: Fraction = 0.1
    """Stop when more than this share of the files cannot be used."""
    allow_missing: bool = False
    """Go on where images or masks of a split with ground truth are missing or cannot be used; every score then says
    of how many images it is. false stops, since such scores only look like those of the benchmark."""
    video: VideoConfig = Field(default_factory=VideoConfig)

    @model_validator(mode="after")
    def _one_coding(self) -> Self:
        if self.mask_colours and self.mask_coding != "auto":
            raise ValueError(
                f"mask_colours says what each colour means, and mask_coding {self.mask_coding} says it too; leave"
                " mask_coding at auto"
            )
        return self


class PriorConfig(Section):
    """What probably is object: a saliency map of every image, made without learning.

    The numbers are those of the region contrast of Cheng et al. 2015, TPAMI 37(3); a folder of maps needs none of them.
    """

    folder: str | None = None
    """Folder of your own greyscale maps, <split>/cat/1.png for <split>/cat/1.jpg; null computes region contrast."""
    size: int = Field(256, ge=16)
    """Images whose longer side is longer are reduced to it (pixels), and so are the maps."""
    segment_scale: float = Field(50, gt=0)
    """k of the segmentation, Felzenszwalb and Huttenlocher 2004, in units of CIE Lab: larger makes larger regions."""
    segment_sigma: float = Field(0.5, ge=0)
    """Standard deviation in pixels of the blur before the segmentation."""
    min_region: float = Field(200, ge=0)
    """Pixels of the smallest region in an image of 400 x 300; it changes in proportion to the area of the image."""
    spatial_spread: float = Field(0.4, gt=0)
    """Squared distance at which regions count for 1/e; the image is 1 wide and 1 high."""
    centre_weight: float = Field(9, ge=0)
    """Preference for the middle of the image; 0 for none."""
    border: float = Field(0.4, gt=0)
    """Regions count as background if this share of their extent lies along the border; large keeps them all."""
