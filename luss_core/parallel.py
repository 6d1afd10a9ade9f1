"""One function over many items in several processes: in order, with flat memory and visible progress."""

import logging
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

from luss_core.errors import UserError
from luss_core.shortage import KILLED

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")
R = TypeVar("R")

log = logging.getLogger(__name__)

LOG_SECONDS = 10.0
"""Between progress lines where there is no terminal for a bar."""
PENDING = 4
"""Batches in flight for each process: enough to keep it busy, few enough for flat memory."""


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in lists of ``size``; the last may be shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def ordered_map(function: Callable[[T], R], items: Iterable[T], threads: int) -> Iterator[R]:
    """``function`` of every item, in order. With one thread everything stays in this process.

    Args:
        function: picklable when ``threads`` > 1.

    Raises:
        UserError: a process was killed, as the system does when memory runs out.
    """
    if threads <= 1:
        yield from map(function, items)
        return
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    iterator = iter(items)
    with ProcessPoolExecutor(threads, get_context("spawn"), _follow_parent) as pool:
        waiting: deque[Future[R]] = deque()
        try:
            for item in islice(iterator, PENDING * threads):
                waiting.append(pool.submit(function, item))
            while waiting:
                result = waiting.popleft().result()
                for item in islice(iterator, 1):
                    waiting.append(pool.submit(function, item))
                yield result
        except BrokenProcessPool as error:
            raise UserError(f"a worker process {KILLED.format(key='--threads (--cores of Snakemake)')}") from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _follow_parent() -> None:
    """End this process when its parent is gone: one that was killed cannot tell its workers to stop."""
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    from multiprocessing import parent_process

    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def progress(results: Iterable[R], total: int, what: str, count: Callable[[R], int] | None = None) -> Iterator[R]:
    """The same results, with a bar on a terminal and a log line every ten seconds elsewhere.

    Args:
        total: in units of ``what``.
        count: how many units a result stands for; 1 each if not given.
    """
    start = last = time.monotonic()
    with _bar(total, what) as bar:
        done = 0
        for result in results:
            yield result
            step = count(result) if count else 1
            done += step
            now = time.monotonic()
            if bar is not None:
                bar.update(step)
            elif now - last >= LOG_SECONDS:
                last = now
                rate = done / (now - start)
                log.info(
                    "%d of %d %s, %.*f a second, about %s left",
                    done,
                    total,
                    what,
                    0 if rate >= 10 else 1,  # not "0 a second" where one takes long
                    rate,
                    _left(total - done, rate),
                )
    log.info("%d %s in %.1f s", done, what, time.monotonic() - start)


def _left(count: int, rate: float) -> str:
    """How long that many will take, in words."""
    seconds = max(0, count) / rate if rate else 0.0
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _bar(total: int, what: str) -> AbstractContextManager[Any]:
    """A bar on a terminal, None elsewhere."""
    if not sys.stderr.isatty():
        return nullcontext()
    from tqdm import tqdm

    return tqdm(total=total, unit=f" {what}")
