"""A share of the labels from which a segmentation network learns. Imports no torch."""

import numpy as np

from luss_core.data.annotated.read import few
from luss_core.errors import UserError

LEAST = 2
"""Images; BatchNorm of the image pooling of ASPP normalises over them."""


def share_of(total: int, percent: float, seed: int) -> np.ndarray:
    """Positions of a share of the images, drawn as the limited-sample probe draws them: nested.

    Raises:
        UserError: the share is less than two images.
    """
    if round(total * percent / 100) < LEAST:
        least = np.ceil(1000 * 150 / total) / 1000
        raise UserError(
            f"transfer.percents: {percent:g} % of {total} labelled images is less than two images, which training"
            " needs for BatchNorm; "
            + (f"allowed here: from {least:g} to 100" if least <= 100 else "add labelled images, see probes.data")
        )
    return few(total, percent, seed)
