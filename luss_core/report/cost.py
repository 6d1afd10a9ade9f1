"""What a run cost, and with which settings and which code it was made: read from what lies beside its scores."""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from luss_core.config import PretrainConfig
from luss_core.errors import UserError
from luss_core.models.architectures import Architecture
from luss_core.models.count import Cost, count
from luss_core.report.logs import read_log
from luss_core.report.made import provenance_of

FILES = {
    "pretrain": "encoder.safetensors",
    "extract": "features.h5",
    "cluster": "clusters.h5",
    "finetune": "segmenter.safetensors",
    "infer": "threshold.json",
    "evaluate": "scores.json",
}
"""Of each stage the one that says what it was made with."""
JOINS = {"extract": "join_features", "infer": "join_masks"}
DIGITS = 12
"""Of a digest that are shown."""
SECONDS = tuple(f"seconds_{stage}" for stage in FILES)
MEASURED = ("images_per_second", "memory_mb", "gpu_memory_mb", *SECONDS, "seconds")
"""What differs from run to run of one row; a mean is taken of it."""
FIXED = ("steps", "batch", "parameters", "macc")
"""What does not."""


def run_cost(folders: Mapping[str, Path], images: int, size: int) -> dict[str, Any]:
    """FIXED and MEASURED by name, None where it is not known; and settings, commit, supervised.

    Args:
        folders: of each stage of FILES the folder of the run that it belongs to, which holds <stage>/ and benchmarks/.
        images: of the training split.
        size: side of the image that multiply-accumulates are counted for.

    Raises:
        UserError: a file is missing or says nothing of what it was made with.
    """
    made = {stage: _about(folders[stage] / stage / file) for stage, file in FILES.items()}
    pretrain = PretrainConfig.model_validate(made["pretrain"]["settings"]["pretrain"])
    log = read_log(folders["pretrain"] / "pretrain" / "log.jsonl", points=2)
    batch = min(pretrain.train.batch_size, images)
    network = counted(Architecture(pretrain.backbone, pretrain.decoder), size)
    seconds = {f"seconds_{stage}": stage_seconds(folders[stage], stage) for stage in FILES}
    if log.seconds:  # more where the training was interrupted: its job is measured from the last start alone
        seconds["seconds_pretrain"] = max(seconds["seconds_pretrain"] or 0.0, log.seconds)
    known = [value for value in seconds.values() if value is not None]
    gpu = log.columns.get("gpu_mb")
    return {
        "steps": log.steps,
        "batch": batch if log.steps else None,
        "images_per_second": batch * log.steps / log.seconds if log.seconds else None,
        "parameters": network.parameters,
        "macc": network.macc,
        "memory_mb": job(folders["pretrain"] / "benchmarks" / "pretrain.jsonl").get("max_rss"),
        "gpu_memory_mb": float(gpu.max()) if gpu is not None else None,
        **seconds,
        "seconds": sum(known) if len(known) == len(seconds) else None,
        "settings": digest({stage: about["settings"] for stage, about in made.items()}),
        "commit": ", ".join(dict.fromkeys(about["commit"] or "no commit" for about in made.values())),
        "supervised": bool({"labels", "masks"} & pretrain.method.needs),
    }


@cache
def counted(architecture: Architecture, size: int) -> Cost:
    """``count``, once for all rows that have the network."""
    return count(architecture, size)


def digest(settings: Mapping[str, Mapping[str, Any]]) -> str:
    """Of the settings of all stages, the first letters of a SHA-256; the same for all seeds."""
    values = {stage: {key: value for key, value in own.items() if key != "seed"} for stage, own in settings.items()}
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:DIGITS]


def stage_seconds(run: Path, stage: str) -> float | None:
    """Of the jobs of a stage, its parts and their joining added up; None where it was not measured, as from a cache.

    Where a stage was run whole and in parts, or in other parts before, the newest counts.
    """
    files = list((run / "benchmarks").glob(f"{stage}*.jsonl"))
    if not files:
        return None
    newest = _cut(max(files, key=lambda file: file.stat().st_mtime))
    parts = [file for file in files if _cut(file) == newest]
    if newest:
        parts.append(run / "benchmarks" / f"{JOINS.get(stage, stage)}.jsonl")
    found = [job(file).get("s") for file in parts]
    known = [seconds for seconds in found if seconds is not None]
    return sum(known) if known else None


def job(file: Path) -> dict[str, float]:
    """What Snakemake measured of a job, numbers alone; nothing where it was not measured."""
    if not file.is_file():
        return {}
    lines = file.read_text(encoding="utf-8").splitlines()
    try:
        found = json.loads(lines[-1]) if lines else {}
        return {key: float(value) for key, value in found.items() if isinstance(value, int | float)}
    except (ValueError, AttributeError) as error:
        raise UserError(f"{file} is not what Snakemake measures; delete it") from error


def _cut(file: Path) -> str:
    """Into how many parts its stage was cut: 3 of extract.1-of-3.jsonl, nothing of extract.jsonl."""
    return file.name.removesuffix(".jsonl").partition(".")[2].rpartition("-")[2]


def _about(file: Path) -> dict[str, Any]:
    found = provenance_of(file, checked=False)  # of features there may be gigabytes
    if found is None:
        raise UserError(f"{file} is missing, or says nothing of what it was made with; run its stage again")
    return found
