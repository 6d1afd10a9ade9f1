"""SC-CAM: sub-categories widen class activation maps, Chang et al. 2020, arXiv:2008.01183."""

from collections.abc import Iterable
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from luss_core import group
from luss_core.config import SegmenterConfig
from luss_core.config.cams import SCCamConfig
from luss_core.data.batch import Batch
from luss_core.data.features import Features
from luss_core.data.ordered import TrainingImages
from luss_core.kmeans import assign, fit_centroids
from luss_core.losses.cams import accuracy, of_labels
from luss_core.methods.base import Output, Progress
from luss_core.methods.segmenter import Segmenter, pooled
from luss_core.models.encoder import Encoder, pool

SEEDS = 20_000
"""Of k-means, at the most."""
SAMPLE = 256
"""Vectors a sub-category that k-means learns from, as faiss does by itself."""
RESTARTS = 5
"""Of k-means, the best of which is taken: some categories have few images more than sub-categories."""
HELD_BYTES = 1 << 28
"""Of vectors that are held at once while sub-categories are found."""


class SCCam(Segmenter):
    """Classifies images by category and, in every round but the first, by sub-category: clusters of the pooled features
    of the images of a category. L = L(category) + weight L(sub-category). It segments by the maps of categories.

    Departures: the network goes on from one round to the next, with one schedule of the learning rate over all of them;
    the head of sub-categories begins anew with each, since a cluster has another number each time.
    """

    method: SCCamConfig
    category: Tensor  # (N,) of each training image, or (N, K) where images have several, -1 behind the last
    subcategory: Tensor  # of the same shape: category x subcategories + cluster within it; negative where none is

    def __init__(self, cfg: SegmenterConfig, encoder: Encoder, classes: int, labels: np.ndarray, method: SCCamConfig):
        """Args:
        labels: (N,) category of each training image, 0-based; or (N, K), -1 behind the last.
        """
        super().__init__(cfg, encoder, classes, method=method, several=labels if labels.ndim == 2 else None)
        self.sub_head = nn.Linear(encoder.width_of(cfg.features), classes * method.subcategories, bias=False)
        nn.init.normal_(self.sub_head.weight, std=0.01)
        self.lr_scale = {**self.lr_scale, "sub_head.": cfg.head_lr}
        self.register_buffer("category", torch.from_numpy(labels).long())
        self.register_buffer("subcategory", self.category * method.subcategories)

    def forward(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        rule, weight = self.method.classification, self.method.weight if self.round_of(progress) else 0.0
        maps = [self.encoded(view) for view in views]
        logits = torch.cat([pooled(self.activated(found)) for found in maps])
        vectors = torch.cat([pool(found, self.cfg.features, attend=False) for found in maps])
        label = torch.cat([self.label_of(batch)] * len(views))
        whole = of_labels(logits, label, rule)
        parts = torch.cat([self.subcategory[batch.index]] * len(views))
        part = of_labels(self.sub_head(vectors).float(), parts, rule)
        logs = {"accuracy": accuracy(logits, label), "category_loss": whole.detach()}
        return Output(whole + weight * part, logs | {"subcategory_loss": part.detach()})

    def round_of(self, progress: Progress) -> int:
        """0: categories alone; then 1 to ``rounds``."""
        epochs = max(1, progress.total // progress.per_epoch)
        return min(progress.epoch, epochs - 1) * (self.method.rounds + 1) // epochs

    @torch.no_grad()
    def before_epoch(self, progress: Progress, images: TrainingImages) -> Iterable[nn.Parameter]:
        """Where a round begins: find sub-categories, and begin with a new head for them."""
        before = Progress(max(0, progress.step - progress.per_epoch), progress.total, progress.per_epoch)
        if self.round_of(progress) == self.round_of(before):
            return ()
        seed = int(torch.randint(SEEDS, ()))
        with images.vectors(self._pooled, self.sub_head.in_features) as features:
            found = group.from_first(lambda: self._found(features, seed), self.subcategory)
            self.subcategory.copy_(found)
        self.sub_head.weight.copy_(0.01 * torch.randn(self.sub_head.weight.shape))  # on the processor, as everywhere
        return self.sub_head.parameters()

    @property
    def trained(self) -> Segmenter:
        """Without what only training needs."""
        return Segmenter(self.cfg, self.encoder, self.classes, self.head, self.method)

    def _pooled(self, images: Tensor) -> Tensor:
        return pool(self.encoder(images), self.cfg.features, attend=False)

    def _found(self, features: Features | None, seed: int) -> Tensor:
        assert features is not None
        count = self.method.subcategories
        label = self.category.cpu().numpy()
        cluster = within_categories(features, label, count, self.method.iterations, seed)
        return torch.from_numpy(label * count + cluster)


def within_categories(features: Features, label: np.ndarray, count: int, iterations: int, seed: int) -> np.ndarray:
    """(n,) int64 cluster of each vector among those of its label, by k-means in each, on the vectors as they are.

    Or (n, K): a vector of several labels has a cluster in each, and 0 where it has none.

    A label with no more vectors than ``count`` has a cluster for each of them. Vectors are read in blocks, and never
    more held than HELD_BYTES, or 256 a cluster of one label.

    Args:
        features: n vectors.
        label: (n,) 0-based, or (n, K), -1 where there is none.
    """
    shape, label = label.shape, label.reshape(len(label), -1)
    random, centroids = np.random.default_rng(seed), dict[int, np.ndarray]()
    members = {int(c): np.flatnonzero((label == c).any(axis=1)) for c in np.unique(label[label >= 0])}
    samples = {c: _sample(rows, SAMPLE * count, random) for c, rows in members.items()}
    for part in _parts(samples, HELD_BYTES // (4 * features.dim)):
        chosen = np.sort(np.concatenate([samples[c] for c in part]))
        vectors = features.take(chosen)
        for c in part:
            own = np.ascontiguousarray(vectors[np.searchsorted(chosen, samples[c])])
            few = len(own) <= count
            centroids[c] = own if few else fit_centroids(own, count, iterations, RESTARTS, seed)[0]
    found, start = np.zeros(label.shape, np.int64), 0
    for block in features.blocks():
        labels = label[start : start + len(block)]
        for c in np.unique(labels[labels >= 0]):
            own, place = np.nonzero(labels == c)
            found[start + own, place] = assign(partial(list, [block[own]]), centroids[int(c)])[0]
        start += len(block)
    return found.reshape(shape)


def _sample(rows: np.ndarray, most: int, random: np.random.Generator) -> np.ndarray:
    """Ascending."""
    return rows if len(rows) <= most else np.sort(random.choice(rows, most, replace=False))


def _parts(samples: dict[int, np.ndarray], most: int) -> list[list[int]]:
    """Labels in groups of at most so many vectors, or one label each."""
    parts, held = list[list[int]](), most
    for c, rows in samples.items():
        held += len(rows)
        if held > most or not parts:
            parts.append([])
            held = len(rows)
        parts[-1].append(c)
    return parts
