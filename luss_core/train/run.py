"""The folder of a training run: lock, checkpoint and log. It outlives interruptions; a finished run removes it.

Of several processes all read it and the first writes it.
"""

import hashlib
import json
import logging
import pickle
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any

import torch

from luss_core import group
from luss_core.errors import UserError
from luss_core.io import atomic, locked

logger = logging.getLogger(__name__)


class Run:
    """State of one training run on disk."""

    def __init__(self, folder: Path, settings: Any):
        """Args:
        folder: where the state lives; no output of a rule, since those are deleted when a job is interrupted.
        settings: everything that decides what is trained; a checkpoint made with other settings is not used.
        """
        self.folder = folder
        self.checkpoint, self.log = folder / "last.pt", folder / "log.jsonl"
        self.fingerprint = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder against a second trainer.

        Raises:
            UserError: another process trains here, or the folder cannot be written.
        """
        with nullcontext() if group.rank() else locked(self.folder, "training"):
            yield

    def save(self, state: dict[str, Any]) -> None:
        """Write the checkpoint whole or not at all."""
        if group.rank():
            return
        with atomic(self.checkpoint) as partial:
            torch.save({"fingerprint": self.fingerprint, **state}, partial)

    def load(self, device: torch.device) -> dict[str, Any] | None:
        """The checkpoint, or None where there is none made with these settings.

        Raises:
            UserError: it is damaged.
        """
        if not self.checkpoint.exists():
            return None
        try:
            state = torch.load(self.checkpoint, map_location=device, weights_only=True)
        except (RuntimeError, EOFError, pickle.UnpicklingError, OSError) as error:
            raise UserError(f"{self.checkpoint} cannot be read ({error}); delete it to train from the start") from error
        if state.get("fingerprint") != self.fingerprint:
            logger.info("%s was made with other settings or images: training begins anew", self.checkpoint)
            return None
        return state

    def open_log(self, step: int) -> AbstractContextManager[IO[str] | None]:
        """The log, cut back to the steps before ``step`` and ready for more; None where another process writes it."""
        if group.rank():
            return nullcontext()
        lines = self.log.read_text(encoding="utf-8").splitlines() if step and self.log.exists() else []
        kept = [line for line in lines if line.endswith("}") and json.loads(line)["step"] < step]
        with atomic(self.log) as partial:
            partial.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
        return self.log.open("a", encoding="utf-8")

    def finish(self, log: Path) -> None:
        """Hand the log over and remove the state: the outputs are written, and a new run must not go on from it."""
        with atomic(log) as partial:
            if self.log.exists():
                shutil.copyfile(self.log, partial)
            else:
                partial.touch()
        shutil.rmtree(self.folder)
