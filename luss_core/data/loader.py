"""Batches whose content is a function of (seed, epoch, image): workers and restarts change nothing."""

import os
import signal
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from luss_core import group
from luss_core.config import ViewsConfig
from luss_core.data.batch import Batch, make_batch
from luss_core.data.views import Key, ViewParameters, crop_view, sample_views, view_sizes
from luss_core.errors import UserError
from luss_core.runtime import derive_seed

Keys = list[tuple[int, Key]]
"""Of each image of a batch its position among those that are trained on, and what decides its views."""


class Images(Protocol):
    """Packed pixels, one (H, W, C) array a row."""

    def read(self, row: int) -> np.ndarray: ...


class Plane(NamedTuple):
    """Something that lies over the images and is cropped and flipped with them."""

    images: Images
    """(h, w, 1) of any resolution; row i belongs to row i of the store."""
    nearest: bool = False
    """For masks: ids cannot be averaged."""


class Order(Protocol):
    """Positions in the order in which an epoch takes them: at least as many as its steps need, repeated or not."""

    def __call__(self, epoch: int) -> np.ndarray: ...


class BatchSampler(Sampler[Keys]):
    """The batches of every epoch, from any step on; the last incomplete batch of an epoch is dropped.

    Of each batch a process takes its own part, so that all of them together see what one would.
    """

    def __init__(self, rows: np.ndarray, batch_size: int, order: Order, start: int, stop: int):
        self.rows, self.batch_size, self.order, self.start, self.stop = rows, batch_size, order, start, stop
        self.part = group.own_slice(batch_size)

    def __iter__(self) -> Iterator[Keys]:
        per_epoch = len(self.rows) // self.batch_size
        at, order, repeats = -1, np.empty(0, np.int64), np.empty(0, np.int64)
        for step in range(self.start, self.stop):
            epoch, k = divmod(step, per_epoch)
            if epoch != at:
                at, order = epoch, self.order(epoch)
                repeats = occurrences(order)
            own = slice(k * self.batch_size + self.part.start, k * self.batch_size + self.part.stop)
            drawn = zip(order[own].tolist(), repeats[own].tolist(), strict=True)
            yield [(position, Key(epoch, int(self.rows[position]), repeat)) for position, repeat in drawn]

    def __len__(self) -> int:
        return self.stop - self.start


def shuffled(size: int, seed: int) -> Order:
    """Every image once an epoch."""
    return lambda epoch: np.random.default_rng(derive_seed(seed, epoch)).permutation(size)


def occurrences(values: np.ndarray) -> np.ndarray:
    """(n,) how often each value has occurred before."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    place = np.arange(len(values))
    begins = np.concatenate([[True], ordered[1:] != ordered[:-1]])[: len(values)]
    first = np.maximum.accumulate(np.where(begins, place, 0))
    found = np.empty_like(place)
    found[order] = place - first
    return found


class Views(Dataset[Batch]):
    """Random views of some images; an item is a whole batch."""

    def __init__(
        self,
        store: Images,
        rows: np.ndarray,
        cfg: ViewsConfig,
        seed: int,
        labels: np.ndarray | None = None,
        planes: Mapping[str, Plane] | None = None,
        partners: np.ndarray | None = None,
    ):
        """Args:
        rows: (n,) the images to train on, as rows of the store.
        labels: (n,) labels of those rows, 0-based.
        planes: by name, for the views of the first size.
        partners: (n,) of each image the row of the later frame of its pair, which every second view of the first size
            shows with the crop and the flip of the view before it.
        """
        self.store, self.rows, self.cfg, self.seed, self.labels = store, rows, cfg, seed, labels
        self.planes, self.partners = dict(planes or {}), partners

    def __getitem__(self, keys: Keys) -> Batch:
        positions = [position for position, _ in keys]
        images, parameters = self.draw(keys)
        later = images if self.partners is None else self._read(self.store, self.partners[positions])
        sizes, large = view_sizes(self.cfg), self.cfg.crops[0].count
        crops = [
            crop_view(later if _is_later(v, large) else images, p, size)
            for v, (p, size) in enumerate(zip(parameters, sizes, strict=True))
        ]
        label = None if self.labels is None else torch.from_numpy(self.labels[positions])
        return make_batch(crops, parameters, positions, label, self._planes(positions, parameters[:large]))

    def draw(self, keys: Keys) -> tuple[list[np.ndarray], list[ViewParameters]]:
        """Images, and what their views are."""
        images = self._read(self.store, self.rows[[position for position, _ in keys]])
        shapes = np.array([image.shape[:2] for image in images])
        drawn = sample_views(self.cfg, self.seed, [key for _, key in keys], shapes)
        if self.partners is not None:
            for v in filter(lambda v: _is_later(v, self.cfg.crops[0].count), range(len(drawn))):
                drawn[v] = replace(drawn[v], box=drawn[v - 1].box, flip=drawn[v - 1].flip)
        return images, drawn

    @property
    def categories(self) -> int:
        """How many labels there are; 0 without."""
        return 0 if self.labels is None else int(self.labels.max()) + 1

    def keys(self, epoch: int, positions: Iterable[int]) -> Keys:
        """Those of images that an epoch shows once."""
        return [(position, Key(epoch, int(self.rows[position]))) for position in positions]

    def _planes(self, positions: list[int], large: list[ViewParameters]) -> dict[str, list[Tensor]]:
        size, found = self.cfg.crops[0].size, {}
        for name, plane in self.planes.items():
            maps = self._read(plane.images, self.rows[positions])
            found[name] = [crop_view(maps, p, size, plane.nearest) for p in large]
        return found

    @staticmethod
    def _read(source: Images, rows: np.ndarray) -> list[np.ndarray]:
        return [source.read(int(row)) for row in rows]

    def __len__(self) -> int:
        return len(self.rows)


def _is_later(view: int, large: int) -> bool:
    """Whether a view shows the later frame of a pair."""
    return view < large and view % 2 == 1


def make_loader(
    views: Views,
    batch_size: int,
    start: int,
    stop: int,
    workers: int,
    device: torch.device,
    order: Order | None = None,
) -> DataLoader[Batch]:
    """Batches ``start`` to ``stop`` of a training run.

    Args:
        order: None takes every image once an epoch.
    """
    sampler = BatchSampler(views.rows, batch_size, order or shuffled(len(views), views.seed), start, stop)
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


def usable_batch(size: int, batch_size: int) -> int:
    """Images of a batch: of few images all, or as many as the processes can share.

    Raises:
        UserError: the processes cannot share a batch evenly, or there are fewer images than processes.
    """
    processes = group.world_size()
    if batch_size % processes:
        raise UserError(
            f"train.batch_size = {batch_size} images cannot be shared evenly by {processes} processes;"
            f" set it to a multiple of {processes}"
        )
    if size < processes:
        raise UserError(f"{size} training images are fewer than the {processes} processes that train; lower gpus")
    return min(batch_size, size - size % processes)
