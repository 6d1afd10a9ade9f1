"""A request to end a training in order: SIGTERM, which a cluster sends shortly before a job's time is over."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stop:
    """Whether the process was asked to end."""

    asked = False

    def ask(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self.asked = True


@contextmanager
def stop_on_sigterm() -> Iterator[Stop]:
    """SIGTERM is noted instead of ending the process, so that the step in progress can be completed and saved."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():  # where Python allows no handlers
        yield stop
        return
    before = signal.signal(signal.SIGTERM, stop.ask)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, before)
