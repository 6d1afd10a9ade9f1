"""ODC: online deep clustering, Zhan et al. 2020, arXiv:2006.10645."""

import math
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from luss_core import group
from luss_core.config.methods import ODCConfig
from luss_core.data.batch import Batch
from luss_core.data.features import Features
from luss_core.data.ordered import TrainingImages
from luss_core.errors import UserError
from luss_core.kmeans import Space, assign, fit_centroids, sample_of
from luss_core.methods.base import Method, Output, Progress
from luss_core.models.encoder import Encoder, pool
from luss_core.models.host import to_device

SEEDS = 20_000
"""Of k-means, at the most."""
SAMPLE = 256
"""Vectors a cluster that k-means learns from, as faiss does by itself."""
ROUNDS = 5
"""Of the 2-means that splits a cluster."""


class ODC(Method):
    """Classifies images by clusters that change with every step: a memory of all images, and one of all centroids.

    As the paper, Sec. 3: k-means before the first step fills both memories. Then at each step what is remembered of
    the images of the batch moves towards what was just seen, F <- m F + (1 - m) f / |f|, and each takes the cluster of
    least |F - C|^2; centroids C are calculated anew every few steps; the images of a cluster that became too small go
    to the nearest others, and the largest is split in its place; and clusters weigh 1 / sqrt(size) in the loss. The
    classifier stays: clusters keep their numbers. Head: linear, BatchNorm, ReLU, dropout, linear, ReLU, as the code.

    The paper trains with SGD, 0.06, batches of 512, weight decay 1e-5, 440 epochs, 0.4 times as fast after 400.

    Departures: one small cluster is given up at each step, the smallest, where the code gives up all; nearest is by
    Euclidean distance, as the paper has it, where the code takes the greatest inner product. Nothing here depends on
    how many images a cluster has but masks over all of them, so that no GPU is waited for.
    """

    bank: Tensor  # (N, D) unit vectors, one a training image
    label: Tensor  # (N,) cluster of each training image
    centroids: Tensor  # (K, D) means of the unit vectors of each cluster

    def __init__(self, cfg: ODCConfig, encoder: Encoder, images: int):
        super().__init__()
        if images < cfg.clusters * cfg.smallest:
            raise UserError(
                f"{images} training images cannot form method.clusters = {cfg.clusters} of at least method.smallest ="
                f" {cfg.smallest} images each; lower one of them"
            )
        self.cfg, self.encoder = cfg, encoder
        self.inner = nn.Sequential(nn.Linear(encoder.width, cfg.hidden), nn.BatchNorm1d(cfg.hidden), nn.ReLU())
        self.outer = nn.Sequential(nn.Linear(cfg.hidden, cfg.dim), nn.ReLU())
        self.head = nn.Linear(cfg.dim, cfg.clusters)
        self.register_buffer("bank", F.normalize(torch.randn(images, cfg.dim), dim=1))
        self.register_buffer("label", torch.arange(images) % cfg.clusters)
        self.register_buffer("centroids", means(self.bank, self.label, cfg.clusters))

    def forward(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        z = self.outer(self._dropped(self.inner(pool(self.encoder(views[0])))))
        logits, label = self.head(z).float(), self.label[batch.index]
        weight = self.sizes().clamp(min=1).rsqrt()[label]
        loss = group.weighted_mean(F.cross_entropy(logits, label, reduction="none"), weight)
        changed = self.remember(z, batch.index)
        chance = loss.detach() / math.log(self.cfg.clusters)
        return Output(loss, {"chance": chance, "changed": changed, "smallest": self.sizes().min()})

    def sizes(self) -> Tensor:
        """(K,) float32 images of each cluster."""
        return torch.zeros_like(self.centroids[:, 0]).index_add(0, self.label, torch.ones_like(self.bank[:, 0]))

    @torch.no_grad()
    def remember(self, z: Tensor, index: Tensor) -> Tensor:
        """Move what is remembered of the images of all processes, and give each the nearest cluster.

        Returns:
            The share of these images whose cluster changed.
        """
        rows, seen = group.gather(index), F.normalize(group.gather(z.detach().float()), dim=1)
        moved = F.normalize(self.cfg.momentum * self.bank[rows] + (1 - self.cfg.momentum) * seen, dim=1)
        near = nearest(moved, self.centroids)
        changed = (near != self.label[rows]).float().mean()
        self.bank[rows], self.label[rows] = moved, near
        return changed

    @torch.no_grad()
    def after_step(self, progress: Progress) -> None:
        if (progress.step + 1) % self.cfg.refresh_steps == 0:
            self.centroids.copy_(self._shared(means(self.bank, self.label, self.cfg.clusters, self.centroids)))
        self.give_up_smallest()

    @torch.no_grad()
    def give_up_smallest(self) -> None:
        """If a cluster has too few images: they go to the nearest others, and it becomes half of the largest."""
        sizes, least = self.sizes(), self.cfg.smallest
        size, small = sizes.min(dim=0)
        wanted = size < least
        few = (self.label == small).float().topk(min(least, len(self.label))).indices  # all that it has, and others
        others = nearest(self.bank[few], self.centroids, sizes >= least)
        self.label[few] = torch.where((self.label[few] == small) & wanted, others, self.label[few])
        large = self.sizes().argmax()
        member = (self.label == large) & wanted
        self.label.masked_fill_(member & second_half(self.bank, member), small)
        both = torch.stack([small, large])
        split = _masked_means(self.bank, self.label == both[:, None])
        self.centroids.index_copy_(0, both, self._shared(torch.where(wanted, split, self.centroids[both])))

    @torch.no_grad()
    def before_epoch(self, progress: Progress, images: TrainingImages) -> Iterable[nn.Parameter]:
        """Fill the memories before the first step, by k-means on what the head makes of all images."""
        if progress.epoch == 0:
            seed = int(torch.randint(SEEDS, ()))
            with images.vectors(self._vectors, self.cfg.dim) as features:
                if features is not None:
                    self._fill(features, seed)
            self.bank.copy_(self._shared(self.bank))
            self.label.copy_(self._shared(self.label))
            self.centroids.copy_(self._shared(means(self.bank, self.label, self.cfg.clusters)))
        return ()

    def _vectors(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, D) unit vectors, without dropout."""
        return F.normalize(self.outer(self.inner(pool(self.encoder(images)))).float(), dim=1)

    def _fill(self, features: Features, seed: int) -> None:
        """The memory of all images from (N, D) vectors."""
        space = Space(features, sample_of(features.count, SAMPLE * self.cfg.clusters, seed), normalize=False)
        centroids, _ = fit_centroids(space.sample, self.cfg.clusters, self.cfg.iterations, restarts=1, seed=seed)
        self.label.copy_(torch.from_numpy(assign(space.blocks, centroids)[0]))
        start = 0
        for block in space.blocks():
            self.bank[start : start + len(block)] = torch.from_numpy(block).to(self.bank)
            start += len(block)

    def _dropped(self, hidden: Tensor) -> Tensor:
        """Some of the hidden layer, drawn by every process for the images of all: their number changes nothing."""
        if not self.cfg.dropout:
            return hidden
        batch, width = len(hidden) * group.world_size(), hidden.shape[1]
        kept = (torch.rand(batch, width) >= self.cfg.dropout)[group.own_slice(batch)]
        return hidden * to_device(kept.float(), hidden.device) / (1 - self.cfg.dropout)

    @staticmethod
    def _shared(found: Tensor) -> Tensor:
        """What the first process found: sums on a GPU differ from one to the next."""
        return group.from_first(found.clone, found)


def nearest(vectors: Tensor, centroids: Tensor, allowed: Tensor | None = None) -> Tensor:
    """(n,) of (n, D) vectors the nearest of (K, D) centroids, among the (K,) that are allowed."""
    with torch.autocast(vectors.device.type, enabled=False):
        near = 2 * vectors @ centroids.t() - centroids.square().sum(dim=1)
    return (near if allowed is None else near.masked_fill(~allowed, -torch.inf)).argmax(dim=1)


def means(vectors: Tensor, label: Tensor, count: int, empty: Tensor | None = None) -> Tensor:
    """(count, D) mean of the (n, D) vectors of each label; without any that of ``empty``, or zeros."""
    sizes = vectors.new_zeros(count).index_add(0, label, torch.ones_like(vectors[:, 0]))[:, None]
    found = vectors.new_zeros(count, vectors.shape[1]).index_add(0, label, vectors) / sizes.clamp(min=1)
    return found if empty is None else torch.where(sizes > 0, found, empty)


def second_half(vectors: Tensor, member: Tensor) -> Tensor:
    """(N,) which of the (N, D) vectors are in the second of two parts of the members, by 2-means.

    It begins with the member that is farthest from the mean, and the one farthest from that. Where all members are the
    same, every other one is.
    """
    one = _farthest(vectors, member, _masked_means(vectors, member[None]))
    two = _farthest(vectors, member, one)
    found = member
    for _ in range(ROUNDS):
        found = nearest(vectors, torch.cat([one, two])) == 1
        one, two = _masked_means(vectors, torch.stack([member & ~found, member & found])).split(1)
    apart = (member & found).any() & (member & ~found).any()
    return torch.where(apart, found, member.cumsum(dim=0) % 2 == 0)


def _farthest(vectors: Tensor, member: Tensor, point: Tensor) -> Tensor:
    """(1, D) the member that is farthest from a (1, D) point."""
    distance = (vectors - point).square().sum(dim=1).masked_fill(~member, -1)
    return vectors.index_select(0, distance.argmax(dim=0, keepdim=True))


def _masked_means(vectors: Tensor, members: Tensor) -> Tensor:
    """(m, D) means of the (N, D) vectors that each of (m, N) masks has; zeros without any."""
    weight = members.float()
    return weight @ vectors / weight.sum(dim=1, keepdim=True).clamp(min=1)
