"""The one training loop."""

import json
import logging
import math
import time
from dataclasses import dataclass
from typing import IO

import torch
from torch import Tensor

from luss_core.config import TrainConfig
from luss_core.data.batch import Batch
from luss_core.data.loader import Views, make_loader, steps_per_epoch
from luss_core.errors import UserError
from luss_core.methods.base import Method, Output, Progress
from luss_core.runtime import autocast, derive_seed
from luss_core.train.optim import cosine_lr, make_optimizer
from luss_core.train.run import Run
from luss_core.train.stop import stop_on_sigterm

log = logging.getLogger(__name__)

FLUSH = 10
"""Steps between reads of the losses, so that a GPU is not waited for at every step."""
REPORT_SECONDS = 15
"""Between progress lines."""


@dataclass(frozen=True)
class Resources:
    """What a run computes on; changes nothing in its result but rounding."""

    device: torch.device
    workers: int = 0


def fit(
    method: Method, views: Views, cfg: TrainConfig, run: Run, resources: Resources, stop: int | None = None
) -> None:
    """Train for cfg.epochs, going on from the checkpoint of ``run`` if it has one made with the same settings.

    Writes run.checkpoint (whole state) and run.log (one object a step). ``stop`` ends after so many steps, as an
    interruption would. With 0 epochs the method stays as it is.

    Raises:
        UserError: fewer images than a batch, another trainer in the folder, a loss that is not finite (the last good
            checkpoint is kept), or SIGTERM (the step in progress is completed and saved).
    """
    per_epoch = steps_per_epoch(len(views), cfg.batch_size) if cfg.epochs else 1
    total = cfg.epochs * per_epoch
    device = resources.device
    method.to(device).to(memory_format=torch.channels_last).train()
    optimizer = make_optimizer(method, cfg, method.lr_scale)
    state = run.load(device)
    if state is not None:
        method.load_state_dict(state["method"])
        optimizer.load_state_dict(state["optimizer"])
        log.info("going on from step %d of %d (%s)", state["step"], total, run.checkpoint)
    start = int(state["step"]) if state is not None else 0
    loader = make_loader(views, cfg.batch_size, start, min(total, stop or total), resources.workers, device)
    with run.open_log(start) as file, stop_on_sigterm() as asked_to_end:
        journal = _Journal(file, method, cfg, total, per_epoch)
        for step, batch in enumerate(loader, start):
            progress = Progress(step, total, per_epoch)
            torch.manual_seed(derive_seed(views.seed, step))
            lr = set_lr(optimizer, cfg, progress)
            out = train_step(method, optimizer, batch.to(device), cfg, progress)
            journal.add(progress, lr, out)
            done = step + 1
            early = asked_to_end.asked and done < total
            if early or done % (cfg.checkpoint_epochs * per_epoch) == 0 or done in (total, stop):
                journal.flush()
                run.save({"step": done, "method": method.state_dict(), "optimizer": optimizer.state_dict()})
            if early:
                raise UserError(
                    f"asked to end (SIGTERM) at step {done} of {total}: saved; started again, it goes on there"
                )


def set_lr(optimizer: torch.optim.Optimizer, cfg: TrainConfig, progress: Progress) -> float:
    """Set and return the learning rate of a step."""
    lr = cosine_lr(progress.step, progress.total, round(cfg.warmup_epochs * progress.per_epoch), cfg.lr, cfg.final_lr)
    for group in optimizer.param_groups:
        group["lr"] = lr * group["scale"]
    return lr


def train_step(
    method: Method, optimizer: torch.optim.Optimizer, batch: Batch, cfg: TrainConfig, progress: Progress
) -> Output:
    """One update of the weights from a batch of crops."""
    return update(method, optimizer, batch.views(), batch, cfg, progress)


def update(
    method: Method,
    optimizer: torch.optim.Optimizer,
    views: list[Tensor],
    batch: Batch,
    cfg: TrainConfig,
    progress: Progress,
) -> Output:
    """One update of the weights from coloured views: what a step costs without any data handling."""
    with autocast(cfg.precision, views[0].device):
        out = method(views, batch, progress)
    optimizer.zero_grad(set_to_none=True)
    out.loss.backward()
    method.before_step(progress)
    optimizer.step()
    method.after_step(progress)
    return out


class _Journal:
    """Collects the numbers of each step, writes them in groups, and says aloud how training goes."""

    def __init__(self, file: IO[str], method: Method, cfg: TrainConfig, total: int, per_epoch: int):
        self.file, self.method, self.cfg, self.total, self.per_epoch = file, method, cfg, total, per_epoch
        self.pending: list[tuple[Progress, float, dict[str, Tensor]]] = []
        self.begun = self.said = self.flushed = time.monotonic()
        self.first: int | None = None
        self.warned = False

    def add(self, progress: Progress, lr: float, out: Output) -> None:
        self.pending.append((progress, lr, {"loss": out.loss.detach(), **out.logs}))
        if len(self.pending) >= FLUSH:
            self.flush()

    def flush(self) -> None:
        if not self.pending:
            return
        now = time.monotonic()
        seconds = (now - self.flushed) / len(self.pending)
        for progress, lr, values in self.pending:
            numbers = {name: round(float(value), 6) for name, value in values.items()}
            if not math.isfinite(numbers["loss"]):
                self.file.flush()
                raise UserError(_not_finite(numbers["loss"], progress))
            epoch = round(progress.step / self.per_epoch, 4)
            record = {"step": progress.step, "epoch": epoch, **numbers, "lr": lr, "seconds": round(seconds, 4)}
            self.file.write(json.dumps(record) + "\n")
        self.file.flush()
        self.pending.clear()
        self.flushed = now
        self._say(progress, numbers, now)

    def _say(self, progress: Progress, numbers: dict[str, float], now: float) -> None:
        if self.first is None:
            self.first = progress.step
            self.begun = now
        done = progress.step + 1
        if now - self.said >= REPORT_SECONDS or done == self.total:
            self.said = now
            rate = (progress.step - self.first) / max(now - self.begun, 1e-9)
            left = f", {(self.total - done) / rate / 60:.1f} min left" if rate > 0 else ""
            text = ", ".join(f"{name} {value:.3f}" for name, value in numbers.items())
            log.info("epoch %d, step %d of %d: %s%s", progress.epoch, done, self.total, text, left)
        warning = None if self.warned else self.method.warning(numbers, progress)
        if warning:
            self.warned = True
            log.warning("step %d: %s", done, warning)


def _not_finite(loss: float, progress: Progress) -> str:
    return (
        f"the loss is {loss} at step {progress.step} of {progress.total}. The last good checkpoint is kept; to try"
        " again with other settings, lower train.lr, lengthen train.warmup_epochs, or set train.precision: float32"
    )
