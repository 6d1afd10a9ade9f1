"""Views of which only the place counts."""

from collections.abc import Sequence

import torch

from luss_core.data.views import ViewParameters

NONE = torch.empty(0, dtype=torch.int32)


def placed(boxes: Sequence[Sequence[float]], flips: Sequence[bool]) -> ViewParameters:
    """Views without colour, of (top, left, height, width) as fractions of the image."""
    n = len(boxes)
    plain = torch.ones(n, 4), torch.zeros(n), (), NONE, NONE, NONE, 1
    return ViewParameters(torch.tensor(boxes, dtype=torch.float32), torch.tensor(flips), *plain)
