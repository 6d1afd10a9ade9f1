"""Work in several processes: results in order, input read as it is needed, progress without a terminal."""

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from luss_core import parallel
from luss_core.errors import UserError


def square(x: int) -> int:
    if x < 0:
        raise ValueError(f"{x} is negative")
    return x * x


def die(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_batches_are_whole_but_for_the_last():
    assert list(parallel.batches(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(parallel.batches([], 3)) == []


@pytest.mark.parametrize("threads", [1, 3])
def test_results_come_in_order(threads):
    assert list(parallel.ordered_map(square, range(50), threads)) == [x * x for x in range(50)]


@pytest.mark.parametrize("threads", [1, 2])
def test_only_what_is_needed_is_read(threads):
    read = []
    items = (read.append(x) or x for x in range(1000))
    results = parallel.ordered_map(square, items, threads)
    assert [next(results) for _ in range(5)] == [0, 1, 4, 9, 16]
    assert len(read) <= 5 + parallel.PENDING * threads
    results.close()


@pytest.mark.parametrize("threads", [1, 2])
def test_errors_reach_the_caller(threads):
    with pytest.raises(ValueError, match="-1 is negative"):
        list(parallel.ordered_map(square, [1, -1, 2], threads))


def test_a_killed_process_is_a_user_error():
    with pytest.raises(UserError, match="worker process was killed"):
        list(parallel.ordered_map(die, range(3), 2))


ABANDON = """
import os, signal, sys
from luss_core import parallel
if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    from test_parallel import process_id
    print(*{next(parallel.ordered_map(process_id, range(9), 2))}, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def process_id(_: int) -> int:
    return os.getpid()


def test_workers_end_with_a_killed_parent(tmp_path):
    (tmp_path / "abandon.py").write_text(ABANDON)
    command = [sys.executable, str(tmp_path / "abandon.py"), str(Path(__file__).parent)]
    # the pipe closes when the last process that holds it has ended
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=30)
    assert done.returncode == -signal.SIGKILL
    assert done.stdout.strip().isdigit()


def test_progress_is_logged_where_there_is_no_terminal(caplog, monkeypatch):
    monkeypatch.setattr(parallel, "LOG_SECONDS", 0)
    with caplog.at_level(logging.INFO):
        assert list(parallel.progress([[1, 2], [3]], 3, "things", len)) == [[1, 2], [3]]
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0].startswith("2 of 3 things")
    assert lines[-1].startswith("3 things in")
