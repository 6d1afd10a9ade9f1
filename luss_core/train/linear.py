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
from luss_core.losses.pixels import CrossEntropySum, resized_at
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
KEPT = 31 << 20
"""Bytes of freed memory that are kept."""
OFFSET = 3
"""What the random numbers of a step are for."""


class LinearHead(nn.Module):
    """(M, D) cells -> (C, M) logits: standardised channels, then a linear map. Folds into one linear map."""

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
        return torch.addmm(bias[:, None], weight, cells.float().t())  # in the other order it takes half as long again

    def folded(self) -> tuple[Tensor, Tensor]:
        """(C, D) weight and (C,) bias for channels as they are."""
        weight = self.weight * self.scale
        return weight, self.bias - weight @ self.mean


class Part(NamedTuple):
    """B images of a batch, all high or all wide, and some pixels of their labels."""

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
    """(B, r, c) int64."""


class CellBatch(NamedTuple):
    """The images of a step."""

    cells: Tensor
    """(M, D) float16 of all, part after part, image after image, row after row."""
    parts: list[Part]


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
    keep_freed_memory()
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
            out = Output(loss_of(head, batch))
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


def loss_of(head: LinearHead, batch: CellBatch) -> Tensor:
    """Cross-entropy of the logits, resized bilinearly to the label: mean over the labelled pixels of the batch."""
    logits = head(batch.cells).split([len(part.place) for part in batch.parts], dim=1)
    total = torch.stack([_sum_of(*pair) for pair in zip(logits, batch.parts, strict=True)]).sum()
    count = torch.stack([(part.labels != IGNORE).sum() for part in batch.parts]).sum()
    return total / count.clamp(min=1)


def _sum_of(logits: Tensor, part: Part) -> Tensor:
    images, (height, width) = len(part.shapes), part.shapes.amax(dim=0).tolist()
    padded = logits.new_zeros(len(logits), images * height * width).index_copy(1, part.place, logits)
    maps = padded.view(-1, images, height, width).transpose(0, 1)
    found = resized_at(maps, part.shapes, part.sizes, part.rows, part.columns).flatten(2)
    total: Tensor = CrossEntropySum.apply(found, part.labels.flatten(1), IGNORE)
    return total


def make_cells(
    cells: Cells, chosen: Sequence[int], stride: int, random: np.random.Generator, device: torch.device
) -> CellBatch:
    """A batch; of the labels every ``stride``-th row and column, from a random one on.

    High images and wide ones are apart: padded to one size, a quarter would be padding.
    """
    maps, labels = [cells.map(i) for i in chosen], [cells.labels(i) for i in chosen]
    start = [
        int(random.integers(min(stride, *sides))) for sides in zip(*(label.shape for label in labels), strict=True)
    ]
    high = [found.shape[0] > found.shape[1] for found in maps]
    groups = [[k for k, this in enumerate(high) if this == kind] for kind in sorted(set(high))]
    flat = np.concatenate([maps[k].reshape(-1, maps[k].shape[-1]) for group in groups for k in group])
    parts = [_part([maps[k] for k in group], [labels[k] for k in group], start, stride) for group in groups]
    on_device = [Part(*(torch.from_numpy(array).to(device) for array in part)) for part in parts]
    return CellBatch(torch.from_numpy(flat).to(device), on_device)


def _part(maps: list[np.ndarray], labels: list[np.ndarray], start: list[int], stride: int) -> tuple[np.ndarray, ...]:
    """The fields of a part."""
    shapes, sizes = (np.array([array.shape[:2] for array in arrays]) for arrays in (maps, labels))
    rows, columns = (np.arange(first, last, stride) for first, last in zip(start, sizes.max(axis=0), strict=True))
    sampled = np.full((len(labels), len(rows), len(columns)), IGNORE, np.int64)
    for own, label in zip(sampled, labels, strict=True):
        part = label[start[0] :: stride, start[1] :: stride]
        own[: part.shape[0], : part.shape[1]] = part
    return shapes, sizes, _places(shapes), rows, columns, sampled


def _places(shapes: np.ndarray) -> np.ndarray:
    """(M,) places of the cells of all maps, (B, 2) large, in maps that are padded to the largest."""
    height, width = shapes.max(axis=0)
    inside = (np.arange(height)[:, None] < shapes[:, :1, None]) & (np.arange(width) < shapes[:, 1:, None])
    return np.flatnonzero(inside)


def keep_freed_memory() -> None:
    """Have glibc keep what tensors of a step leave free: to give it back and take it again costs a tenth of a step.

    It takes the largest block that was freed, up to 32 MB, for the measure of what to keep.
    """
    torch.empty(KEPT, dtype=torch.uint8)


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
