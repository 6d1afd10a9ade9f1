"""Climbing at inference. Imports no torch."""

from typing import Annotated

from pydantic import Field, field_validator

from luss_core.config.base import Fraction, Section

Factor = Annotated[float, Field(gt=0, le=4)]


class AdvCAMConfig(Section):
    """AdvCAM, Lee et al. 2021, arXiv:2103.08896: pixels of each image are changed step by step so that the score of its
    category rises, and the activation maps along the way are averaged: more of the object takes part. Nothing is
    trained; an image takes 2 x (steps + 1) x scales passes in place of one."""

    steps: int = Field(27, ge=0)
    """Of the climb (27 as published); half as many at scales below 1. With 0, one scale and no flip the maps are those
    without AdvCAM."""
    step: float = Field(0.08, gt=0)
    """Largest change of a value in a step, in standard deviations of the normalised pixels."""
    weight: float = Field(7, ge=0)
    """Of the change of the map where it is high already: what is found is kept, and the climb looks elsewhere. 0 lets
    the most telling part grow alone."""
    keep: Fraction = 0.5
    """A position is high from this fraction of the greatest of its map on."""
    scales: Annotated[tuple[Factor, ...], Field(min_length=1)] = (1, 0.5, 1.5, 2)
    """Sizes of the image in multiples of infer.size; the first decides the size of the maps. All count the same: the
    published code means to double the sum of 0.5, which has half the steps, but doubles all."""
    flip: bool = True
    """Climb the mirrored image too."""

    @field_validator("scales")
    @classmethod
    def _once(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if len(set(value)) < len(value):
            raise ValueError(f"found {list(value)}, which names a scale twice; allowed: each once, such as [1, 0.5]")
        return value


def check_maps(cfg: AdvCAMConfig | None, attend: bool) -> None:
    """Compare with finetune.segmenter.attend.

    Raises:
        ValueError: the maps, which climbing changes, do not decide what is foreground.
    """
    if cfg is not None and attend:
        raise ValueError(
            "infer.advcam spreads activation maps over the object, but with finetune.segmenter.attend: true the"
            " attention decides what is foreground; set attend: false, or infer.advcam: null"
        )
