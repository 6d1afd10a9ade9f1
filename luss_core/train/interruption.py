"""When a training run saves its state beside the regular times: after so many minutes, and when it is told to stop."""

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Self

import torch

from luss_core import group
from luss_core.errors import Interrupted

SIGNALS = (signal.SIGTERM, signal.SIGINT)
ASKED_EVERY = 10
"""Steps between the questions of several processes whether one of them has to stop: asking waits for a GPU."""


class Interruption:
    """Listens to SIGTERM (what SLURM sends before a time limit) and SIGINT while it is entered.

    The second signal ends the process at once, as without this.
    """

    def __init__(self, minutes: float):
        self.minutes, self.last = minutes, time.monotonic()
        self.received: int | None = None
        self.stop = False
        self.before: dict[int, signal._HANDLER] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self.before = {number: signal.signal(number, self._receive) for number in SIGNALS}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def due(self, done: int, device: torch.device) -> bool:
        """Whether to save after so many steps; the same answer in every process."""
        if group.world_size() > 1 and done % ASKED_EVERY:
            return False
        if group.agreed(self.received is not None, device):
            self.stop = True
        return self.stop or group.agreed(time.monotonic() - self.last >= 60 * self.minutes, device)

    def saved(self, done: int) -> None:
        """Call after saving.

        Raises:
            Interrupted: a signal has come to one of the processes.
        """
        self.last = time.monotonic()
        if self.stop:
            raise Interrupted(self.received or signal.SIGTERM, done)

    def _receive(self, number: int, _: FrameType | None) -> None:
        self.received = number
        signal.signal(number, signal.SIG_DFL)
