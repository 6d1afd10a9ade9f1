"""What the stage scripts share: arguments, settings, the start of processes, and errors shown as one message."""

import argparse
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from luss_core import running
from luss_core.config import Section, with_settings_of_method
from luss_core.errors import Interrupted, UserError
from luss_core.explain import explain
from luss_core.shortage import FULL, of_disk, of_memory

if TYPE_CHECKING:
    import torch

    from luss_core.train.loop import Resources

S = TypeVar("S", bound=Section)

PATIENCE = 5
"""Seconds in which a launcher sees that a process has failed and ends the others."""

INPUTS: dict[str, tuple[type, str]] = {
    "images": (Path, "images.csv of prepare"),
    "store": (Path, "images.h5 of prepare"),
    "encoder": (Path, "encoder.safetensors of pretrain"),
    "features": (Path, "features.h5 of extract"),
    "clusters": (Path, "clusters.h5 of cluster"),
    "segmenter": (Path, "segmenter.safetensors of finetune"),
    "classes": (int, "number of categories C"),
    "seed": (int, "seed of everything random"),
}


class _Help(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Shows defaults and keeps the lines of the description."""


def parser(description: str | None, stage: str) -> argparse.ArgumentParser:
    """Arguments every stage has; the script adds its inputs and outputs."""
    result = argparse.ArgumentParser(description=description, formatter_class=_Help)
    result.add_argument(
        "--settings",
        default="{}",
        metavar="JSON|FILE",
        help=f"the `{stage}` section as JSON text, or a YAML file whose `{stage}` section is used (config.yaml);"
        " what is not named keeps its default",
    )
    result.add_argument("--threads", type=int, default=2, help="processor cores to use")
    return result


def add_rows(parser: argparse.ArgumentParser, kind: str) -> None:
    """Add --run, --rows and --missing: rows that are set beside each other, also those of which a run failed.

    Args:
        kind: the class in luss_core/config of what --rows is given.
    """
    parser.add_argument(
        "--run",
        action="append",
        default=[],
        metavar="ROW:SEED:DIR",
        help="one run and its folder, which holds evaluate/scores.json; give it once a run",
    )
    parser.add_argument(
        "--rows",
        required=True,
        metavar="JSON|FILE",
        help=f"the rows in their order, and where their results lie: {kind} of luss_core/config",
    )
    parser.add_argument(
        "--missing", default="{}", metavar="JSON|FILE", help="runs without scores and why: MissingRuns, likewise"
    )


def add_inputs(parser: argparse.ArgumentParser, *names: str) -> None:
    """Add the inputs of a stage by name; see INPUTS."""
    for name in names:
        kind, text = INPUTS[name]
        parser.add_argument(f"--{name}", type=kind, required=True, help=text)


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add the choice of what to compute on."""
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps")


def add_state(parser: argparse.ArgumentParser) -> None:
    """Add the folder that outlives an interruption."""
    parser.add_argument(
        "--state", type=Path, required=True, help="folder for work in progress; a killed run goes on from it"
    )


def add_processes(parser: argparse.ArgumentParser) -> None:
    """Add the choice of what to compute on, and with how many processes."""
    add_device(parser)
    parser.add_argument(
        "--processes",
        type=int,
        default=1,
        help="processes of this machine that share the images, one a GPU; on the processor they share the threads."
        " Started by torchrun, or with its variables set, a process joins the others by itself",
    )


def add_part(parser: argparse.ArgumentParser) -> None:
    """Add the choice of a part of the images."""
    parser.add_argument(
        "--part", type=_part, default=(0, 1), metavar="K-of-N", help="do one of N parts of the images, K from 1 to N"
    )


def _part(text: str) -> tuple[int, int]:
    """2-of-3 -> (1, 3)."""
    number, _, count = text.partition("-of-")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise argparse.ArgumentTypeError(f"{text!r} is not K-of-N with K from 1 to N, such as 2-of-3")
    return int(number) - 1, int(count)


def add_training(parser: argparse.ArgumentParser) -> None:
    """Add what the training stages share."""
    add_inputs(parser, "seed")
    add_state(parser)
    parser.add_argument("--log", type=Path, required=True, help="log.jsonl, to be written: one JSON object a step")
    add_processes(parser)
    add_checkpoints(parser)
    parser.add_argument("--nodes", type=int, default=1, help="machines of a SLURM job that train together")
    parser.add_argument(
        "--meet", metavar="HOST:PORT", help="where the machines find each other; srun is told by itself"
    )


def add_checkpoints(parser: argparse.ArgumentParser) -> None:
    """Add the time between checkpoints."""
    parser.add_argument(
        "--checkpoint-minutes", type=float, default=10.0, help="minutes between checkpoints; 0: one after every step"
    )


def add_probe_outputs(parser: argparse.ArgumentParser) -> None:
    """Add what a probe writes beside its log."""
    parser.add_argument("--out", type=Path, required=True, help="scores.json, to be written")
    parser.add_argument("--table", type=Path, required=True, help="per_class.csv, to be written: a row a class")
    parser.add_argument("--probe", type=Path, required=True, help="probe.safetensors, to be written: encoder and 1x1")


def device(args: argparse.Namespace) -> "torch.device":
    """What to compute on."""
    from luss_core.runtime import make_device

    return make_device(args.device, args.threads)


def in_processes(
    args: argparse.Namespace, stage: str, argv: list[str] | None, run: Callable[["Resources"], None]
) -> None:
    """Run a stage: in this process, together with those that started along with it, or in new ones.

    On a CPU the network needs all cores, so the loader has no processes of its own.
    """
    from luss_core import group
    from luss_core.runtime import make_device
    from luss_core.train.loop import Resources

    nodes = getattr(args, "nodes", 1)
    if args.processes * nodes > 1 and "RANK" not in os.environ:
        from luss_core import launch

        arguments = sys.argv[1:] if argv is None else argv
        if nodes > 1 and not args.meet:
            launch.on_nodes(stage, arguments, nodes, args.threads, 0 if args.device == "cpu" else args.processes)
        launch.launch(stage, arguments, args.processes, nodes, args.meet if nodes > 1 else None)
        return
    local = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    threads = max(1, args.threads // local)
    chosen = make_device(args.device, threads, int(os.environ.get("LOCAL_RANK", "0")), local)
    with group.process_group(chosen):
        workers = 0 if chosen.type == "cpu" else max(1, threads - 1)
        run(Resources(chosen, workers, threads, getattr(args, "checkpoint_minutes", Resources.checkpoint_minutes)))


def section(kind: type[S], stage: str, settings: str) -> S:
    """The validated section of one stage, from JSON text or a YAML file.

    Raises:
        UserError: no such file, not a mapping, unknown key, value out of range.
    """
    if settings.lstrip().startswith("{"):
        values, origin = _parse(json.loads, settings, f"--settings of {stage}"), f"--settings of {stage}"
    else:
        from luss_core import settings_file  # which takes as long to load as a hundred photographs

        origin = settings
        if not Path(settings).is_file():
            raise UserError(f"--settings {settings}: no such file; give a YAML file or JSON text beginning with {{")
        values = settings_file.load(Path(settings))
        values = _section_of(values, stage)
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise UserError(explain(error, origin, kind, stage)) from error


def _section_of(values: dict[str, Any], stage: str) -> Any:
    """One section of a whole configuration."""
    found = values.get(stage) or {}
    return with_settings_of_method(found, values.get("methods") or {}) if stage == "pretrain" else found


def run(main: Callable[[list[str] | None], None]) -> None:
    """Run a script's main: progress lines on stderr, user errors as a message and exit status 1."""
    level = logging.INFO if os.environ.get("RANK", "0") == "0" else logging.WARNING
    running.join()
    logging.basicConfig(level=level, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    logging.getLogger("faiss").setLevel(logging.WARNING)  # it tells which of its builds it tries
    try:
        main(None)
    except UserError as error:
        sys.stderr.write(f"error: {_said(error)}\n")
        sys.exit(1)
    except Interrupted as stop:
        sys.stderr.write(f"stopped by {stop}\n")
        sys.exit(stop.status)
    except (RuntimeError, MemoryError) as error:
        if "RANK" in os.environ:  # If another process failed first, this one is ended now, and that one is heard.
            time.sleep(PATIENCE)
        short = of_memory(error)
        if short is None:
            raise
        sys.stderr.write(f"error: {short}\n")
        sys.exit(1)
    except OSError as error:
        if error.errno not in FULL:
            raise
        sys.stderr.write(f"error: {of_disk(Path(error.filename or Path.cwd()), error)}\n")
        sys.exit(1)


def _said(error: UserError) -> str:
    """The message; from a process of the loader it comes behind a traceback."""
    text = str(error)
    return text.rpartition("UserError: ")[2].strip() if text.startswith("Caught UserError") else text


def _parse(read: Callable[[str], Any], text: str, origin: str) -> Any:
    try:
        return read(text)
    except ValueError as error:
        raise UserError(f"{origin}: cannot be read: {error}") from error
