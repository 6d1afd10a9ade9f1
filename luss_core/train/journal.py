"""The log of a training run: a line a step in a file, and now and then a line for people."""

import json
import logging
import math
import time
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

import torch
from torch import Tensor

from luss_core import group
from luss_core.errors import UserError
from luss_core.io import writing
from luss_core.methods.base import Output, Progress

log = logging.getLogger(__name__)

FLUSH = 10
"""Steps between reads of the losses, so that a GPU is not waited for at every step."""
REPORT_SECONDS = 15
"""Between progress lines."""

Warn = Callable[[dict[str, Any], Progress], str | None]


class Journal:
    """Collects the numbers of each step, writes them in groups, and says aloud how training goes."""

    def __init__(self, file: IO[str] | None, warning: Warn, total: int, per_epoch: int):
        """Args:
        file: where each step becomes a line; None in all processes but the first.
        warning: what looks wrong in the numbers of a step, as `Method.warning`.
        """
        self.file, self.warning, self.total, self.per_epoch = file, warning, total, per_epoch
        self.pending: list[tuple[Progress, float, Mapping[str, float], dict[str, Tensor]]] = []
        self.begun = self.said = self.flushed = time.monotonic()
        self.first: int | None = None
        self.warned = False

    def add(
        self, progress: Progress, lr: float, out: Output, found: Mapping[str, float] = MappingProxyType({})
    ) -> None:
        """Args:
        found: numbers that are of this process alone, for the log.
        """
        self.pending.append((progress, lr, found, {"loss": out.loss.detach(), **out.logs}))
        if len(self.pending) >= FLUSH:
            self.flush()

    def flush(self) -> None:
        if not self.pending:
            return
        now = time.monotonic()
        seconds = (now - self.flushed) / len(self.pending)
        memory = gpu_memory(self.pending[0][-1]["loss"].device)
        for (progress, lr, found, values), row in zip(self.pending, self._averaged(), strict=True):
            numbers = {name: round(value, 6) for name, value in zip(values, row, strict=True)}
            if not math.isfinite(numbers["loss"]):
                raise UserError(_not_finite(numbers["loss"], progress))
            epoch = round(progress.step / self.per_epoch, 4)
            record = {"step": progress.step, "epoch": epoch, **numbers, **found, "lr": lr, "seconds": round(seconds, 4)}
            self._write(record | memory)
        self.pending.clear()
        self.flushed = now
        if self.file is not None:
            with writing(Path(self.file.name)):
                self.file.flush()
            self._say(progress, numbers, now)

    def _averaged(self) -> list[list[float]]:
        """The numbers of each pending step, as means over the processes; what is the same everywhere stays so."""
        device = self.pending[0][-1]["loss"].device
        flat = torch.stack([value.float().to(device) for *_, values in self.pending for value in values.values()])
        averaged = iter((group.total(flat) / group.world_size()).tolist())
        return [list(islice(averaged, len(values))) for *_, values in self.pending]

    def _write(self, record: dict[str, Any]) -> None:
        if self.file is not None:
            with writing(Path(self.file.name)):
                self.file.write(json.dumps(record) + "\n")

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
        warning = None if self.warned else self.warning(numbers, progress)
        if warning:
            self.warned = True
            log.warning("step %d: %s", done, warning)


def gpu_memory(device: torch.device) -> dict[str, float]:
    """The most that this process has held of a GPU, in MB; nothing of a processor, whose jobs Snakemake measures."""
    return {"gpu_mb": round(torch.cuda.max_memory_allocated(device) / 1e6)} if device.type == "cuda" else {}


def _not_finite(loss: float, progress: Progress) -> str:
    return (
        f"the loss is {loss} at step {progress.step} of {progress.total}. The last good checkpoint is kept; to try"
        " again with other settings, lower train.lr, lengthen train.warmup_epochs, or set train.precision: float32"
    )
