"""`snakemake cacl` as a stage: its tables from scores of several seeds that are put in, as page and CSV."""

import csv
import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from page_reader import Page
from pydantic import ValidationError

from luss_core import runs
from luss_core.config import CACLTablesConfig, Config, PaperTablesConfig
from luss_core.errors import UserError
from luss_core.metrics.probe import scores_of_confusion
from luss_core.report.comparison import ScoredRun
from luss_core.rows import paper_tables
from luss_core.stages.cacl import cacl, place

SCRIPT = Path(__file__).parents[2] / "workflow_scripts" / "cacl.py"
CLASSES = ("sky", "road", "car")
ASKED = {"tables": ["1a", "1b", "1c", "2", "3", "4"], "encoders": ["random", "ready"], "rows": {"mine": {"queue": 9}}}
READY = {"layout": "timm", "source": "timm: net <b>", "digest": "a" * 64, "licence": "", "parts": ["backbone"]}
SEEDS = (0, 1, 2)


@pytest.fixture(scope="module")
def config() -> Config:
    ready = {"decoder": None, "attention": False, "method": {"name": "swav"}, "train": {"epochs": 0}}
    values: dict[str, Any] = {
        "prepare": {"video": {"sources": ["folders"]}},
        "ablation": [],
        "cacl": ASKED,
        "presets": {"ready": {"pretrain": ready, "finetune": {"segmenter": {"attend": False}}}},
        "probes": {"limited": {"percents": [5, 100]}},
        "seeds": SEEDS,
    }
    return runs.load(runs.over_defaults(values))


@pytest.fixture(scope="module")
def rows(config: Config) -> PaperTablesConfig:
    return paper_tables(config)


def write(run: ScoredRun, probe: str, miou: float) -> None:
    """Scores of a probe whose mIoU is put in."""
    found = scores_of_confusion(np.array([[6, 2, 0], [1, 3, 0], [0, 0, 0]]), CLASSES)
    about = {"root": "/x/camvid <b>", "train": "train", "test": "test"}
    content = found | {"mIoU": miou, "mAcc": miou + 7, "protocol": "linear", "classes": list(CLASSES), "images": 3}
    content |= {"data": about, "untrained": ["car"], "learned": 3 if probe == "5" else 6, "weights": None}
    content |= {"percent": 5 if probe == "5" else 100, "provenance": {"luss": "1", "commit": "a"}}
    if run.preset == "ready":
        content["weights"] = READY
    place(run, probe).parent.mkdir(parents=True, exist_ok=True)
    place(run, probe).write_text(json.dumps(content))


@pytest.fixture(scope="module")
def judged(rows: PaperTablesConfig, tmp_path_factory: pytest.TempPathFactory) -> list[ScoredRun]:
    """Every run; a later row is a point better, and each seed a little other."""
    folder = tmp_path_factory.mktemp("judged")
    presets = list(dict.fromkeys(row.preset for table in rows.tables for row in table.rows))
    found = [ScoredRun(preset, seed, folder / preset / f"seed{seed}") for preset in presets for seed in SEEDS]
    for run in found:
        for probe in ("linear", "5", "100"):
            write(run, probe, score(presets.index(run.preset), run.seed))
    return found


def score(number: int, seed: int) -> float:
    return 20 + number + 3 * seed + 0.1 * ((7 * number + seed) % 3)


def make(rows: PaperTablesConfig, judged: list[ScoredRun], out: Path) -> str:
    files = {"out": out / "index.html", "table": out / "cacl.csv", "scores": out / "scores.csv"}
    cacl(CACLTablesConfig(tables=("1a",)), rows=rows, runs=judged, **files)
    return files["out"].read_text(encoding="utf-8")


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))


def test_a_cell_is_mean_deviation_and_paper(rows, judged, tmp_path):
    make(rows, judged, tmp_path)
    found = {(line["table"], line["row"], line["column"]): line for line in read(tmp_path / "cacl.csv")}
    assert len(found) == 5 + 8 + 3 + 2 * 5 + 4 + 2 * 5 + 2
    line = found["1a", "two-heads", "mIoU"]
    values = [score(3, seed) for seed in SEEDS]
    assert float(line["mean"]) == pytest.approx(np.mean(values))
    assert float(line["std"]) == pytest.approx(np.std(values, ddof=1))
    assert (line["seeds"], line["paper_R18"], line["paper_R50"]) == ("3", "35.9", "46.1")
    assert (line["preset"], line["title"]) == ("two-heads+cacl", "global and pixel head")
    assert found["1b", "two-heads", "mIoU"]["title"] == "decided by global head, stride 8"
    assert float(found["2", "moco", "mAcc"]["mean"]) - float(found["2", "moco", "mIoU"]["mean"]) == pytest.approx(7)
    assert (found["4", "moco", "5 %"]["paper_R18"], found["4", "ready", "5 %"]["paper_R18"]) == ("35.0", "")
    assert found["more", "mine", "mIoU"]["paper_R18"] == ""
    lines = read(tmp_path / "scores.csv")
    assert len(lines) == 3 * (17 + 2 * 5)
    assert {line["probe"] for line in lines} == {"linear", "5 %", "100 %"}


def test_the_page_asks_shows_and_says_what_is_seen(rows, judged, tmp_path):
    text = make(rows, judged, tmp_path)
    page, words = Page(text), " ".join(text.split())
    assert [title for _, title in page.all("h2")][1:8] == [
        "Table 1a: local and global features",
        "Table 1b: how different the two frames are",
        "Table 1c: the parts of the cycle head",
        "Table 2: linear probe",
        "Table 3: linear probe on photographs",
        "Table 4: few labels",
        "Rows of your own",
    ]
    assert "Differences in the paper: 4. Here as there 4, the other way 0, may be chance 0 (3 seeds)." in words
    assert "camvid &lt;b&gt;" in text
    assert "net &lt;b&gt;" in text
    assert "begins from the encoder of the preset <b>moco</b> of the same seed" in words
    assert "Means of a probe are over the 2 classes that occur in the split test; car does not." in words
    # ready, with weights of others, leads no column of the others
    assert words.count("<b>With weights that others trained.</b>") == 3
    assert "Here: camvid &lt;b&gt;, 5 %: 3 images; 100 %: 6 images." in words
    assert "Not in these numbers" not in words


def test_a_run_without_scores_is_named_and_left_out(rows, judged, tmp_path):
    fewer = [run for run in judged if (run.preset, run.seed) != ("global+cacl", 2)]
    gone = next(run for run in judged if (run.preset, run.seed) == ("cacl+cacl", 1))
    before = place(gone, "linear").read_bytes()
    place(gone, "linear").unlink()
    words = " ".join(make(rows, fewer, tmp_path).split())
    place(gone, "linear").write_bytes(before)
    assert "global+cacl, seed 2: no such run was given" in words
    assert f"cacl+cacl, seed 1, linear: there is no {place(gone, 'linear')}" in words
    found = {(line["table"], line["row"]): line for line in read(tmp_path / "cacl.csv")}
    assert (found["1a", "global"]["seeds"], found["1a", "cacl"]["seeds"], found["1a", "pixel"]["seeds"]) == (*"223",)
    assert float(found["1a", "global"]["mean"]) == pytest.approx(np.mean([score(1, seed) for seed in (0, 1)]))


def test_one_seed_says_nothing_of_chance(rows, judged, tmp_path):
    words = " ".join(make(rows, [run for run in judged if run.seed == 0], tmp_path).split())
    assert "One seed: chance cannot be told from what the rows do." in words
    assert "as in the paper</td>" not in words
    assert {line["std"] for line in read(tmp_path / "cacl.csv")} == {""}


def test_probes_of_different_data_are_refused(rows, judged, tmp_path):
    file = place(judged[4], "linear")
    before = file.read_text()
    file.write_text(before.replace('"learned": 6', '"learned": 7'))
    with pytest.raises(UserError, match="learned of the probe linear is 7, of .* 6; compare probes of one data set"):
        make(rows, judged, tmp_path)
    file.write_text(before)


def test_what_is_to_be_made_must_be_said(rows, tmp_path, monkeypatch, capsys):
    with pytest.raises(UserError, match="no run has scores of the probes"):
        make(rows, [], tmp_path)
    files = [part for name in ("out", "table", "scores") for part in (f"--{name}", str(tmp_path / name))]
    monkeypatch.setattr("sys.argv", ["cacl", "--rows", "{}", *files])
    with pytest.raises(SystemExit):
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert "set cacl.tables: [1a, 1b, 1c, 2, 3, 4], with videos as data_root" in capsys.readouterr().err
    with pytest.raises(
        ValidationError, match="rows lacks moco, which the tables show: a row can be changed, not taken"
    ):
        CACLTablesConfig(tables=("3",), rows={"cacl": {}})


def test_tables_of_a_probe_that_nobody_ran_are_empty(rows, judged, tmp_path):
    copies = [ScoredRun(run.preset, run.seed, tmp_path / run.preset / f"seed{run.seed}") for run in judged]
    for run in copies:
        write(run, "100", 30)
    text = make(rows, copies, tmp_path)
    found = {(line["table"], line["row"], line["column"]): line for line in read(tmp_path / "cacl.csv")}
    assert (found["1a", "cacl", "mIoU"]["mean"], found["1a", "cacl", "mIoU"]["seeds"]) == ("", "0")
    assert found["4", "cacl", "100 %"]["mean"] == "30.0"
    assert "Nothing to compare yet" not in text  # where nothing is compared nothing is said
