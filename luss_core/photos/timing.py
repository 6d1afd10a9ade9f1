"""How fast this machine reads photographs and sends them through a network: tried on a few, in a process of its own."""

import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from luss_core.errors import UserError
from luss_core.photos.encoders import ENCODERS

if TYPE_CHECKING:
    import torch

READ, BATCH = 8, 4
"""Photographs that are read, and that go through a network at once."""
TRIES, SECONDS = 4, 4.0
"""So often, and after so long not again. With one core, as cores that others use would say nothing."""


class Trial(NamedTuple):
    """What to try."""

    encoders: tuple[str, ...]
    photographs: tuple[str, ...]
    weights: str | None
    """A file; the first network that it fits is the only one that is tried."""
    began: float = 0
    """When, in seconds since 1970."""


class Speed(NamedTuple):
    """Seconds, of a photograph where nothing else is said."""

    device: str
    start: float
    """Until a process has started and loaded torch."""
    read: float
    """To decode and reduce it, on one core."""
    passes: dict[str, float]
    """Through each network, forwards, by the name of the encoder; on the processor with one core."""


def tried(trial: Trial) -> Speed:
    """What ``measure`` finds in another process, whose memory is free again before the work begins.

    Raises:
        UserError: as ``measure``, or memory is too short for it.
    """
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    with ProcessPoolExecutor(1, get_context("spawn"), _end_at_ctrl_c) as pool:
        try:
            return pool.submit(measure, trial._replace(began=time.time())).result()
        except BrokenProcessPool:
            raise UserError(
                f"the system ended the trial of {' and '.join(trial.encoders)}, as it does when memory runs out; close"
                " other programs, or name a smaller encoder: --encoder efficientnet-lite0"
            ) from None


def _end_at_ctrl_c() -> None:
    """Without a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def measure(trial: Trial) -> Speed:
    """Try reading and networks; needs torch.

    Raises:
        UserError: weights that fit no network.
    """
    from luss_core.models import timm_backbone  # noqa: F401 - what takes longest
    from luss_core.runtime import make_device

    device, start = make_device("auto", 1), time.time() - trial.began
    names = trial.encoders if trial.weights is None else (_fitting(trial.encoders, Path(trial.weights)),)
    side = max(ENCODERS[name].side for name in names)
    photographs = trial.photographs[:READ]

    def read() -> None:
        for path in photographs:
            _read(path, side)

    passes = {name: _forwards(name, device) for name in names}
    return Speed(device.type, start, _each(read) / max(1, len(photographs)), passes)


def _read(path: str, side: int) -> None:
    from luss_core.data.decode import decode

    try:
        decode(Path(path), side)
    except Exception:  # one that cannot be read takes no time worth counting
        return


def _forwards(name: str, device: "torch.device") -> float:
    import torch

    network = _network(name).to(device).eval()
    side = ENCODERS[name].side
    images = torch.zeros(BATCH, 3, side, side * 4 // 3, device=device)

    def forwards() -> None:
        with torch.inference_mode():
            network(images)[-1].sum().item()  # which waits for a GPU

    forwards()
    return _each(forwards) / BATCH


def _network(name: str) -> "torch.nn.Module":
    from luss_core.config import TimmConfig
    from luss_core.models.timm_backbone import TimmBackbone

    return TimmBackbone(TimmConfig(name=ENCODERS[name].network))


def _each(work: Callable[[], object]) -> float:
    """Seconds that the work takes: the shortest time of some, as many as there is patience for."""
    taken: list[float] = []
    while len(taken) < TRIES and sum(taken) < SECONDS:
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return min(taken)


def _fitting(names: Sequence[str], weights: Path) -> str:
    """The encoder that a file of weights is of.

    Raises:
        UserError: of none, or no weights can be read from it.
    """
    from luss_core.models.foreign.fill import fill
    from luss_core.models.foreign.read import read

    contents = read(weights)
    if contents.about is not None:
        raise UserError(
            f"--encoder {weights}: is of this project, whose runs begin from their settings: see docs/encoders.md"
        )
    said = ""
    for name in reversed(names):
        try:
            fill(_network(name).model, weights, contents.tensors)  # type: ignore[arg-type]
        except UserError as error:
            said = said or str(error)
            continue
        return name
    raise UserError(
        f"--encoder {weights}: holds weights of none of {', '.join(names)}; other networks: docs/encoders.md. Of the"
        f" smallest it was said: {said}"
    )
