"""Start the processes that work together, and say of a failure what the first to fail said."""

import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException, Std
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from luss_core.errors import UserError
from luss_core.shortage import KILLED

ROOT = Path(__file__).parents[1]
FIRST_PORT, PORTS = 20_000, 10_000
"""Among which the number of a SLURM job chooses where its nodes meet."""
LINES = 30
"""Of what a process said last, shown when it failed."""


def on_nodes(stage: str, arguments: Sequence[str], nodes: int, threads: int, gpus: int) -> NoReturn:
    """Become srun, which starts the script of a stage once on every node of this job.

    Args:
        threads: processor cores of a node.
        gpus: of a node; 0 for none.

    Raises:
        UserError: not in a job of SLURM.
    """
    job = os.environ.get("SLURM_JOB_ID", "")
    if not job or shutil.which("srun") is None:
        raise UserError(
            f"{nodes} nodes work together only in a job of SLURM: use snakemake --workflow-profile profiles/slurm, set"
            " nodes to 1, or start torchrun on each of them"
        )
    command = ["srun", f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1", f"--cpus-per-task={threads}"]
    command += ["--kill-on-bad-exit=1", *([f"--gres=gpu:{gpus}"] if gpus else []), sys.executable, _script(stage)]
    meet = f"{socket.gethostname()}:{FIRST_PORT + int(job) % PORTS}"
    os.execvp(command[0], [*command, *arguments, "--meet", meet])


def launch(stage: str, arguments: Sequence[str], processes: int, nodes: int = 1, meet: str | None = None) -> None:
    """Run the script of a stage in several processes and wait for them; only the first is heard.

    Args:
        processes: of this machine.
        nodes: machines on which this is called.
        meet: HOST:PORT, the same on all of them, HOST being one of them.

    Raises:
        UserError: one of them failed; the message is its own.
        SystemExit: a signal came, and the processes have saved what they had.
    """
    logging.getLogger("torch.distributed").setLevel(logging.CRITICAL)  # The processes speak for themselves.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    with tempfile.TemporaryDirectory(prefix="luss-") as folder:
        logs = DefaultLogsSpecs(folder, redirects=dict.fromkeys(range(1, processes), Std.ALL))
        config = LaunchConfig(
            nodes,
            nodes,
            processes,
            run_id=stage,
            rdzv_backend="c10d",
            rdzv_endpoint=meet or "localhost:0",
            max_restarts=0,
            logs_specs=logs,
        )
        try:
            elastic_launch(config, sys.executable)(_script(stage), *arguments)
        except SignalException as stop:
            sys.exit(128 + int(stop.sigval))
        except ChildFailedError as error:
            rank, failure = error.get_first_failure()
            if failure.exitcode in (128 + signal.SIGTERM, 128 + signal.SIGINT):
                sys.exit(failure.exitcode)
            said = _said(Path(folder), failure.local_rank, failure.exitcode)
            raise UserError(f"process {rank} of {processes * nodes} failed first{said}") from None


def _script(stage: str) -> str:
    return str(ROOT / "workflow_scripts" / f"{stage}.py")


def _said(folder: Path, rank: int, status: int) -> str:
    """The last lines of a process that was not heard."""
    found = sorted(folder.rglob(f"{rank}/stderr.log"))
    if found:
        lines = found[-1].read_text(encoding="utf-8", errors="replace").splitlines()
        messages = [line for line in lines if line.startswith("error: ")]
        text = "\n".join(messages[-1:] or lines[-LINES:]).removeprefix("error: ")
        if text:
            return f": {text}"
    if status == -signal.SIGKILL:
        return f": it {KILLED.format(key='train.batch_size or the number of processes')}"
    return f" with status {status}" + (" (killed)" if status < 0 else "; see above" if rank == 0 else "")
