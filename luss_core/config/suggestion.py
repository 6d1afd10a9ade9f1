"""How many categories: what `snakemake suggest` and `luss suggest` try."""

from pydantic import Field

from luss_core.config.base import Positive, Section


class SuggestConfig(Section):
    """`snakemake suggest`: how many categories do the features of the images show? A page with a recommendation, after
    `extract` and before `cluster`; it changes nothing."""

    largest: int = Field(40, ge=2)
    """The greatest number of categories that is tried; below it all up to 12, then some."""
    sample: int = Field(3000, ge=20)
    """Images that are looked at, at the most; of more a random sample, so that it takes no longer."""
    halves: Positive = 10
    """How often the images are cut into two halves at random, to see whether both are divided alike."""
    components: Positive = 32
    """Principal components of the feature vectors that are kept; vectors have length 1 before and after."""
