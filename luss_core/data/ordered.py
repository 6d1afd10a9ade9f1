"""Every training image as it is, in order: what extraction and the work of methods between epochs look at."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from luss_core import group
from luss_core.data.features import Features, write_features
from luss_core.data.loader import Views
from luss_core.data.whole import squares, to_network
from luss_core.parallel import progress
from luss_core.runtime import autocast

BATCH = 64


class TrainingImages:
    """What a method may look at between epochs: centre squares of the images that it trains on, not augmented.

    A square is as large as a large view, in an image whose shorter side is 8/7 of that: 224 of 256 in all the papers.
    """

    def __init__(
        self, views: Views, device: torch.device, precision: Literal["auto", "float32", "bfloat16"], folder: Path
    ):
        """Args:
        folder: of the training, where vectors lie while they are used: memory stays flat.
        """
        self._views, self._device, self._precision, self._folder = views, device, precision, folder

    def __len__(self) -> int:
        return len(self._views)

    @contextmanager
    def vectors(self, function: Callable[[Tensor], Tensor], dim: int) -> Iterator[Features | None]:
        """(B, 3, H, W) normalised images -> (B, dim), of every image, in order.

        Several processes share the work, and the bits are those that one would find; the first reads them, the others
        are given None.
        """
        crop, file = self._views.cfg.crops[0].size, self._folder / "between-epochs.h5"
        with autocast(self._precision, self._device):
            write_vectors(
                file, {}, self._views.rows, lambda rows: squares(self._views.store, rows, crop * 8 // 7, crop, BATCH),
                BATCH, dim, lambda images: function(to_network(images, self._device)).float(), self._device,
            )  # fmt: skip
        try:
            yield Features(file) if group.rank() == 0 else None
        finally:
            if group.rank() == 0:
                file.unlink(missing_ok=True)


def write_vectors(
    out: Path,
    about: dict[str, Any],
    rows: np.ndarray,
    batches_of: Callable[[np.ndarray], Iterator[Tensor]],
    batch_size: int,
    dim: int,
    function: Callable[[Tensor], Tensor],
    device: torch.device,
) -> None:
    """Write (n, dim) vectors of the images ``rows``: ``function`` of the (B, 3, h, w) uint8 batches of ``batches_of``.

    Memory does not grow with the number of images: one batch at a time goes from the store to the file. Several
    processes take turns with the batches, and the first of them writes. Batches are those of the whole, and so is
    every bit of the vectors.
    """
    at_once = batch_size * group.world_size()
    first = write_features(out, len(rows), dim, about) if group.rank() == 0 else nullcontext()
    with first as writer, torch.inference_mode():
        batches = batches_of(own_batches(rows, batch_size))
        for start in progress(range(0, len(rows), at_once), -(-len(rows) // at_once), "batches"):
            vectors = torch.empty(0, dim, device=device)
            for batch in islice(batches, 1):
                vectors = function(batch)
            vectors = group.in_order(vectors, batch_size)
            if writer is not None:
                writer.append(vectors.cpu().numpy(), rows[start : start + at_once])


def own_batches(rows: np.ndarray, batch_size: int) -> np.ndarray:
    """The rows of every batch that is this process's turn."""
    return rows[np.arange(len(rows)) // batch_size % group.world_size() == group.rank()]
