"""The loop of a linear probe: a few matrix products a step over stored maps.

Not `train.loop`: there are no views to be made and nothing to be shared among processes, and its work of loading and
copying a batch would take longer than the step.
"""

import logging
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from luss_core.config import LinearConfig
from luss_core.data.cells import Cells
from luss_core.data.loader import shuffled
from luss_core.data.masks import IGNORE
from luss_core.losses.pixels import labelled_cross_entropy, resized_at
from luss_core.methods.base import Output, Progress
from luss_core.runtime import derive_seed
from luss_core.train.folder import TrainingFolder
from luss_core.train.interruption import Interruption
from luss_core.train.journal import Journal
from luss_core.train.loop import Resources
from luss_core.train.optim import learning_rate, make_optimizer

log = logging.getLogger(__name__)

MEASURED = 1000
"""Images, at the most, from which mean and deviation of the channels are found; of more an even sample."""
OFFSET = 3
"""What the random numbers of a step are for."""


class LinearHead(nn.Module):
    """(M, D) cells -> (M, C) logits: standardised channels, then a linear map. Folds into one linear map."""

    mean: Tensor  # (D,)
    scale: Tensor  # (D,) 0 of a channel that never varies

    def __init__(self, width: int, classes: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(classes, width).normal_(std=0.01))
        self.bias = nn.Parameter(torch.zeros(classes))
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))

    def forward(self, cells: Tensor) -> Tensor:
        weight, bias = self.folded()
        return torch.addmm(bias, cells.float(), weight.t())

    def folded(self) -> tuple[Tensor, Tensor]:
        """(C, D) weight and (C,) bias for channels as they are."""
        weight = self.weight * self.scale
        return weight, self.bias - weight @ self.mean


class CellBatch(NamedTuple):
    """Maps of B images and some pixels of their labels."""

    cells: Tensor
    """(M, D) float16, image after image, row after row."""
    shapes: Tensor
    """(B, 2) heights and widths of the maps."""
    sizes: Tensor
    """(B, 2) of the labels."""
    place: Tensor
    """(M,) where each cell lies in maps that are padded to the largest."""
    rows: Tensor
    """(r,) of the labels."""
    columns: Tensor
    labels: Tensor
    """(B, c, r) int64."""


def fit_linear(
    head: LinearHead, cells: Cells, cfg: LinearConfig, seed: int, folder: TrainingFolder, resources: Resources
) -> None:
    """Train for cfg.train.epochs, going on from the checkpoint of ``folder``.

    Raises:
        UserError: a loss that is not finite.
        Interrupted: SIGTERM or SIGINT came; the state is saved.
    """
    train, device = cfg.train, resources.device
    size = min(train.batch_size, len(cells))
    per_epoch = len(cells) // size
    total = train.epochs * per_epoch
    optimizer = make_optimizer(head.to(device), train)
    state = folder.load(device)
    start = 0
    if state is not None:
        head.load_state_dict(state["method"])
        optimizer.load_state_dict(state["optimizer"])
        start = int(state["step"])
        log.info("going on from step %d of %d (%s)", start, total, folder.checkpoint)
    with folder.open_log(start) as file, Interruption(resources.checkpoint_minutes) as interruption:
        journal = Journal(file, lambda *_: None, total, per_epoch)
        for step in range(start, total):
            progress = Progress(step, total, per_epoch)
            if step == start or step % per_epoch == 0:
                order = shuffled(len(cells), seed)(progress.epoch)
            k = step % per_epoch
            random = np.random.default_rng(derive_seed(seed, step, OFFSET))
            batch = make_cells(cells, order[k * size : (k + 1) * size].tolist(), cfg.label_stride, random, device)
            lr = learning_rate(train, step, total, per_epoch)
            for part in optimizer.param_groups:
                part["lr"] = lr
            out = loss_of(head, batch)
            optimizer.zero_grad(set_to_none=True)
            out.loss.backward()
            optimizer.step()
            journal.add(progress, lr, out)
            if interruption.due(step + 1, device) or step + 1 == total:
                journal.flush()
                state = {"step": step + 1, "method": head.state_dict(), "optimizer": optimizer.state_dict()}
                folder.save(state | {"whole": step + 1 == total})
                if step + 1 < total:
                    interruption.saved(step + 1)


def loss_of(head: LinearHead, batch: CellBatch) -> Output:
    """Cross-entropy of the logits, resized bilinearly to the label, at the pixels of the batch."""
    images, (height, width) = len(batch.shapes), batch.shapes.amax(dim=0).tolist()
    logits = head(batch.cells)
    padded = logits
    if len(logits) < images * height * width:
        padded = logits.new_zeros(images * height * width, logits.shape[1]).index_copy(0, batch.place, logits)
    maps = padded.view(images, height, width, -1)
    found = resized_at(maps, batch.shapes, batch.sizes, batch.rows, batch.columns).flatten(0, 2)
    return Output(labelled_cross_entropy(found, batch.labels.flatten(), IGNORE))


def make_cells(
    cells: Cells, chosen: Sequence[int], stride: int, random: np.random.Generator, device: torch.device
) -> CellBatch:
    """A batch; of the labels every ``stride``-th row and column, from a random one on."""
    maps, labels = [cells.map(i) for i in chosen], [cells.labels(i) for i in chosen]
    shapes = np.array([found.shape[:2] for found in maps])
    sizes = np.array([label.shape for label in labels])
    most = shapes.max(axis=0)
    place = [
        i * most[0] * most[1] + (np.arange(h)[:, None] * most[1] + np.arange(w)).ravel()
        for i, (h, w) in enumerate(shapes)
    ]
    top, left = (int(random.integers(min(stride, side))) for side in sizes.min(axis=0))
    rows, columns = np.arange(top, sizes[:, 0].max(), stride), np.arange(left, sizes[:, 1].max(), stride)
    sampled = np.full((len(chosen), len(columns), len(rows)), IGNORE, np.int64)
    for i, label in enumerate(labels):
        part = label[top::stride, left::stride].T
        sampled[i, : part.shape[0], : part.shape[1]] = part
    flat = np.concatenate([found.reshape(-1, found.shape[-1]) for found in maps])
    arrays = flat, shapes, sizes, np.concatenate(place), rows, columns, sampled
    return CellBatch(*(torch.from_numpy(array).to(device) for array in arrays))


def standardize(head: LinearHead, cells: Cells) -> None:
    """Set mean and scale so that all channels vary equally over the cells of the images, together by 1.

    The squared length of a cell bounds the curvature of the loss: at a mean of 1, a rate of 0.6 does not diverge.
    """
    chosen = np.unique(np.linspace(0, len(cells) - 1, MEASURED).astype(int)).tolist()
    count, total, squares = 0, 0.0, 0.0
    for i in chosen:
        found = cells.map(i).reshape(-1, len(head.mean)).astype(np.float64)
        count, total, squares = count + len(found), total + found.sum(axis=0), squares + (found**2).sum(axis=0)
    mean = np.asarray(total / count)
    deviation = np.sqrt(np.maximum(np.asarray(squares / count) - mean**2, 0))
    varies = deviation > 1e-4 * np.abs(mean) + 1e-8  # else what is left is rounding
    scale = np.where(varies, 1 / np.maximum(deviation, 1e-8), 0) / np.sqrt(max(1, varies.sum()))
    with torch.no_grad():
        head.mean.copy_(torch.from_numpy(mean))
        head.scale.copy_(torch.from_numpy(scale))
