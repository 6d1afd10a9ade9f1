"""`snakemake cacl`: what it plans, and from frames and labels to a table."""

import csv
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from luss_core.models.tensor_file import foreign, read_about
from tests.unit import annotated

TINY = {
    "dataset": "frames",
    "device": "cpu",
    "checkpoint_minutes": 0,
    "prepare": {"short_side": 24, "video": {"sources": ["folders"]}},
    "pretrain": {
        "backbone": {"width": 8},
        "views": {"crops": [{"count": 2, "size": 24, "scale": [0.5, 1.0]}]},
        "train": {"epochs": 1, "batch_size": 8, "warmup_epochs": 0},
    },
    "methods": {"cacl": {"stride": 1, "dim": 8, "queue": 20}, "moco": {"dim": 8, "queue": 20}},
    "probes": {"linear": {"train": {"epochs": 2}}, "limited": {"percents": [50, 100]}},
    "cacl": {"tables": [3], "encoders": []},
}
"""Rows of one table, a probe of two epochs."""


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """Two videos of ten frames, and a few annotated images."""
    random = np.random.default_rng(0)
    for video in ("walk", "run"):
        for frame in range(10):
            place = tmp_path / "videos" / video / f"{frame:03d}.jpg"
            place.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(random.integers(0, 255, (24, 32, 3), dtype=np.uint8)).save(place)
    annotated.camvid(tmp_path / "CamVid")
    where = {"data_root": str(tmp_path / "videos")}
    probes = TINY["probes"] | {"data": {"format": "camvid", "root": str(tmp_path / "CamVid")}}  # type: ignore[operator]
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(TINY | where | {"probes": probes}))
    return file


def test_what_tables_share_is_made_once(fresh, settings):
    every = ("--configfile", settings, "--config", 'cacl={"tables": [1a, 1b, 1c, 2, 3, 4], "encoders": [random, moco]}')
    jobs = fresh.jobs("cacl", *every, "seeds=[0,1]")
    # fourteen rows, random weights, and what all rows begin from
    made = {"prepare": 1, "pretrain": 2 * 16, "linear": 2 * 16, "limited": 2 * 2 * 5, "cacl": 1}
    assert jobs == made
    heads = fresh.jobs("cacl", "--configfile", settings, "--config", 'cacl={"tables": [1a]}')
    assert heads == {"prepare": 1, "pretrain": 5 + 1, "linear": 5, "cacl": 1}


def test_from_frames_and_labels_to_a_table(fresh, settings, tmp_path):
    project = fresh.copy(tmp_path)
    run = project.snakemake("--cores", "1", "--configfile", settings, "--", "cacl")
    assert run.returncode == 0, run.stdout + run.stderr
    data = project.work / "results" / "frames"
    log = (data / "cacl+cacl" / "seed0" / "logs" / "pretrain.log").read_text()
    assert "begins with encoder.safetensors, this project's" in log
    about = read_about(data / "cacl+cacl" / "seed0" / "pretrain" / "encoder.safetensors", "pretrain")
    assert foreign(about) is None
    assert about["provenance"]["settings"]["begin"]
    with (data / "cacl-tables" / "cacl.csv").open(newline="") as lines:
        rows = {row["preset"]: row for row in csv.DictReader(lines)}
    assert list(rows) == ["moco+cacl", "cacl+cacl"]
    assert all(0 < float(row["mean"]) < 100 and row["seeds"] == "1" for row in rows.values())
    assert "Table 3" in (data / "cacl-tables" / "index.html").read_text(encoding="utf-8")
    assert project.planned("--configfile", settings, "--", "cacl") == set()
    # another first encoder is another beginning of every row
    changed = ("--configfile", settings, "--config", 'methods={"moco": {"temperature": 0.3}}')
    assert project.jobs("cacl", *changed)["pretrain"] == 3
