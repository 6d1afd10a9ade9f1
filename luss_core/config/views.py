"""Random views of images."""

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from luss_core.config.base import Fraction, Positive, Section


class CropConfig(Section):
    """One kind of view."""

    count: Positive
    size: int = Field(ge=8)
    """Side of the square view in pixels."""
    scale: tuple[Fraction, Fraction]
    """Range of the area of the crop as a fraction of the image."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not 0 < self.scale[0] <= self.scale[1]:
            raise ValueError(f"scale {list(self.scale)} must be two rising fractions above 0")
        return self


class ColourConfig(Section):
    """What happens to the colours of a view. Defaults: Sec. 5.1 of arXiv:2006.09882."""

    jitter: Fraction = 0.8
    """Probability of the colour jitter."""
    brightness: float = Field(0.8, ge=0)
    contrast: float = Field(0.8, ge=0)
    saturation: float = Field(0.8, ge=0)
    hue: float = Field(0.2, ge=0, le=0.5)
    gray: Fraction = 0.2
    blur: Fraction = 0.5
    """Probability of the Gaussian blur."""
    blur_sigma: tuple[float, float] = (0.1, 2.0)
    """Range of its standard deviation in pixels; see blur_scaled."""
    solarise: Fraction = 0
    """Probability that light pixels are inverted; 0.2 in the second view of BYOL, arXiv:2006.07733."""


class ViewsConfig(ColourConfig):
    """Random views of an image."""

    crops: Annotated[tuple[CropConfig, ...], Field(min_length=1)] = (CropConfig(count=2, size=48, scale=(0.3, 1)),)
    """Large crops first. Small crops are a second entry, in the papers {count: 6, size: 96, scale: [0.05, 0.14]} beside
    224 pixels; methods that do not use them leave them out."""
    flip: Fraction = 0.5
    blur_scaled: bool = True
    """blur_sigma is for views of 224 pixels and shrinks in proportion to smaller ones. false: pixels of every view, as
    in the official SwAV, which blurs its crops of 96 pixels like those of 224."""
    kinds: tuple[dict[str, Any], ...] = ()
    """Where views differ in colour: what is other in the first view, the second, and so on, in turn. BYOL has
    [{blur: 1.0}, {blur: 0.1, solarise: 0.2}]."""

    @model_validator(mode="after")
    def _kinds_of_colour(self) -> Self:
        for kind in self.kinds:
            unknown = set(kind) - set(ColourConfig.model_fields)
            if unknown:
                known = ", ".join(ColourConfig.model_fields)
                raise ValueError(f"kinds: unknown key {min(unknown)!r}; allowed: {known}")
            ColourConfig.model_validate(kind)
        return self

    def colour(self, view: int) -> ColourConfig:
        """That of one view, from 0."""
        own = self.kinds[view % len(self.kinds)] if self.kinds else {}
        return ColourConfig.model_validate({**self.model_dump(include=set(ColourConfig.model_fields)), **own})

    def first(self, views: int) -> Self:
        """The same, cut to so many views of the first size."""
        return self.model_copy(update={"crops": (self.crops[0].model_copy(update={"count": views}),)})
