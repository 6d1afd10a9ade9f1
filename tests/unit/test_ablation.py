"""The ablation: Table 5 from runs of several seeds, beside the paper's numbers, as CSV, figure and page."""

import csv
import json
import math
import runpy
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from fake_run import FakeRun, write_data, write_prior, write_run
from page_reader import Page

from luss_core.config import ReportConfig
from luss_core.errors import UserError
from luss_core.report import table5
from luss_core.report.charts import Steps, steps_chart
from luss_core.report.comparison import Run
from luss_core.stages.ablation import ablation, every_run

SCRIPT = Path(__file__).parents[2] / "workflow_scripts" / "ablation.py"
ROWS = ("swav", "attention", "mine <b>", "shape-prior")
SEEDS = (0, 3)
FILES = {"out": "index.html", "table": "scores.csv", "table5": "table5.csv", "figure": "ablation.svg"}

Written = tuple[FakeRun, list[Run], list[dict[str, Any]], list[dict[str, Any]]]


def write(folder: Path, rows: tuple[str, ...], seeds: tuple[int, ...], attended: tuple[str, ...]) -> Written:
    """Runs of three classes, their scores and their measures."""
    runs, scores, measures, first = [], [], [], None
    for k, (row, seed) in enumerate((row, seed) for row in rows for seed in seeds):
        fake = FakeRun(folder, folder / f"row{k}" / f"seed{seed}", 3, seed=k, attention=row in attended)
        if first is None:
            first = fake
            write_data(fake)
            write_prior(fake)
        fake.names = first.names
        scores.append(write_run(fake))
        runs.append(Run(row, seed, fake.run))
        measures.append(json.loads(runs[-1].measures.read_text()))
    assert first is not None
    return first, runs, scores, measures


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return write(tmp_path_factory.mktemp("ablation"), ROWS, SEEDS, ("attention", "shape-prior"))


def make(data: Written, out: Path, prior: bool = True, panels: int = 5) -> str:
    fake, runs, _, _ = data
    files = {key: out / name for key, name in FILES.items()}
    inputs = {"images": fake.images, "store": fake.store, "prior": fake.prior if prior else None}
    ablation(ReportConfig(panels=panels), runs=runs, **inputs, **files)
    return files["out"].read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(written: Written, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    out = tmp_path_factory.mktemp("out")
    return out, make(written, out)


def values(data: Written, row: str, rule: str, label: str) -> list[float]:
    """One measure of the runs of a row, from the files."""
    key, split = label.rsplit("_", 1)
    found = []
    for run, scores, measures in zip(*data[1:], strict=True):
        if run.preset == row:
            inner = (
                {"train": scores, "validation": measures}.get(split, {})
                if key in ("nmi", "view_cos", "cat_cos")
                else {}
            )
            found.append(inner.get(key, scores["splits"].get(split, {}).get(rule, {}).get(key)))
    return found


def test_table5_is_mean_deviation_and_paper(written: Written, page: tuple[Path, str]) -> None:
    with (page[0] / "table5.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [(r["preset"], r["rule"]) for r in rows] == [(row, rule) for row in ROWS for rule in ("automatic", "oracle")]
    labels = [name for name in rows[0] if f"{name}_std" in rows[0]]
    assert labels == [
        *("mIoU_validation", "mIoU_test", "nmi_train", "img_acc_validation", "img_acc_test"),
        *("F_validation", "F_test", "view_cos_validation", "cat_cos_validation"),
    ]
    for row in rows:
        assert row["seeds"] == "2"
        for label in labels:
            measured = values(written, row["preset"], row["rule"], label)
            assert float(row[label]) == pytest.approx(np.mean(measured), abs=1e-9)
            assert float(row[f"{label}_std"]) == pytest.approx(abs(measured[0] - measured[1]) / math.sqrt(2), abs=1e-9)
            assert (row[f"{label}_paper"] == "") == (row["preset"] == "mine <b>")
    assert rows[6]["mIoU_test_paper"] == "35.3"


def test_the_numbers_of_the_paper_are_those_of_its_text() -> None:
    """Section 4 says in words how much each part brings."""
    paper = {row: table5.paper(row) for row in table5.PAPER}
    assert (paper["swav"]["mIoU_test"], paper["deeplab"]["mIoU_test"]) == (20.8, 27.4)
    assert paper["attention"]["mIoU_test"] == 30.4
    assert round(paper["attention"]["F_test"] - paper["deeplab"]["F_test"], 1) == 4.7
    assert (paper["attention"]["F_test"], paper["shape-prior"]["F_test"]) == (53.1, 59.4)
    assert round(paper["shape-prior"]["mIoU_test"] - paper["attention"]["mIoU_test"], 1) == 4.9
    assert (paper["shape-prior"]["mIoU_test"], paper["i2p"]["mIoU_test"], paper["shape"]["mIoU_test"]) == (
        35.3,
        38.0,
        39.4,
    )
    assert [round(paper[row]["cat_cos_validation"], 2) for row in ("shape-prior", "i2p")] == [0.83, 0.97]
    assert table5.paper("mine") == {}
    assert set(table5.TITLES) == set(table5.PAPER)


def test_gains_are_seed_by_seed(written: Written) -> None:
    table = table5.run_table(*written[1:])
    found = table5.gains(table, "oracle")
    assert [preset for preset, _ in found] == list(ROWS[1:])
    for (before, after), (_, cells) in zip(zip(ROWS, ROWS[1:], strict=False), found, strict=True):
        for column, cell in zip(table5.GAINS, cells, strict=True):
            pairs = [values(written, row, "oracle", column.label) for row in (after, before)]
            difference = np.subtract(*pairs)
            assert cell.mean == pytest.approx(difference.mean(), abs=1e-9)
            assert cell.std == pytest.approx(difference.std(ddof=1), abs=1e-9)
    assert [column.label for column in table5.GAINS] == ["mIoU_test", "nmi_train", "F_test"]
    assert [cell.paper for cell in found[0][1]] == pytest.approx([30.4 - 20.8, 72.6 - 63.3, 53.1 - 50.1])
    assert found[1][1][0].paper is None
    lonely = table[(table["preset"] != "attention") | (table["seed"] == 0)]
    assert table5.gains(lonely, "automatic")[0][1][0].std is None


def test_every_run_is_kept(written: Written, page: tuple[Path, str]) -> None:
    kept = pd.read_csv(page[0] / "scores.csv")
    assert len(kept) == 4 * len(written[1]) == len(every_run(*written[1:]))
    for run, scores, measures in zip(*written[1:], strict=True):
        part = kept[(kept["preset"] == run.preset) & (kept["seed"] == run.seed)]
        assert set(part["view_cos"]) == {measures["view_cos"]}
        assert part.iloc[0]["mIoU"] == scores["splits"]["validation"]["automatic"]["mIoU"]
        assert part["attention_F"].isna().all() == (measures["attention_F"] is None)


def test_page(written: Written, page: tuple[Path, str]) -> None:
    text = page[1]
    assert "://" not in text
    assert "mine <b>" not in text
    parsed = Page(text)
    ids = [v["id"] for _, v, _ in parsed.elements if "id" in v]
    assert len(ids) == len(set(ids))
    assert {v["href"][1:] for tag in ("a", "use") for v, _ in parsed.all(tag)} <= set(ids)
    sections = {v["id"] for v, _ in parsed.all("section")}
    assert sections == {"table", "steps", "attention", "segmentation", "runs"}
    heads = [shown for _, shown in parsed.all("div", **{"class": "grid-head"})]
    titles = ["SwAV", "+ pixel attention", "mine <b>", "+ shape prior"]
    assert heads == ["image", "saliency", titles[1], titles[3], "truth", "image", "truth", *titles]
    assert len(parsed.all("svg", **{"class": "picture"})) == 5 * len(heads)
    cells = Page(text.split("<tbody>")[1].split("</tbody>")[0]).all("data")
    shown = [float(v["value"]) for v, _ in cells[:6]]
    labels = ("mIoU_validation", "mIoU_test")
    wanted = [
        number
        for label, paper in zip(labels, (21.7, 20.8), strict=True)
        for measured in [values(written, "swav", "automatic", label)]
        for number in (np.mean(measured), np.std(measured, ddof=1), paper)
    ]
    assert shown == pytest.approx(wanted, abs=1e-9)
    assert len(cells) == 9 * (3 + 3 + 2 + 3)


def test_without_attention_and_with_one_seed(tmp_path: Path) -> None:
    text = make(write(tmp_path, ("swav", "deeplab"), (4,), ()), tmp_path / "out", prior=False)
    parsed = Page(text)
    assert {v["id"] for v, _ in parsed.all("section")} == {"table", "steps", "segmentation", "runs"}
    assert "±" not in text
    heads = [shown for _, shown in parsed.all("div", **{"class": "grid-head"})]
    assert heads == ["image", "truth", "SwAV", "+ DeepLabV3+*"]
    assert set(pd.read_csv(tmp_path / "out" / "table5.csv")["mIoU_test_std"].isna()) == {True}


def test_the_figure_is_a_file_of_its_own(page: tuple[Path, str]) -> None:
    text = (page[0] / "ablation.svg").read_text(encoding="utf-8")
    root = ElementTree.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "var(" not in text
    assert "currentColor" not in text
    shown = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"+ shape prior", "mine <b>", "mIoU (%)", "F (%)", "view-cos", "cat-cos"} <= set(shown)


def test_a_chart_without_values_and_without_paper() -> None:
    chart = steps_chart(["a", "b"], [Steps("x", [[], [1.0]], [None, None])], label="one value")
    assert 'aria-label="one value"' in chart


def test_missing_measures_are_named(written: Written, tmp_path: Path) -> None:
    other = write(tmp_path, ("swav",), (0,), ())
    other[1][0].measures.unlink()
    with pytest.raises(UserError, match=r"examine\.json does not exist"):
        make(other, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(UserError, match="given more than once"):
        make((written[0], [written[1][0]] * 2, *written[2:]), tmp_path / "out")


def test_script(written: Written, tmp_path: Path) -> None:
    fake, runs, _, _ = written
    arguments = [f"--run={run.preset}:{run.seed}:{run.folder}" for run in runs[:2]]
    files = {"images": fake.images, "store": fake.store, "prior": fake.prior}
    files |= {key: tmp_path / name for key, name in FILES.items()}
    arguments += [f"--{name}={path}" for name, path in files.items()]
    runpy.run_path(str(SCRIPT))["main"]([*arguments, "--settings", json.dumps({"panels": 1})])
    assert pd.read_csv(files["table5"])["seeds"].tolist() == [2, 2]
    assert files["out"].read_text(encoding="utf-8").count('class="picture"') == 3
