"""The ablation: Table 5 from runs of several seeds, beside the paper's numbers, as CSV, figure and page."""

import csv
import json
import math
import runpy
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from fake_run import FakeRun, write_data, write_prior, write_run
from page_reader import Page

from luss_core.config import ReportConfig, RowConfig, RowsConfig, SegmenterConfig
from luss_core.errors import UserError
from luss_core.report import table5
from luss_core.report.charts import Steps, steps_chart
from luss_core.report.comparison import ScoredRun
from luss_core.stages.ablation import Part, ablation, every_run

SCRIPT = Path(__file__).parents[2] / "workflow_scripts" / "ablation.py"
ROWS = ("swav", "attention", "mine <b>", "shape-prior")
SEEDS = (0, 3)
FILES = {"out": "index.html", "table": "scores.csv", "table5": "table5.csv", "figure": "ablation.svg"}

SEGMENTERS = {"shape-prior": SegmenterConfig(features="stage4", attend=True, encoder="frozen")}


class Written(NamedTuple):
    """Where the data are, and the runs in both pipelines."""

    fake: FakeRun
    common: Part
    best: Part
    rows: RowsConfig


def write(folder: Path, rows: tuple[str, ...], seeds: tuple[int, ...], attended: tuple[str, ...]) -> Written:
    """Runs of three classes, their scores and their measures; the first row has the common pipeline twice."""
    parts: dict[str, Part] = {name: Part(name, [], [], []) for name in ("common", "best")}
    fake = FakeRun(folder, folder / "none", 3)
    write_data(fake)
    write_prior(fake)
    for row in rows:
        for seed in seeds:
            for name, part in parts.items():
                place = folder / (row if row == rows[0] else f"{len(part.runs)}+{name}") / f"seed{seed}"
                run = FakeRun(folder, place, 3, names=fake.names, attention=row in attended)
                run.seed = sum(map(ord, str(place.relative_to(folder))))
                part.scores.append(write_run(run))
                part.runs.append(ScoredRun(row, seed, place))
    for part in parts.values():
        part.measures.extend(json.loads(run.measures.read_text()) for run in parts["best"].runs)
    told = [
        RowConfig(name=row, pretrain=(f"changed.{k}: 1 → 2",) if k else (), **_own(row)) for k, row in enumerate(rows)
    ]
    return Written(fake, parts["common"], parts["best"], RowsConfig(rows=tuple(told)))


def _own(row: str) -> dict[str, Any]:
    found = SEGMENTERS.get(row)
    changes = ("finetune.segmenter.features: output → stage4", "infer.threshold: otsu → 0.3")
    return {"segmenter": found, "pipeline": changes} if found else {}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return write(tmp_path_factory.mktemp("ablation"), ROWS, SEEDS, ("attention", "shape-prior"))


def make(data: Written, out: Path, prior: bool = True, panels: int = 5) -> str:
    files = {key: out / name for key, name in FILES.items()}
    inputs = {"images": data.fake.images, "store": data.fake.store, "prior": data.fake.prior if prior else None}
    runs = {"common": data.common.runs, "best": data.best.runs}
    ablation(ReportConfig(panels=panels), rows=data.rows, **runs, **inputs, **files)
    return files["out"].read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(written: Written, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    out = tmp_path_factory.mktemp("out")
    return out, make(written, out)


def values(part: Part, row: str, rule: str, label: str) -> list[float]:
    """One measure of the runs of a row, from the files."""
    key, split = label.rsplit("_", 1)
    found = []
    for run, scores, measures in zip(part.runs, part.scores, part.measures, strict=True):
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
    expected = [(p, row, rule) for p in ("common", "best") for row in ROWS for rule in ("automatic", "oracle")]
    assert [(r["pipeline"], r["preset"], r["rule"]) for r in rows] == expected
    labels = [name for name in rows[0] if f"{name}_std" in rows[0]]
    assert labels == [
        *("mIoU_validation", "mIoU_test", "nmi_train", "img_acc_validation", "img_acc_test"),
        *("F_validation", "F_test", "view_cos_validation", "cat_cos_validation"),
    ]
    for row in rows:
        assert row["seeds"] == "2"
        for label in labels:
            measured = values(getattr(written, row["pipeline"]), row["preset"], row["rule"], label)
            assert float(row[label]) == pytest.approx(np.mean(measured), abs=1e-9)
            assert float(row[f"{label}_std"]) == pytest.approx(abs(measured[0] - measured[1]) / math.sqrt(2), abs=1e-9)
            assert (row[f"{label}_paper"] == "") == (row["preset"] == "mine <b>")
    assert rows[6]["mIoU_test_paper"] == "35.3"
    # the same encoders, other masks
    assert rows[2]["view_cos_validation"] == rows[10]["view_cos_validation"]
    assert rows[2]["mIoU_test"] != rows[10]["mIoU_test"]


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
    part = written.common
    table = table5.run_table(part.runs, part.scores, part.measures)
    found = table5.gains(table, "oracle")
    assert [preset for preset, _ in found] == list(ROWS[1:])
    for (before, after), (_, cells) in zip(zip(ROWS, ROWS[1:], strict=False), found, strict=True):
        for column, cell in zip(table5.GAINS, cells, strict=True):
            pairs = [values(part, row, "oracle", column.label) for row in (after, before)]
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
    assert list(kept)[:5] == ["pipeline", "preset", "seed", "split", "rule"]
    assert len(kept) == 2 * 4 * len(written.common.runs) == 2 * len(every_run(written.common))
    for part in (written.common, written.best):
        for run, scores, measures in zip(part.runs, part.scores, part.measures, strict=True):
            own = (kept["pipeline"] == part.pipeline) & (kept["preset"] == run.preset) & (kept["seed"] == run.seed)
            assert set(kept[own]["view_cos"]) == {measures["view_cos"]}
            assert kept[own].iloc[0]["mIoU"] == scores["splits"]["validation"]["automatic"]["mIoU"]
            assert kept[own]["attention_F"].isna().all() == (measures["attention_F"] is None)


TITLES = ["SwAV", "+ pixel attention", "mine <b>", "+ shape prior"]


def test_page(page: tuple[Path, str]) -> None:
    text = page[1]
    assert "://" not in text
    assert "mine <b>" not in text
    parsed = Page(text)
    ids = [v["id"] for _, v, _ in parsed.elements if "id" in v]
    assert len(ids) == len(set(ids))
    assert {v["href"][1:] for tag in ("a", "use") for v, _ in parsed.all(tag)} <= set(ids)
    sections = {v["id"] for v, _ in parsed.all("section")}
    assert sections == {"table", "steps", "best", "attention", "segmentation", "runs"}
    heads = [shown for _, shown in parsed.all("div", **{"class": "grid-head"})]
    masks = ["image", "truth", *TITLES]
    assert heads == ["image", "saliency", TITLES[1], TITLES[3], "truth", *masks, *masks]
    assert len(parsed.all("svg", **{"class": "picture"})) == 5 * len(heads)


@pytest.mark.parametrize(("number", "pipeline", "columns"), [(0, "common", 9), (3, "best", 7)])
def test_the_tables_of_the_page(
    written: Written, page: tuple[Path, str], number: int, pipeline: str, columns: int
) -> None:
    """Between them stand that of the oracle and that of the steps."""
    cells = Page(page[1].split("<tbody>")[number + 1].split("</tbody>")[0]).all("data")
    shown = [float(v["value"]) for v, _ in cells[:6]]
    wanted = [
        number
        for label, paper in zip(("mIoU_validation", "mIoU_test"), (21.7, 20.8), strict=True)
        for measured in [values(getattr(written, pipeline), "swav", "automatic", label)]
        for number in (np.mean(measured), np.std(measured, ddof=1), paper)
    ]
    assert shown == pytest.approx(wanted, abs=1e-9)
    assert len(cells) == columns * (3 + 3 + 2 + 3)


def test_the_page_says_what_is_the_same_and_what_differs(page: tuple[Path, str]) -> None:
    common, _, rest = page[1].partition('<section id="steps">')
    best = rest.partition('<section id="best">')[2].partition("</section>")[0]
    assert "masks from the last map of the network" in common
    assert "foreground where the attention reaches" in common  # the defaults of RowsConfig
    assert "head_lr: 10" in common
    assert "<dt>SwAV</dt>\n<dd>the first row</dd>" in common
    assert "<dt>+ pixel attention</dt>\n<dd><code>changed.1: 1 → 2</code></dd>" in common
    assert best.count("stage4, attention decides,<br>encoder frozen") == 2
    assert best.count("infer.threshold: otsu → 0.3") == 2
    assert "finetune.segmenter.features" not in best
    assert best.count("the common pipeline") == 2 * 3 + 1
    assert "one thing more" not in page[1]


def test_a_run_in_both_pipelines_is_listed_once(page: tuple[Path, str]) -> None:
    listed = page[1].partition('<section id="runs">')[2]
    assert listed.count("<tr><th") == 1 + 2 * 2 * len(ROWS) - len(SEEDS)


def test_without_attention_and_with_one_seed(tmp_path: Path) -> None:
    text = make(write(tmp_path, ("swav", "deeplab"), (4,), ()), tmp_path / "out", prior=False)
    parsed = Page(text)
    assert {v["id"] for v, _ in parsed.all("section")} == {"table", "steps", "best", "segmentation", "runs"}
    assert "±" not in text
    heads = [shown for _, shown in parsed.all("div", **{"class": "grid-head"})]
    assert heads == ["image", "truth", "SwAV", "+ DeepLabV3+*"] * 2
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


def test_runs_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    data = write(tmp_path, ("swav", "i2p"), (0,), ())

    def with_common(runs: list[ScoredRun]) -> Written:
        return data._replace(common=replace(data.common, runs=runs))

    runs = list(data.common.runs)
    for wrong, message in (
        (with_common([runs[0], *runs]), "swav:0 is given more than once"),
        (with_common(runs[:1]), "--common i2p:0 is missing"),
        (with_common([*runs, ScoredRun("i2p", 1, runs[1].folder)]), "--run i2p:1 is missing"),
        (data._replace(rows=RowsConfig(rows=(RowConfig(name="swav"),))), "rows swav, i2p, --rows has swav"),
    ):
        with pytest.raises(UserError, match=message):
            make(wrong, tmp_path / "out")
    measures = data.best.runs[1].measures
    other = json.loads(measures.read_text())
    other["provenance"]["settings"]["examine"] = {"grid": 5}
    measures.write_text(json.dumps(other))
    with pytest.raises(UserError, match=r"other settings than .*; change no examine in presets\.i2p"):
        make(data, tmp_path / "out")
    measures.unlink()
    with pytest.raises(UserError, match=r"examine\.json does not exist"):
        make(data, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_script(written: Written, tmp_path: Path) -> None:
    parts = {"common": written.common.runs, "run": written.best.runs}
    arguments = [f"--{key}={run.preset}:{run.seed}:{run.folder}" for key, runs in parts.items() for run in runs[:2]]
    files = {"images": written.fake.images, "store": written.fake.store, "prior": written.fake.prior}
    files |= {key: tmp_path / name for key, name in FILES.items()}
    arguments += [f"--{name}={path}" for name, path in files.items()]
    told = {"rows": [{"name": "swav"}]}
    main = runpy.run_path(str(SCRIPT))["main"]
    main([*arguments, "--rows", json.dumps(told), "--settings", json.dumps({"panels": 1})])
    assert pd.read_csv(files["table5"])["seeds"].tolist() == [2] * 4
    assert files["out"].read_text(encoding="utf-8").count('class="picture"') == 3 * 2
