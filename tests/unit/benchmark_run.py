"""Made-up runs as `snakemake benchmark` reads them: what says what a run cost, beside the scores of fake_run."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from fake_run import FakeRun, write_data, write_run
from safetensors.numpy import save_file

from luss_core.config import BackboneConfig, BenchmarkRow, BenchmarkRows, PretrainConfig
from luss_core.report.cost import FILES

ABOUT = {"luss": "0.1", "commit": "abc1234", "libraries": {}}
SECONDS = {"pretrain": 50.0, "extract": 7.0, "cluster": 2.0, "finetune": 30.0, "infer": 8.0, "evaluate": 3.0}
STEPS = 100


def pretrain_settings(method: str, **changes: Any) -> dict[str, Any]:
    values = {"backbone": BackboneConfig(width=8), "decoder": None, "attention": False, "method": {"name": method}}
    return PretrainConfig.model_validate(values | changes).model_dump(mode="json")


def write_costs(run: Path, seed: int, pretrain: dict[str, Any], seconds: float, steps: int = STEPS) -> None:
    """Provenance of each stage, the log of a training, and what Snakemake measured of the jobs."""
    settings: dict[str, dict[str, Any]] = {stage: {stage: {"size": 40}} for stage in FILES}
    settings["pretrain"] = {"pretrain": pretrain, "seed": seed}
    for stage in ("pretrain", "finetune"):
        (run / stage).mkdir(parents=True, exist_ok=True)
        about = {"luss": json.dumps({"provenance": ABOUT | {"settings": settings[stage]}})}
        save_file({"x": np.zeros(1, np.float32)}, run / stage / FILES[stage], metadata=about)
    (run / "extract").mkdir(exist_ok=True)
    for stage in ("extract", "cluster"):
        with h5py.File(run / stage / FILES[stage], "w") as file:
            file.attrs["provenance"] = json.dumps(ABOUT | {"settings": settings[stage]})
    lines = [{"step": k, "loss": 1.0, "seconds": seconds} for k in range(steps)]
    (run / "pretrain" / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (run / "benchmarks").mkdir()
    for stage, value in SECONDS.items():
        measured = {"s": value, "max_rss": 700.5, "h:m:s": "0:00:01", "io_in": "NA"}
        (run / "benchmarks" / f"{stage}.jsonl").write_text(json.dumps(measured) + "\n")


def write_runs(data: Path, runs: list[tuple[str, int]], truth: bool = True, **changes: Any) -> list[FakeRun]:
    """Runs of one data set of three classes, nine training images, by preset and seed."""
    fakes = [FakeRun(data, data / name / f"seed{seed}", 3, truth, seed=k) for k, (name, seed) in enumerate(runs)]
    write_data(fakes[0])
    for fake, (name, seed) in zip(fakes, runs, strict=True):
        fake.names = fakes[0].names
        write_run(fake)
        method = name if name != "random" else "swav"
        write_costs(fake.run, seed, pretrain_settings(method, **changes), 0.3, 0 if name == "random" else STEPS)
    return fakes


def rows_of(*names: str, seeds: tuple[int, ...]) -> BenchmarkRows:
    return BenchmarkRows(
        seeds=seeds, rows=tuple(BenchmarkRow(name=n, method=n, stages=dict.fromkeys(FILES, n)) for n in names)
    )
