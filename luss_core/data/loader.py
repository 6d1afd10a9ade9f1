"""Batches whose content is a function of (seed, epoch, image): workers and restarts change nothing."""

import os
import signal
import threading
from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from luss_core import group
from luss_core.config import ViewsConfig
from luss_core.data.batch import Batch
from luss_core.data.views import ViewParameters, crop_view, sample_views, view_sizes
from luss_core.errors import UserError
from luss_core.runtime import derive_seed

BatchKey = tuple[int, list[int]]
"""Epoch, and positions in the list of images."""


class Images(Protocol):
    """Packed pixels, one (H, W, C) uint8 array a row."""

    def read(self, row: int) -> np.ndarray: ...


class BatchSampler(Sampler[BatchKey]):
    """The batches of every shuffled epoch, from any step on; the last incomplete batch of an epoch is dropped.

    Of each batch a process takes its own part, so that all of them together see what one would.
    """

    def __init__(self, size: int, batch_size: int, seed: int, start: int, stop: int):
        self.size, self.batch_size, self.seed, self.start, self.stop = size, batch_size, seed, start, stop
        self.part = group.share(batch_size)

    def __iter__(self) -> Iterator[BatchKey]:
        per_epoch = self.size // self.batch_size
        shuffled, order = -1, np.empty(0, np.int64)
        for step in range(self.start, self.stop):
            epoch, k = divmod(step, per_epoch)
            if epoch != shuffled:
                shuffled, order = epoch, np.random.default_rng(derive_seed(self.seed, epoch)).permutation(self.size)
            yield epoch, order[k * self.batch_size : (k + 1) * self.batch_size][self.part].tolist()

    def __len__(self) -> int:
        return self.stop - self.start


class Views(Dataset[Batch]):
    """Random views of some images; an item is a whole batch."""

    def __init__(
        self,
        store: Images,
        rows: np.ndarray,
        cfg: ViewsConfig,
        seed: int,
        labels: np.ndarray | None = None,
        prior: Images | None = None,
    ):
        """Args:
        rows: (n,) the images to train on, as rows of the store.
        labels: (n,) pseudo labels of those rows, 0-based.
        prior: saliency maps (h, w, 1) of the rows of the store, of any resolution.
        """
        self.store, self.rows, self.cfg, self.seed, self.labels, self.prior = store, rows, cfg, seed, labels, prior

    def __getitem__(self, key: BatchKey) -> Batch:
        epoch, positions = key
        rows = self.rows[positions]
        images, parameters = self.draw(epoch, positions)
        crops = [crop_view(images, p, size) for p, size in zip(parameters, view_sizes(self.cfg), strict=True)]
        label = None if self.labels is None else torch.from_numpy(self.labels[positions]).long()
        return Batch(crops, parameters, torch.from_numpy(rows).long(), label, self._prior(rows, parameters))

    def draw(self, epoch: int, positions: list[int]) -> tuple[list[np.ndarray], list[ViewParameters]]:
        """Images, and what their views are in an epoch."""
        rows = self.rows[positions]
        images = [self.store.read(int(row)) for row in rows]
        shapes = np.array([image.shape[:2] for image in images])
        return images, sample_views(self.cfg, self.seed, epoch, rows.tolist(), shapes)

    def _prior(self, rows: np.ndarray, parameters: list[ViewParameters]) -> list[Tensor] | None:
        """The saliency of the large views."""
        if self.prior is None:
            return None
        maps = [self.prior.read(int(row)) for row in rows]
        large = self.cfg.crops[0]
        return [crop_view(maps, p, large.size) for p in parameters[: large.count]]

    def __len__(self) -> int:
        return len(self.rows)


def make_loader(
    views: Views, batch_size: int, start: int, stop: int, workers: int, device: torch.device
) -> DataLoader[Batch]:
    """Batches ``start`` to ``stop`` of a training run."""
    sampler = BatchSampler(len(views), batch_size, views.seed, start, stop)
    return DataLoader(
        views,
        batch_size=None,
        sampler=sampler,
        num_workers=workers,
        pin_memory=device.type == "cuda",
        persistent_workers=workers > 0,
        worker_init_fn=outlive_sigterm,
        prefetch_factor=4 if workers > 0 else None,
    )


def outlive_sigterm(worker: int) -> None:  # noqa: ARG001
    """For loader processes: a cluster sends SIGTERM to them too, and the step in progress, to be saved, needs them.

    Ctrl-C reaches them as well. That of the trainer itself, at its end, still ends them.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "sigwaitinfo"):  # not on macOS
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_end_when_the_trainer_says_so, daemon=True).start()


def _end_when_the_trainer_says_so() -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != os.getppid():
        pass
    os._exit(0)


def steps_per_epoch(size: int, batch_size: int) -> int:
    """Whole batches in an epoch.

    Raises:
        UserError: the images do not fill one batch, or the processes cannot share one evenly.
    """
    if batch_size % group.world_size():
        raise UserError(
            f"train.batch_size = {batch_size} images cannot be shared evenly by {group.world_size()} processes;"
            f" set it to a multiple of {group.world_size()}"
        )
    if size < batch_size:
        raise UserError(f"{size} training images do not fill one batch of train.batch_size = {batch_size}; lower it")
    return size // batch_size
