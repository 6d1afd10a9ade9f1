"""The stages on a small embedded data set, each in a process of its own that is forked: nothing is imported twice."""

import hashlib
import importlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import yaml  # noqa: E402

from luss_core import cli, runs  # noqa: E402 - the package may not be installed

TINY = ROOT / "tests" / "workflow" / "tiny.yaml"
PIXELS = "--images prepare/images.csv --store prepare/images.h5"
TRAINING = "--seed 0 --device cpu --checkpoint-minutes 0 --log {stage}/log.jsonl --state state/{stage}"
ENCODER, CLUSTERS = "pretrain/encoder.safetensors", "cluster/clusters.h5"
SEGMENTER, THRESHOLD = "finetune/segmenter.safetensors", "infer/threshold.json"

ARGUMENTS = {
    "synthesize": "--out synthesize",
    "prepare": "--root synthesize --out prepare --classes 8 --state state/prepare",
    "prior": f"{PIXELS} --out prior --state state/prior",
    "pretrain": f"{PIXELS} --prior prior/prior.h5 --out {ENCODER} {TRAINING}",
    "extract": f"{PIXELS} --encoder {ENCODER} --device cpu --out extract/features.h5",
    "cluster": "--images prepare/images.csv --features extract/features.h5 --classes 8 --seed 0"
    f" --out {CLUSTERS} --balance cluster/balance.json",
    "finetune": f"--store prepare/images.h5 --encoder {ENCODER} --clusters {CLUSTERS} --classes 8 --out {SEGMENTER}"
    f" {TRAINING}",
    "infer": f"{PIXELS} --segmenter {SEGMENTER} --device cpu --masks infer/masks --scored infer/scored.h5"
    f" --threshold {THRESHOLD}",
    "evaluate": f"--images prepare/images.csv --classes 8 --masks infer/masks --scored infer/scored.h5"
    f" --threshold {THRESHOLD} --balance cluster/balance.json --out evaluate/scores.json"
    " --match evaluate/match.json --table evaluate/per_class.csv",
    "export": f"--images prepare/images.csv --segmenter {SEGMENTER} --threshold {THRESHOLD}"
    " --scores evaluate/scores.json --out export/model.safetensors",
}
"""Of each stage, in the order in which they run; each writes into the folder of its name."""
CHECKED = {
    "prepare/images.h5": ("prior", "pretrain", "extract", "finetune", "infer"),
    "prior/prior.h5": ("pretrain",),
    ENCODER: ("extract", "finetune"),
    "extract/features.h5": ("cluster",),
    CLUSTERS: ("finetune",),
    SEGMENTER: ("infer", "export"),
    "infer/scored.h5": ("evaluate",),
}
"""Files with checksums, and the stages that read them."""
WITH_STATE = ("prepare", "prior", "pretrain", "finetune")
VARYING = ("log.jsonl",)
"""Holds how long each step took."""


class Ended(NamedTuple):
    """How a stage ended."""

    status: int
    """As `subprocess` gives it: negative where a signal ended it."""
    said: str
    seconds: float


def write_settings(work: Path) -> None:
    """Those of the tests of the workflow, laid over the defaults, beside the folder that the stages work in."""
    values = runs.over_defaults(yaml.safe_load(TINY.read_text(encoding="utf-8")))
    (work.parent / "settings.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")


def nothing() -> None:
    """Done in the process of a stage before it begins."""


def run(
    stage: str, work: Path, before: Callable[[], object] = nothing, meanwhile: Callable[[int], object] | None = None
) -> Ended:
    """Run a stage in the folder ``work``.

    Args:
        before: called in its process.
        meanwhile: called here with the number of the process, in a thread.
    """
    main = importlib.import_module(f"workflow_scripts.{stage}").main
    command = [stage, *ARGUMENTS[stage].format(stage=stage).split(), "--settings", "../settings.yaml", "--threads", "1"]
    output, start = work.parent.parent / "said.txt", time.monotonic()
    child = os.fork()
    if child == 0:
        _work(main, command, work, output, before)
    if meanwhile:
        thread = threading.Thread(target=meanwhile, args=(child,), daemon=True)
        thread.start()
    _, ended = os.waitpid(child, 0)
    if meanwhile:
        thread.join()
    status = os.waitstatus_to_exitcode(ended)
    return Ended(status, output.read_text(encoding="utf-8", errors="replace"), time.monotonic() - start)


def _work(
    main: Callable[..., None], command: list[str], work: Path, output: Path, before: Callable[[], object]
) -> None:
    """What the forked process does; it ends here."""
    status = 1
    try:
        with output.open("w", encoding="utf-8") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: PTH123, SIM115 - until the process ends
        os.chdir(work)
        sys.argv = command
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        before()
        cli.run(main)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in VARYING)
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
