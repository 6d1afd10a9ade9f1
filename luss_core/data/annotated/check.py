"""Every image and label of a split looked at once, before anything is trained."""

import numpy as np

from luss_core.data.annotated.base import AnnotatedImages
from luss_core.data.decode import decode
from luss_core.data.masks import IGNORE
from luss_core.errors import UserError
from luss_core.metrics.files import each

SMALL = 8


def pixels_of_classes(images: AnnotatedImages, threads: int) -> np.ndarray:
    """(N, C) int64 pixels of each class in each image.

    Raises:
        UserError: files that cannot be read, labels of another size than their image, values that are no class, or no
            labelled pixel at all; lists them.
    """
    one_by_one = [images.take([i]) for i in range(len(images))]  # all of them would go to a process with each batch
    found = np.stack(list(each(_counted, one_by_one, threads)))
    if not found.any():
        raise UserError(
            f"{images.root}: not one pixel of the split {images.split} has a class; some data sets do not publish the"
            " labels of this split: name another in probes.data"
        )
    return found


def _counted(image: AnnotatedImages) -> np.ndarray:
    """Of one image."""
    pair, mask = image.pairs[0], image.mask(0)
    try:
        decoded = decode(pair.image, SMALL)  # reads all of the file
    except Exception as error:  # what Pillow raises for broken files is not limited to a few types
        raise UserError(f"{pair.image} cannot be read as an image: {error}") from error
    if mask.shape != (decoded.height, decoded.width):
        raise UserError(
            f"{pair.mask} is {mask.shape[0]} x {mask.shape[1]} (height x width), its image {pair.image} is"
            f" {decoded.height} x {decoded.width}"
        )
    return np.bincount(mask[mask != IGNORE], minlength=len(image.classes))


def without_sample(pixels: np.ndarray, classes: tuple[str, ...]) -> list[str]:
    """Names of the classes that no image has a pixel of; ``pixels`` is (N, C)."""
    return [name for name, count in zip(classes, pixels.sum(axis=0), strict=True) if not count]
