"""The page and the tables of `snakemake benchmark`: means and spreads, costs, the paper's numbers, rows that failed."""

import base64
import hashlib
import json
import os
import re
import runpy
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from benchmark_run import SECONDS, rows_of, write_runs
from fake_run import FakeRun
from matplotlib.figure import Figure
from page_reader import Page

from luss_core.config import BackboneConfig, BenchmarkRows, MissingRun, MissingRuns, ReportConfig
from luss_core.errors import UserError
from luss_core.io import read_json
from luss_core.models.architectures import Architecture
from luss_core.models.count import count
from luss_core.report.benchmark_page import reasons
from luss_core.report.benchmark_table import unequal
from luss_core.report.charts import Point, _names
from luss_core.report.comparison import ScoredRun
from luss_core.report.cost import run_cost, stage_seconds
from luss_core.report.table2 import BY_SIZE, SCORES, SETS, TABLES, paper
from luss_core.runs import settings
from luss_core.stages.benchmark import benchmark

ROOT = Path(__file__).parents[2]
RUNS = [("swav", 0), ("swav", 1), ("moco", 0), ("random", 0), ("random", 1)]
ROWS = rows_of("moco", "odc <b>", "swav", "random", seeds=(0, 1))
FAILED = {"stage": "pretrain", "failed": True, "said": "the loss is nan", "log": "results/moco/seed1/logs/pretrain.log"}
MISSING = MissingRuns(
    runs=(
        MissingRun(row="moco", seed=1, **FAILED),
        MissingRun(row="odc <b>", seed=0, **FAILED),
        MissingRun(row="odc <b>", seed=1, stage="infer", failed=False),
    )
)


def make(out: Path, fakes: list[FakeRun], rows: BenchmarkRows = ROWS, missing: MissingRuns = MISSING) -> Path:
    runs = [ScoredRun(fake.run.parent.name, int(fake.run.name[4:]), fake.run) for fake in fakes]
    names = {"out": "index.html", "table": "scores.csv", "summary": "benchmark.csv", "figure": "benchmark.svg"}
    files = {key: out / name for key, name in names.items()}
    benchmark(ReportConfig(), runs=runs, rows=rows, missing=missing, images=fakes[0].images, **files)
    return out


@pytest.fixture(scope="module")
def fakes(tmp_path_factory: pytest.TempPathFactory) -> list[FakeRun]:
    return write_runs(tmp_path_factory.mktemp("results") / "tiny", RUNS)


@pytest.fixture(scope="module")
def made(fakes: list[FakeRun], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("out"), fakes)


def test_the_summary_has_means_deviations_and_the_papers_numbers(made: Path, fakes: list[FakeRun]) -> None:
    table = pd.read_csv(made / "benchmark.csv").set_index(["row", "rule"])
    assert list(dict.fromkeys(table.index.get_level_values("row"))) == ["moco", "odc <b>", "swav", "random"]
    scores = [read_json(fake.run / "evaluate" / "scores.json") for fake in fakes[:2]]
    for rule in ("automatic", "oracle"):
        row = table.loc[("swav", rule)]
        for split, key in (
            ("validation", "mIoU"),
            ("test", "mIoU"),
            ("test", "F"),
            ("validation", "img_acc"),
            ("test", "L"),
        ):
            values = [each["splits"][split][rule][key] for each in scores]
            assert row[f"{key}_{split}"] == pytest.approx(np.mean(values), abs=1e-9)
            assert row[f"{key}_{split}_std"] == pytest.approx(np.std(values, ddof=1), abs=1e-9)
        assert (row["seeds"], row["nmi_train"], row["nmi_train_std"]) == (2, 61.25, 0)
        assert (row["mIoU_test_S50"], row["mIoU_validation_S919"], row["nmi_train_S300"]) == (20.8, 15.3, 71.9)
        assert (row["S_test_S300"], row["L_test_S919"]) == (3.5, 11.5)
    assert table.loc[("moco", "oracle"), "seeds"] == 1
    assert np.isnan(table.loc[("moco", "oracle"), "mIoU_test_std"])
    assert np.isnan(table.loc[("random", "oracle"), "mIoU_test_S50"])


def test_costs_are_those_of_logs_and_jobs(made: Path) -> None:
    table = pd.read_csv(made / "benchmark.csv").set_index(["row", "rule"])
    row, network = table.loc[("swav", "automatic")], count(Architecture(BackboneConfig(width=8)), 72)
    assert (row["steps"], row["batch"]) == (100, 9)  # of nine images no more
    assert row["images_per_second"] == pytest.approx(30)
    assert (row["parameters"], row["memory_mb"]) == (network.parameters, 700.5)
    assert row["seconds"] == pytest.approx(sum(SECONDS.values()))
    assert row["seconds_infer"] == SECONDS["infer"]
    assert np.isnan(table.loc[("random", "automatic"), "images_per_second"])
    assert row["commit"] == "abc1234, abc1234+"
    assert re.fullmatch("[0-9a-f]{12}", row["settings"])  # one for both seeds
    assert row["settings"] != table.loc[("moco", "automatic"), "settings"]


def test_a_training_that_was_interrupted_costs_all_its_steps(tmp_path: Path) -> None:
    (fake,) = write_runs(tmp_path / "tiny", [("swav", 0)])
    log = fake.run / "pretrain" / "log.jsonl"
    log.write_text("".join(json.dumps({"step": k, "seconds": 2.0, "gpu_mb": 900 + k}) + "\n" for k in range(100)))
    (fake.run / "benchmarks" / "extract.jsonl").unlink()  # as from a cache
    cost = run_cost(dict.fromkeys(SECONDS, fake.run), 9, 40)
    assert (cost["seconds_pretrain"], cost["images_per_second"]) == (200, 4.5)
    assert (cost["seconds_extract"], cost["seconds"]) == (None, None)
    assert cost["gpu_memory_mb"] > 940  # means over many steps rise to the greatest


def test_parts_of_a_stage_and_their_joining_are_added_up(tmp_path: Path) -> None:
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    for name, seconds in (("infer", 100), ("infer.1-of-2", 5), ("infer.2-of-2", 6), ("join_masks", 1)):
        (folder / f"{name}.jsonl").write_text(json.dumps({"s": seconds}))
    whole = folder / "infer.jsonl"
    os.utime(whole, (1, 1))
    assert stage_seconds(tmp_path, "infer") == 12
    os.utime(whole, (2e9, 2e9))
    assert stage_seconds(tmp_path, "infer") == 100
    assert stage_seconds(tmp_path, "extract") is None


def test_rows_without_scores_say_why(made: Path) -> None:
    page = (made / "index.html").read_text()
    assert "odc &lt;b&gt;" in page
    assert "odc <b>" not in page
    rows = re.findall(r'<tr class="without">.*?</tr>', page, re.DOTALL)
    assert len(rows) == 2  # under both thresholds
    assert "seed 0: pretrain failed: the loss is nan" in rows[0]
    assert "seed 1: not run: infer was not reached" in rows[0]
    assert "1 of 2 seeds" in page  # moco
    assert [text for _, text in Page(page).all("p", **{"class": "warning"})][:1] == [
        "moco, seed 1: pretrain failed: the loss is nan. Its log: results/moco/seed1/logs/pretrain.log."
    ]
    table = pd.read_csv(made / "scores.csv")
    assert table[table["row"] == "odc <b>"]["missing"].tolist() == ["pretrain: the loss is nan", "infer: not run"]
    assert len(table) == 5 * 2 * 2 + 3
    assert set(table["seconds"].dropna()) == {100.0}
    summary = pd.read_csv(made / "benchmark.csv").set_index("row")
    assert summary.loc["odc <b>", "missing"].iloc[0].startswith("seed 0: pretrain failed: the loss is nan; seed 1: not")


def test_seeds_that_fail_alike_are_one_reason() -> None:
    runs = tuple(MissingRun(row="odc", seed=k, stage="pretrain", failed=True, said="nan") for k in (0, 1))
    assert [(r.seeds, r.text) for r in reasons(MissingRuns(runs=runs))] == [("seeds 0, 1", "pretrain failed: nan")]


def test_nothing_finished_is_a_page_too(fakes: list[FakeRun], tmp_path: Path) -> None:
    every = [MissingRun(row=row.name, seed=k, **FAILED) for row in ROWS.rows for k in ROWS.seeds]
    files = {key: tmp_path / key for key in ("out", "table", "summary", "figure")}
    missing = MissingRuns(runs=tuple(every))
    benchmark(ReportConfig(), runs=[], rows=ROWS, missing=missing, images=fakes[0].images, **files)
    assert files["out"].read_text().count("the loss is nan") >= 4
    assert len(pd.read_csv(files["table"])) == 8


def test_equal_budgets_are_said_and_others_warned_of(made: Path, tmp_path: Path) -> None:
    page = (made / "index.html").read_text()
    assert "<b>Equal budgets:</b> every row but random made 100 optimiser steps of 9 images." in page
    frame = pd.DataFrame(
        [("swav", 100, 64), ("moco", 100, 64), ("pcl", 120, 64), ("random", 0, None)], columns=["row", "steps", "batch"]
    )
    assert unequal(frame) == ["PCL had 120 steps of 64 images, most rows 100 steps of 64 images"]
    data = tmp_path / "tiny"
    others = write_runs(data, [("swav", 0), ("moco", 0), ("byol", 0)])
    log = others[2].run / "pretrain" / "log.jsonl"
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:50]))
    made = make(tmp_path, others, rows_of("swav", "moco", "byol", seeds=(0,)), MissingRuns())
    page = (made / "index.html").read_text()
    assert "BYOL had 50 steps of 9 images, most rows 100 steps of 9 images" in page
    assert "Equal budgets" not in page


def test_rows_that_had_labels_stand_apart(tmp_path: Path) -> None:
    data = tmp_path / "tiny"
    others = write_runs(data, [("swav", 0), ("moco", 0)])
    scores = others[1].run / "evaluate" / "scores.json"
    scores.write_text(json.dumps(read_json(scores) | {"supervised": True}))
    made = make(tmp_path, others, rows_of("swav", "moco", seeds=(0,)), MissingRuns())
    captions = [text for _, text in Page((made / "index.html").read_text()).all("caption")]
    assert captions[0].startswith("From these images alone. Automatic threshold")
    assert captions[1].startswith("With labels of the category folders")


def test_the_page_sorts_by_one_script_and_allows_no_other(made: Path) -> None:
    page = (made / "index.html").read_text()
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in page
    assert script.strip() == (ROOT / "luss_core" / "report" / "sort.js").read_text().strip()
    assert page.count('class="beside sortable"') == 2
    for word in ("aria-sort", 'createElement("button")', "descending", "ascending"):
        assert word in script

    assert "<svg" in page.partition('id="figure"')[2]
    assert "://" not in page


def test_without_ground_truth_there_are_costs(tmp_path: Path) -> None:
    others = write_runs(tmp_path / "tiny", [("swav", 0), ("moco", 0)], truth=False)
    made = make(tmp_path, others, rows_of("swav", "moco", seeds=(0,)), MissingRuns())
    assert "There is no ground truth" in (made / "index.html").read_text()
    assert pd.read_csv(made / "scores.csv")["seconds"].tolist() == [100, 100]


def test_runs_of_other_images_do_not_belong_together(tmp_path: Path) -> None:
    others = write_runs(tmp_path / "tiny", [("swav", 0), ("moco", 0)])
    scores = others[1].run / "evaluate" / "scores.json"
    scores.write_text(json.dumps(read_json(scores) | {"classes": 4}))
    with pytest.raises(UserError, match="compare runs of one data set"):
        make(tmp_path, others, rows_of("swav", "moco", seeds=(0,)), MissingRuns())
    (others[1].run / "pretrain" / "encoder.safetensors").unlink()
    with pytest.raises(UserError, match="encoder.safetensors is missing"):
        make(tmp_path, others, rows_of("swav", "moco", seeds=(0,)), MissingRuns())


def test_a_row_with_a_pipeline_of_its_own_is_marked(tmp_path: Path) -> None:
    others = write_runs(tmp_path / "tiny", [("swav", 0), ("moco", 0)])
    swav, moco = rows_of("swav", "moco", seeds=(0,)).rows
    own = moco.model_copy(update={"pipeline": ("infer.size: 72 → 80",)})
    page = (
        make(tmp_path, others, BenchmarkRows(seeds=(0,), rows=(swav, own)), MissingRuns()) / "index.html"
    ).read_text()
    assert "segments for all of them but MoCo v2." in page
    assert page.count("own pipeline</span>") == 2
    assert "MoCo v2: <code>infer.size: 72 → 80</code>" in page


def test_the_papers_numbers_are_whole() -> None:
    assert {len(row) for table in TABLES.values() for row in table.values()} == {len(SCORES)}
    assert {len(row) for table in BY_SIZE.values() for row in table.values()} == {4}
    assert set(TABLES) == set(SETS)
    assert paper("shape", "S50")["mIoU_test"] == 39.4
    assert paper("shape", "S50", stage4=True)["mIoU_test"] == 35.2
    assert paper("supervised", "S919")["ML_test"] == 31.6
    assert paper("odc", "S919") == {}


def test_script(fakes: list[FakeRun], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    swav: list[Any] = [f"--run=swav:{k}:{fakes[k].run}" for k in (0, 1)]
    outputs = [f"--{key}={tmp_path / key}" for key in ("out", "table", "summary", "figure")]
    rows = settings(rows_of("swav", seeds=(0, 1)))
    arguments = ["benchmark.py", *swav, "--rows", rows, f"--images={fakes[0].images}", *outputs]
    monkeypatch.setattr("sys.argv", arguments)
    runpy.run_path(str(ROOT / "workflow_scripts" / "benchmark.py"), run_name="__main__")
    assert "Benchmark of 1 methods on tiny" in (tmp_path / "out").read_text()
    assert (tmp_path / "figure").read_text().startswith("<svg")


def test_names_of_dots_stand_beside_them_and_in_the_axes() -> None:
    """With long bars too, where names were once put behind the bar: beside other dots, or cut off."""
    ways = [("MaskContrast", 340, 30, 160), ("LUSS", 400, 29, 110), ("PCL", 268, 12, 168), ("random weights", 59, 9, 0)]
    points = [Point(name, x, y, (bar, 3.0)) for name, x, y, bar in ways]
    axes = Figure(figsize=(6, 5)).add_subplot()
    axes.set(xlim=(0, 520), ylim=(0, 60))
    axes.figure.draw_without_rendering()
    _names(axes, points)
    drawn = {text.get_text(): text.get_window_extent() for text in axes.texts}
    assert set(drawn) == {point.name for point in points}
    for point in points:
        box, dot = drawn[point.name], axes.transData.transform((point.x, point.y))
        assert axes.bbox.x0 <= box.x0 < box.x1 <= axes.bbox.x1, point
        aside = max(box.x0 - dot[0], dot[0] - box.x1, 0), max(box.y0 - dot[1], dot[1] - box.y1, 0)
        assert max(aside) < 30 * axes.figure.dpi / 72, point
    for one, other in combinations(drawn.values(), 2):
        assert not one.overlaps(other)
