"""The one training loop."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from luss_core import group
from luss_core.config import TrainConfig
from luss_core.data.batch import Batch
from luss_core.data.loader import Views, make_loader, shuffled, usable_batch
from luss_core.data.ordered import TrainingImages
from luss_core.methods.base import Method, Output, Progress
from luss_core.models.batchnorm import synchronized
from luss_core.runtime import autocast, derive_seed, try_kernels
from luss_core.train.folder import TrainingFolder
from luss_core.train.interruption import Interruption
from luss_core.train.journal import Journal
from luss_core.train.optim import learning_rate, make_optimizer

if TYPE_CHECKING:
    from luss_core.train.diagnostics import Diagnostics

log = logging.getLogger(__name__)

EPOCH_WORK, EPOCH_ORDER = 1, 2
"""What random numbers of an epoch are for."""


@dataclass(frozen=True)
class Resources:
    """What a run computes on; changes nothing in its result but rounding."""

    device: torch.device
    workers: int = 0
    """Processes that prepare batches."""
    threads: int = 1
    checkpoint_minutes: float = 10.0
    """Between checkpoints of a training; 0: one after every step."""


def fit(
    method: Method,
    views: Views,
    cfg: TrainConfig,
    folder: TrainingFolder,
    resources: Resources,
    stop: int | None = None,
    diagnostics: "Diagnostics | None" = None,
) -> None:
    """Train for cfg.epochs, going on from the checkpoint of ``folder`` if it has one made with the same settings.

    Writes folder.checkpoint (whole state) and folder.log (one object a step). ``stop`` ends after so many steps, as an
    interruption would. With 0 epochs the method stays as it is. Fewer images than ``cfg.batch_size`` are one batch,
    and a line says so. Several processes (`luss_core.group`) share each batch, and their number may change from one
    start to the next. ``diagnostics`` looks at the network between steps and changes nothing.

    Raises:
        UserError: a batch that the processes cannot share, another trainer in the folder, or a loss that is not finite
            (the last good checkpoint is kept).
        Interrupted: SIGTERM or SIGINT came; the state is saved.
    """
    batch_size = usable_batch(len(views), cfg.batch_size) if cfg.epochs else cfg.batch_size
    per_epoch = len(views) // batch_size if cfg.epochs else 1
    if batch_size < cfg.batch_size:
        log.warning("train.batch_size %d is lowered to %d: there are %d images", cfg.batch_size, batch_size, len(views))
    total = cfg.epochs * per_epoch
    device = resources.device
    try_kernels(device)
    if group.world_size() > 1:
        synchronized(method, device)
    method.to(device).to(memory_format=torch.channels_last).train()
    optimizer = make_optimizer(method, cfg, method.lr_scale)
    start = restore(method, optimizer, folder, device)
    if start:
        log.info("going on from step %d of %d (%s)", start, total, folder.checkpoint)
    network = group.parallel(method, device)
    last, images = min(total, stop or total), TrainingImages(views, device, cfg.precision, folder.path)
    with folder.open_log(start) as file, Interruption(resources.checkpoint_minutes) as interruption:
        journal = Journal(file, method.warning, total, per_epoch)
        for first, end in stretches(start, last, per_epoch if method.works_between_epochs else last):
            if method.works_between_epochs and first % per_epoch == 0:
                begin_epoch(method, optimizer, images, Progress(first, total, per_epoch), views.seed)
            order = partial(epoch_order, method, len(views), views.seed)
            loader = make_loader(views, batch_size, first, end, resources.workers, device, order)
            for step, batch in enumerate(loader, first):
                progress = Progress(step, total, per_epoch)
                found = {} if diagnostics is None else diagnostics.before(method, progress)
                torch.manual_seed(derive_seed(views.seed, step))
                lr = set_lr(optimizer, cfg, progress)
                out = train_step(method, optimizer, batch.to(device), cfg, progress, network)
                done = step + 1
                if diagnostics is not None and done == total:
                    found = diagnostics.at_end(method)
                journal.add(progress, lr, out, found)
                if interruption.due(done, device) or done in (total, stop):
                    journal.flush()
                    state = {"step": done, "method": method.state_dict(), "optimizer": optimizer.state_dict()}
                    folder.save(state | {"whole": done == total})
                    if done < total:
                        interruption.saved(done)


def stretches(start: int, stop: int, length: int) -> Iterator[tuple[int, int]]:
    """Steps [start, stop) cut at the multiples of ``length``: what the loader may prepare without stopping."""
    while start < stop:
        end = min(stop, (start // length + 1) * length)
        yield start, end
        start = end


def begin_epoch(method: Method, optimizer: Optimizer, images: TrainingImages, progress: Progress, seed: int) -> None:
    """Let the method work before an epoch."""
    torch.manual_seed(derive_seed(seed, progress.epoch, EPOCH_WORK))
    method.eval()
    with torch.no_grad():
        renewed = method.before_epoch(progress, images)
    method.train()
    for parameter in renewed:
        optimizer.state.pop(parameter, None)


def epoch_order(method: Method, size: int, seed: int, epoch: int) -> np.ndarray:
    """Positions of the images in the order of an epoch."""
    own = method.order(epoch, np.random.default_rng(derive_seed(seed, epoch, EPOCH_ORDER)))
    return shuffled(size, seed)(epoch) if own is None else own


def restore(method: Method, optimizer: Optimizer, folder: TrainingFolder, device: torch.device) -> int:
    """Load the checkpoint of a training, if there is one; the number of steps it has made."""
    state = folder.load(device)
    if state is None:
        return 0
    method.load_state_dict(state["method"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])


def set_lr(optimizer: Optimizer, cfg: TrainConfig, progress: Progress) -> float:
    """Set and return the learning rate of a step."""
    lr = learning_rate(cfg, progress.step, progress.total, progress.per_epoch)
    for part in optimizer.param_groups:
        part["lr"] = lr * part["scale"]
    return lr


def train_step(
    method: Method,
    optimizer: Optimizer,
    batch: Batch,
    cfg: TrainConfig,
    progress: Progress,
    network: nn.Module | None = None,
) -> Output:
    """One update of the weights from a batch of crops."""
    return update(method, optimizer, batch.views(), batch, cfg, progress, network)


def update(
    method: Method,
    optimizer: Optimizer,
    views: list[Tensor],
    batch: Batch,
    cfg: TrainConfig,
    progress: Progress,
    network: nn.Module | None = None,
) -> Output:
    """One update of the weights from coloured views: what a step costs without any data handling.

    ``network`` is the method as the processes of a group train it.
    """
    with autocast(cfg.precision, views[0].device):
        out: Output = (network or method)(views, batch, progress)
    optimizer.zero_grad(set_to_none=True)
    out.loss.backward()
    method.before_step(progress)
    optimizer.step()
    method.after_step(progress)
    return out
