"""PCL v2: prototypical contrastive learning, Li et al. 2020, arXiv:2005.04966."""

import math
from collections.abc import Iterable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from luss_core import group
from luss_core.config.methods import PCLConfig
from luss_core.data.batch import Batch
from luss_core.data.features import Features
from luss_core.data.ordered import TrainingImages
from luss_core.errors import UserError
from luss_core.kmeans import Space, assign, fit_centroids, sample_of
from luss_core.losses.prototypes import concentration, proto_nce
from luss_core.methods.base import Clustered, Output, Progress
from luss_core.methods.moco import Embedding, MoCo
from luss_core.models.encoder import Encoder, Maps
from luss_core.models.host import to_device

SEEDS = 20_000
"""Of k-means, at the most."""
SAMPLE = 256
"""Vectors a cluster that k-means learns from, as faiss does by itself."""


class PCL(MoCo):
    """MoCo v2, and from the first clustering on ProtoNCE (Eq. 11): InfoNCE plus its mean over several clusterings.

    Between epochs all images, as the copy sees them, are clustered by k-means into each of ``clusters``; the centroids
    are the prototypes, each with a concentration in place of a temperature (Eq. 12), as the code of the authors has it.
    They train as MoCo v2: SGD, 0.03, batches of 256, weight decay 1e-4, 200 epochs.

    Departures: the copy keeps no statistics of its own, so that between epochs it normalises
    with those of the network that learns; the negatives of a batch are drawn among all prototypes, and are never an
    image's own, where the code takes the prototypes of the batch and others; `clusters`, `negatives`, `every_epochs`.
    """

    cfg: PCLConfig
    cluster: Tensor  # (M, N) of each clustering the cluster of each image, numbered through all clusterings
    centroids: Tensor  # (K, D) unit vectors, of all clusterings
    phi: Tensor  # (K,) concentrations

    def __init__(self, cfg: PCLConfig, encoder: Encoder, images: int):
        super().__init__(cfg, encoder, images)
        if images < max(cfg.clusters):
            raise UserError(f"{images} training images cannot form method.clusters = {max(cfg.clusters)}; lower it")
        starts = torch.tensor([0, *cfg.clusters]).cumsum(dim=0)
        self.parts = [slice(int(a), int(b)) for a, b in zip(starts[:-1], starts[1:], strict=True)]
        self.register_buffer("cluster", starts[:-1, None].repeat(1, images))
        self.register_buffer("centroids", F.normalize(torch.randn(sum(cfg.clusters), cfg.dim), dim=1))
        self.register_buffer("phi", torch.full((sum(cfg.clusters),), cfg.temperature))

    def forward(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        query = self.query(views)
        loss = self.contrast(query, views)
        chance = loss.detach() / math.log(1 + self.cfg.queue)
        prototypes = torch.zeros_like(loss)
        if progress.epoch >= self.cfg.warmup_epochs:
            losses = [self._prototypes(query, batch.index, m) for m in range(len(self.parts))]
            prototypes = torch.stack(losses).mean()
        return Output(loss + prototypes, {"chance": chance, "prototype_loss": prototypes.detach()})

    def _prototypes(self, query: Tensor, index: Tensor, m: int) -> Tensor:
        """ProtoNCE with one clustering, whose negatives all processes draw alike."""
        part, count = self.parts[m], self.cfg.clusters[m]
        drawn = to_device(torch.randperm(count)[: self.cfg.negatives], index.device)
        return proto_nce(query, self.cluster[m, index] - part.start, drawn, self.centroids[part], self.phi[part])

    @torch.no_grad()
    def before_epoch(self, progress: Progress, images: TrainingImages) -> Iterable[nn.Parameter]:
        """Cluster all images anew, after the warm-up."""
        since = progress.epoch - self.cfg.warmup_epochs
        if since < 0 or since % self.cfg.every_epochs:
            return ()
        seed = int(torch.randint(SEEDS, ()))
        with images.vectors(self._as_the_copy, self.cfg.dim) as features:
            for m, part in enumerate(self.parts):
                places = self.cluster[m], self.centroids[part], self.phi[part]
                found = places if features is None else self._clustered(features, m, seed)
                for place, value in zip(places, found, strict=True):  # what the first process found, in all of them
                    place.copy_(group.from_first(partial(Tensor.clone, value), place))
        return ()

    def clusters_of(self, maps: Maps, index: Tensor) -> Clustered | None:
        """Of the first clustering; none before there is one."""
        label = self.cluster[0]
        return Clustered(label[index], self.cfg.clusters[0]) if bool((label != label[0]).any()) else None

    def _as_the_copy(self, images: Tensor) -> Tensor:
        """(B, D) unit vectors by the weights of the copy."""
        weights: dict[str, Tensor] = dict(self.target.network.named_parameters())
        found: Tensor = functional_call(Embedding(self.encoder, self.projector), weights, (images,))
        return found

    def _clustered(self, features: Features, m: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
        """Cluster of each image, centroids and concentrations of one clustering."""
        count = self.cfg.clusters[m]
        space = Space(features, sample_of(features.count, SAMPLE * count, seed), normalize=True)
        centroids, _ = fit_centroids(space.sample, count, self.cfg.iterations, self.cfg.restarts, seed)
        label, squared = (torch.from_numpy(found) for found in assign(space.blocks, centroids))
        distance = squared.clamp(min=0).sqrt()
        phi = concentration(distance, label.long(), count, self.cfg.temperature, self.cfg.alpha)
        return label + self.parts[m].start, F.normalize(torch.from_numpy(centroids), dim=1), phi
