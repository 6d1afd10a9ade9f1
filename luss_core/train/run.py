"""The folder of a training run: lock, checkpoint and log. It outlives interruptions, and the end of the run as well.

A job can be taken for failed although it was through, as when SLURM finds it over its time limit, and Snakemake then
deletes what it made; the last checkpoint gives that back. Of several processes all read the folder and the first writes
it.
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

import luss_core
from luss_core import group
from luss_core.errors import UserError
from luss_core.io import LIBRARIES, atomic, locked, versions

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
        self.code = code()

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
            torch.save({"fingerprint": self.fingerprint, "code": self.code, **state}, partial)

    def load(self, device: torch.device) -> dict[str, Any] | None:
        """The checkpoint, or None where there is none made with these settings.

        That of a whole training is used only as long as the code is the same, too: who runs a finished stage again with
        changed code wants to see what changed.

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
        if state.get("whole") and state["code"] != self.code:
            logger.info("%s is of a whole training with other code or libraries: training begins anew", self.checkpoint)
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

    def hand_over(self, log: Path) -> None:
        """Write the log of the training to where the workflow wants it."""
        with atomic(log) as partial:
            if self.log.exists():
                shutil.copyfile(self.log, partial)
            else:
                partial.touch()


def code() -> str:
    """SHA-256 of the source of the package and of the versions of the libraries, as they are now."""
    found = hashlib.sha256(json.dumps(versions(LIBRARIES), sort_keys=True).encode())
    for path in sorted(Path(luss_core.__file__).parent.rglob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()
