"""What becomes of the features while a method trains: looked at between steps, the same way for every method.

A sample of the training images, whole and not augmented, goes through the network as it stands, in evaluation mode and
without gradients. Nothing that training depends on changes: no weight, no statistic of a BatchNorm, no random number.
"""

import logging
import math
from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from luss_core.data.loader import Views
from luss_core.data.whole import nearest_multiple, to_network
from luss_core.methods.base import Method, Progress
from luss_core.metrics.diagnostics import (
    cluster_use,
    deviation,
    effective_rank,
    largest_share,
    nearest_neighbours,
    unit,
)
from luss_core.models.heads import global_average
from luss_core.runtime import autocast, derive_seed
from luss_core.signs import sign_in

log = logging.getLogger(__name__)

MOST, LEAST, SHARE = 512, 128, 4
"""Images of the sample, at the most; of few images a quarter, but no fewer than LEAST."""
CATEGORIES = 32
"""Of more, so many are drawn and the sample is of these: an image needs neighbours of its own."""
BATCH = 64
PURPOSE = 3
"""What the random numbers of the sample are for; those of the loop have 1 and 2."""
WORDS = {
    "deviation": "deviation {:.2f} of 1",
    "effective_rank": "effective rank {:.1f}",
    "cluster_use": "use of the clusters {:.2f} of 1",
    "knn": "k-NN accuracy {:.3f}",
    "knn_guess": "of a guess {:.3f}",
}
"""What is logged, and how it is said."""
COLLAPSE = ("deviation", "effective_rank")
"""What is a reason to warn while it trains."""


class Diagnostics:
    """Looks at a training every so many epochs and at its end."""

    def __init__(
        self,
        views: Views,
        every_epochs: int,
        device: torch.device,
        precision: Literal["auto", "float32", "bfloat16"],
        category: np.ndarray | None = None,
    ):
        """Args:
        every_epochs: at least 1.
        category: (n,) int64 of each training image, only to judge by; None where there are none.
        """
        self.views, self.every_epochs, self.device, self.precision = views, every_epochs, device, precision
        self.positions, self.category = chosen(len(views), category, views.seed)
        self.warned = False

    def before(self, method: Method, progress: Progress) -> dict[str, float]:
        """What is found before a step; empty unless it is time. A backbone that does not learn is looked at once."""
        if progress.step % (self.every_epochs * progress.per_epoch):
            return {}
        if progress.step and not any(p.requires_grad for p in method.encoder.backbone.parameters()):
            return {}
        found = self.measure(method)
        self._say(f"epoch {progress.epoch}", found)
        collapse = {name: found[name] for name in COLLAPSE if name in found}  # categories may show later
        sign = sign_in([collapse]) if progress.step and not self.warned else None
        if sign:
            self.warned = True
            log.warning("epoch %d: so far %s", progress.epoch, sign)
        return found

    def at_end(self, method: Method) -> dict[str, float]:
        """What is found in the network that was trained."""
        found = self.measure(method)
        self._say("at the end", found)
        return found

    def measure(self, method: Method) -> dict[str, float]:
        """`deviation` and `effective_rank` of the last stage of the backbone, pooled to unit vectors; `cluster_use` of
        the method's own clusters, `knn` and `knn_guess` where there are any; see `metrics.diagnostics`.

        Nothing where features are not finite. One process can look without the others: none is asked for anything.
        """
        method.eval()
        with torch.no_grad(), autocast(self.precision, self.device):
            features, cluster, clusters = self._seen(method)
        method.train()
        if not torch.isfinite(features).all():
            return {}
        units = unit(features)
        found = {"deviation": deviation(units), "effective_rank": effective_rank(units)}
        if clusters:
            found["cluster_use"] = cluster_use(cluster, clusters)
        if self.category is not None:
            found["knn"] = nearest_neighbours(units, self.category)
            found["knn_guess"] = largest_share(self.category)
        return {name: round(value, 6) for name, value in found.items()}

    def _seen(self, method: Method) -> tuple[Tensor, Tensor, int]:
        """(n, L) features, (n,) clusters and how many there are, on the processor; 0 where the method has none."""
        features, cluster, clusters = [], [], 0
        for positions, images in self._images(method.encoder.backbone.multiple):
            maps = method.encoder(images)
            features.append(global_average(maps.stage4.float()))
            own = method.clusters_of(maps, positions)
            if own is not None:
                clusters = own.number
                cluster.append(own.cluster)
        none = torch.zeros(0, dtype=torch.int64)
        return torch.cat(features).cpu(), torch.cat(cluster).cpu() if cluster else none, clusters

    def _images(self, multiple: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Positions and whole images in batches, each as a square of about the size of a large view."""
        side = nearest_multiple(self.views.cfg.crops[0].size, multiple)
        for start in range(0, len(self.positions), BATCH):
            positions = self.positions[start : start + BATCH]
            rows = self.views.rows[positions].tolist()
            images = torch.cat([_square(self.views.store.read(row), side) for row in rows])
            yield torch.from_numpy(positions).to(self.device), to_network(images, self.device)

    def _say(self, when: str, found: dict[str, float]) -> None:
        if found:
            text = ", ".join(words.format(found[name]) for name, words in WORDS.items() if name in found)
            log.info("features %s: %s", when, text)


def chosen(count: int, category: np.ndarray | None, seed: int) -> tuple[np.ndarray, Tensor | None]:
    """(n,) ascending positions of the sample among ``count`` images, and (n,) int64 their categories, from 0.

    No categories where the sample has only one.
    """
    random = np.random.default_rng(derive_seed(seed, 0, PURPOSE))
    among = np.arange(count)
    if category is not None:
        names = np.unique(category)
        drawn = random.choice(names, min(CATEGORIES, len(names)), replace=False)
        among = np.flatnonzero(np.isin(category, drawn))
    size = min(MOST, max(LEAST, math.ceil(count / SHARE)), len(among))
    positions = np.sort(random.choice(among, size, replace=False))
    if category is None:
        return positions, None
    names, label = np.unique(category[positions], return_inverse=True)
    return positions, torch.from_numpy(label) if len(names) > 1 else None


def _square(image: np.ndarray, side: int) -> Tensor:
    """(H, W, 3) -> (1, 3, side, side) uint8: whole, whatever its proportions, as crops are resized."""
    x = torch.from_numpy(image.copy()).permute(2, 0, 1)[None]
    return F.interpolate(x, (side, side), mode="bilinear", antialias=True)
