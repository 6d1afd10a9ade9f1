"""Annotated images as a training reads them, and which of them a small share of the labels is."""

import numpy as np

from luss_core.data.annotated.base import AnnotatedImages
from luss_core.errors import UserError


class Photographs:
    """Images by position, (H, W, 3) uint8."""

    def __init__(self, images: AnnotatedImages, short_side: int | None):
        """Args:
        short_side: pixels to which larger images are reduced; None keeps them.
        """
        self.images, self.short_side, self.fingerprint = images, short_side, images.fingerprint

    def read(self, row: int) -> np.ndarray:
        return self.images.image(row, self.short_side)


class Labels:
    """Their labels, (H, W, 1) int32."""

    def __init__(self, images: AnnotatedImages):
        self.images, self.fingerprint = images, images.fingerprint

    def read(self, row: int) -> np.ndarray:
        return self.images.mask(row)[..., None]


def few(total: int, percent: float, seed: int) -> np.ndarray:
    """Positions of a share of the images: those of a smaller share of the same seed are among those of a larger.

    Raises:
        UserError: the share is less than one image.
    """
    count = total * percent / 100
    if count < 1 - 1e-9:
        least = 100 / total
        raise UserError(
            f"probes.limited.percents: {percent:g} % of {total} labelled images is less than one image; allowed here:"
            f" from {np.ceil(1000 * least) / 1000:g} to 100"
        )
    order = np.random.default_rng(np.random.SeedSequence([seed, total])).permutation(total)
    return np.sort(order[: max(1, round(count))])
