"""Start the processes of one machine that train together, and say of a failure what the first to fail said."""

import logging
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException, Std
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from luss_core.errors import UserError

ROOT = Path(__file__).parents[1]
LINES = 30
"""Of what a process said last, shown when it failed."""


def launch(stage: str, arguments: Sequence[str], processes: int) -> None:
    """Run the script of a stage in several processes and wait for them; only the first is heard.

    Raises:
        UserError: one of them failed; the message is its own.
        SystemExit: a signal came, and the processes have saved what they had.
    """
    logging.getLogger("torch.distributed").setLevel(logging.CRITICAL)  # The processes speak for themselves.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    with tempfile.TemporaryDirectory(prefix="luss-") as folder:
        logs = DefaultLogsSpecs(folder, redirects=dict.fromkeys(range(1, processes), Std.ALL))
        config = LaunchConfig(
            1,
            1,
            processes,
            run_id=stage,
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            max_restarts=0,
            logs_specs=logs,
        )
        script = ROOT / "workflow_scripts" / f"{stage}.py"
        try:
            elastic_launch(config, sys.executable)(str(script), *arguments)
        except SignalException as stop:
            sys.exit(128 + int(stop.sigval))
        except ChildFailedError as error:
            rank, failure = error.get_first_failure()
            if failure.exitcode in (128 + signal.SIGTERM, 128 + signal.SIGINT):
                sys.exit(failure.exitcode)
            raise UserError(
                f"process {rank} of {processes} failed first{_said(Path(folder), rank, failure.exitcode)}"
            ) from None


def _said(folder: Path, rank: int, status: int) -> str:
    """The last lines of a process that was not heard."""
    found = sorted(folder.rglob(f"{rank}/stderr.log"))
    if found:
        lines = found[-1].read_text(encoding="utf-8", errors="replace").splitlines()
        messages = [line for line in lines if line.startswith("error: ")]
        text = "\n".join(messages[-1:] or lines[-LINES:]).removeprefix("error: ")
        if text:
            return f": {text}"
    return f" with status {status}" + (" (killed)" if status < 0 else "; see above" if rank == 0 else "")
