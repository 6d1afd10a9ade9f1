"""DeepCluster, Caron et al. 2018, arXiv:1807.05520."""

from collections.abc import Iterable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from luss_core import group
from luss_core.config.methods import DeepClusterConfig
from luss_core.data.batch import Batch
from luss_core.data.features import Features
from luss_core.data.ordered import TrainingImages
from luss_core.errors import UserError
from luss_core.kmeans import Space, assign, fit_centroids, sample_of
from luss_core.methods.base import Method, Output, Progress
from luss_core.models.encoder import Encoder, pool

SEEDS = 20_000
"""Of k-means, at the most."""
SAMPLE = 256
"""Vectors a cluster that k-means learns from, as faiss does by itself."""


class DeepCluster(Method):
    """Classifies images by the clusters that its own features form, which are found anew between epochs."""

    label: Tensor  # (N,) cluster of each training image

    def __init__(self, cfg: DeepClusterConfig, encoder: Encoder, images: int):
        super().__init__()
        if images < cfg.clusters:
            raise UserError(f"{images} training images cannot form method.clusters = {cfg.clusters}; lower it")
        self.cfg, self.encoder = cfg, encoder
        self.head = nn.Linear(encoder.width, cfg.clusters)
        self.register_buffer("label", torch.zeros(images, dtype=torch.long))

    def forward(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        logits = self.head(pool(self.encoder(views[0])))
        label = self.label[batch.index]
        accuracy = (logits.argmax(dim=1) == label).float().mean()
        loss = F.cross_entropy(logits.float(), label)
        return Output(loss, {"accuracy": accuracy, "chance": self._of_chance(loss.detach())})

    def _of_chance(self, loss: Tensor) -> Tensor:
        """The loss in multiples of that of a guess among the clusters that have images; 1 where that is one."""
        filled = self.label.new_zeros(self.cfg.clusters).index_fill(0, self.label, 1).sum()
        return torch.where(filled > 1, loss / filled.clamp(min=2).log(), 1.0)

    @torch.no_grad()
    def before_epoch(self, progress: Progress, images: TrainingImages) -> Iterable[nn.Parameter]:
        """Cluster all images, and begin with a new classifier: a cluster has another number each time."""
        if progress.epoch % self.cfg.every_epochs:
            return ()
        seed = int(torch.randint(SEEDS, ()))
        with images.vectors(lambda batch: pool(self.encoder(batch)), self.encoder.width) as features:
            self.label.copy_(group.from_first(lambda: self._clusters(features, seed), self.label))
        self.head.weight.copy_(0.01 * torch.randn(self.head.weight.shape))  # on the processor: the same for a GPU
        nn.init.zeros_(self.head.bias)
        return self.head.parameters()

    def order(self, epoch: int, random: np.random.Generator) -> np.ndarray:
        """As many images of one cluster as of another, those of small clusters repeated: Sec. 3.3 of the paper."""
        label = self.label.cpu().numpy()
        clusters = np.split(np.argsort(label, kind="stable"), np.cumsum(np.bincount(label))[:-1])
        filled = [members for members in clusters if len(members)]
        share = len(label) // len(filled) + 1
        drawn = [random.choice(members, share, replace=len(members) < share) for members in filled]
        return random.permutation(np.concatenate(drawn))[: len(label)]

    def _clusters(self, features: Features | None, seed: int) -> Tensor:
        """(N,) by k-means on whitened principal components of unit length."""
        assert features is not None
        chosen = sample_of(features.count, SAMPLE * self.cfg.clusters, seed)
        space = Space(features, chosen, normalize=False, components=self.cfg.components, normalize_after=True)
        centroids, _ = fit_centroids(space.sample, self.cfg.clusters, self.cfg.iterations, restarts=1, seed=seed)
        return torch.from_numpy(assign(space.blocks, centroids)[0])
