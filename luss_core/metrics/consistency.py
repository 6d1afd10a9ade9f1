"""How alike the embeddings of pixels are: of one place in two views, and within a category; Table 5 of the LUSS paper.

The paper names both cosines but not which embedding they are of. Here it is the map that a method leaves to the later
stages, before any projection, which they do not use.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from luss_core.data.overlap import overlap_grids, overlapping, sample
from luss_core.data.views import ViewParameters


def view_cosines(maps: tuple[Tensor, Tensor], views: tuple[ViewParameters, ViewParameters], side: int) -> Tensor:
    """(b, side * side) cosines, -1..1, of the same places of the image in two views, for the b images that both show.

    Args:
        maps: two (B, D, h, w), of any resolution, read bilinearly.
        views: what made them; flips and crops are undone.
        side: places along each side of the shared rectangle, in the middles of equal cells.
    """
    grids, overlaps = overlap_grids(*views, side), overlapping(*views)
    first, second = (sample(z[overlaps], grid[overlaps]) for z, grid in zip(maps, grids, strict=True))
    return F.cosine_similarity(first, second, dim=2)


class CategorySums:
    """Sums of the unit embeddings of each category, from which their mean cosine follows without a second look.

    With u the unit embeddings of n pixels and m their mean, the mean of cos(u, m) = u·m / |m| is m·m / |m| = |m|. So
    one vector a category is kept, whatever the number of images. An embedding of zeros has a cosine of 0 to anything.
    """

    def __init__(self, categories: int, width: int):
        self.sums = torch.zeros(categories + 1, width, dtype=torch.float64)
        self.pixels = torch.zeros(categories + 1, dtype=torch.int64)

    def add(self, z: Tensor, ids: Tensor) -> None:
        """Count the pixels of one image.

        Args:
            z: (D, h, w) embeddings.
            ids: (h, w) category of each; 0 (other) and ids above the categories (ignored) do not count.
        """
        known = (ids > 0) & (ids < len(self.pixels))
        unit = F.normalize(z.cpu()[:, known].double(), dim=0)
        self.sums.index_add_(0, ids[known].long(), unit.t())
        self.pixels += torch.bincount(ids[known].long(), minlength=len(self.pixels))

    def cosines(self) -> Tensor:
        """(n,) mean cosine, 0..1, of the pixels of a category to their mean, for the n categories that have pixels."""
        seen = self.pixels > 0
        return self.sums[seen].norm(dim=1) / self.pixels[seen]

    def cosine(self) -> float | None:
        """Mean over the categories, each counting the same as in mIoU, so that large ones do not decide; None if none.

        The paper does not say whether its mean is over categories or pixels.
        """
        found = self.cosines()
        return float(found.mean()) if len(found) else None
