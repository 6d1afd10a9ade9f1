"""The comparison: means and spreads of scores, one page, and runs that do not belong together."""

import csv
import json
import runpy
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fake_run import METRICS, FakeRun, write_data, write_run
from page_reader import Page

from luss_core.config import ReportConfig
from luss_core.errors import UserError
from luss_core.report.comparison import ScoredRun, aggregate, check_comparable, parse_run, score_table
from luss_core.stages.compare import compare, first_runs

RULES = ("automatic", "oracle")
SCRIPT = Path(__file__).parents[2] / "workflow_scripts" / "compare.py"
RUNS = (("swav", 1), ("swav", 0), ("random <b>", 0), ("swav", 7))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[FakeRun, list[ScoredRun], list[dict[str, Any]]]:
    """Four runs of two presets on one data set of three classes."""
    folder = tmp_path_factory.mktemp("compare")
    fakes = [FakeRun(folder, folder / f"{k}" / f"seed{seed}", 3, seed=k) for k, (_, seed) in enumerate(RUNS)]
    write_data(fakes[0])
    for fake in fakes[1:]:
        fake.names = fakes[0].names
    scores = [write_run(fake) for fake in fakes]
    runs = [ScoredRun(preset, seed, fake.run) for (preset, seed), fake in zip(RUNS, fakes, strict=True)]
    return fakes[0], runs, scores


@pytest.fixture(scope="module")
def page(
    written: tuple[FakeRun, list[ScoredRun], list[dict[str, Any]]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    fake, runs, _ = written
    out = tmp_path_factory.mktemp("out")
    compare(
        ReportConfig(panels=5),
        runs=runs,
        images=fake.images,
        store=fake.store,
        out=out / "index.html",
        table=out / "scores.csv",
    )
    return out


def test_aggregate_is_mean_and_sample_deviation(written: tuple[FakeRun, list[ScoredRun], list[dict[str, Any]]]) -> None:
    _, runs, scores = written
    found = aggregate(score_table(runs, scores))
    assert list(dict.fromkeys(found.index.get_level_values("preset"))) == ["swav", "random <b>"]
    for split in ("validation", "test"):
        for rule in ("automatic", "oracle"):
            for key in METRICS:
                values = [scores[k]["splits"][split][rule][key] for k in (0, 1, 3)]
                row = found.loc["swav", split, rule]
                assert row[key, "mean"] == pytest.approx(np.mean(values), abs=1e-12)
                assert row[key, "std"] == pytest.approx(np.std(values, ddof=1), abs=1e-12)
                assert row[key, "count"] == 3
                alone = found.loc["random <b>", split, rule]
                assert alone[key, "mean"] == scores[2]["splits"][split][rule][key]
                assert np.isnan(alone[key, "std"])
    assert found.loc["swav", "test", "oracle"]["nmi", "mean"] == 61.25


def test_undefined_scores_are_left_out() -> None:
    rows = [("a", 0, 10.0), ("a", 1, None), ("a", 2, 14.0), ("b", 0, None)]
    values = [{"truth": True, "splits": {"test": {"images": 1, "automatic": {"S": v}}}} for _, _, v in rows]
    table = score_table([ScoredRun(preset, seed, Path()) for preset, seed, _ in rows], values)
    found = aggregate(table)["S"]
    assert found.loc["a", "test", "automatic"].tolist() == [12.0, pytest.approx(8**0.5), 2.0]
    assert np.isnan(found.loc["b", "test", "automatic"]["mean"])


def test_table_holds_every_score(page: Path, written: tuple[FakeRun, list[ScoredRun], list[dict[str, Any]]]) -> None:
    _, runs, scores = written
    with (page / "scores.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    columns = ["preset", "seed", "split", "rule", *METRICS, "mIoU_present", "mBIoU_present", "absent_classes"]
    assert list(rows[0]) == [*columns, "nmi", "accuracy", "beyond", "weights"]
    expected = [(r, s, rule, v) for r, v in zip(runs, scores, strict=True) for s in v["splits"] for rule in RULES]
    assert len(rows) == len(expected) == 16
    for row, (run, split, rule, values) in zip(rows, expected, strict=True):
        assert (row["preset"], row["seed"], row["split"], row["rule"]) == (run.preset, str(run.seed), split, rule)
        assert all(float(row[key]) == values["splits"][split][rule][key] for key in METRICS)
        assert (float(row["nmi"]), float(row["accuracy"])) == (values["nmi"], values["accuracy"])


def test_page(page: Path, written: tuple[FakeRun, list[ScoredRun], list[dict[str, Any]]]) -> None:
    text = (page / "index.html").read_text(encoding="utf-8")
    assert "://" not in text
    assert "random <b>" not in text
    parsed = Page(text)
    heads = [shown for _, shown in parsed.all("div", **{"class": "grid-head"})]
    assert heads == ["image", "truth", "swav", "random <b>"] * 2
    pictures = parsed.all("svg", **{"class": "picture"})
    assert len(pictures) == 5 * 4
    assert len({shown for _, shown in pictures if shown.startswith("image ")}) == 5
    table = Page(text.split("<tbody>")[1].split("</tbody>")[0])
    found = aggregate(score_table(*written[1:]))
    first = found.loc["swav", "test", "automatic"]
    shown = [float(values["value"]) for values, _ in table.all("data")]
    assert shown[:4] == [first[key, name] for key in ("mIoU", "mBIoU") for name in ("mean", "std")]
    assert len(shown) == 9 * 2 + 9
    leading = {row[0]: row[1] for row in _leading(text)}
    best = found.xs(("test", "automatic"), level=("split", "rule"))["mIoU", "mean"]
    assert leading["mIoU"] == best.idxmax()


def _leading(text: str) -> list[tuple[str, str]]:
    """(heading, preset) of the bold cells of the first table."""
    table = text.split("<table>")[1].split("</table>")[0]
    heads = [shown for _, shown in Page(table.split("</thead>")[0].split("<thead>")[1]).all("th")]
    found = []
    for row in table.split("<tbody>")[1].split("</tr>")[:-1]:
        cells = Page(row.replace("<tr>", "").strip())
        preset = cells.all("th")[0][1]
        marks = [values.get("class") == "leading" for values, _ in cells.all("td")]
        found += [(head, preset) for head, mark in zip(heads[1:], marks, strict=True) if mark]
    return found


WEIGHTS = {"layout": "MoCo v2", "source": "moco.pth", "digest": "0123456789abcdef" * 4, "licence": "MIT", "parts": []}


def test_weights_of_others_have_tables_of_their_own(tmp_path: Path) -> None:
    fakes = [FakeRun(tmp_path, tmp_path / name / "seed0", 3, seed=k) for k, name in enumerate(("own", "foreign"))]
    write_data(fakes[0])
    fakes[1].names = fakes[0].names
    for fake in fakes:
        write_run(fake)
    scores = fakes[1].run / "evaluate" / "scores.json"
    scores.write_text(json.dumps(json.loads(scores.read_text()) | {"weights": WEIGHTS}))
    runs = [ScoredRun(fake.run.parent.name, 0, fake.run) for fake in fakes]
    out, table = tmp_path / "index.html", tmp_path / "scores.csv"
    compare(ReportConfig(panels=2), runs=runs, images=fakes[0].images, store=fakes[0].store, out=out, table=table)
    text = out.read_text(encoding="utf-8")
    tables = [part.split("</table>")[0] for part in text.split("<table>")[1:]]
    scored = [part for part in tables if 'scope="col">Preset' in part and "Seeds" in part]
    presets = [[shown for _, shown in Page(part.split("<tbody>")[1].split("</tbody>")[0]).all("th")] for part in scored]
    assert presets == [["own"], ["foreign"]] * 4
    assert [("images alone" in part, "others trained" in part) for part in scored] == [(True, False), (False, True)] * 4
    assert "MoCo v2, moco.pth, SHA-256 0123456789ab…; MIT" in text
    assert "in the same images without labels." in text
    scores.write_text(json.dumps(json.loads(scores.read_text()) | {"supervised": True}))
    compare(ReportConfig(panels=2), runs=runs, images=fakes[0].images, store=fakes[0].store, out=out, table=table)
    assert "in the same images. What" in out.read_text(encoding="utf-8")
    with table.open(newline="") as lines:
        found = {row["preset"]: row["weights"][:7] for row in csv.DictReader(lines)}
    assert found == {"own": "", "foreign": "MoCo v2"}


def test_presets_are_shown_with_their_first_seed(
    written: tuple[FakeRun, list[ScoredRun], list[dict[str, Any]]],
) -> None:
    assert first_runs(written[1]) == [1, 2]


def test_parse_run() -> None:
    assert parse_run("swav:3:results/a:b/swav/seed3") == ScoredRun("swav", 3, Path("results/a:b/swav/seed3"))
    assert parse_run("swav:3:r/swav/seed3/evaluate/scores.json") == ScoredRun("swav", 3, Path("r/swav/seed3"))
    for wrong in ("swav", "swav:0", "swav:x:dir", ":0:dir", "swav:0:", "swav:-1:dir"):
        with pytest.raises(UserError, match="PRESET:SEED:DIR"):
            parse_run(wrong)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classes": 4}, "4 classes and 9 validation, 9 test images"),
        ({"truth": False}, "no ground truth was found"),
        ({"splits": {"test": {"images": 9}}}, "3 classes and 9 test images"),
    ],
)
def test_other_data_are_refused(
    written: tuple[FakeRun, list[ScoredRun], list[dict[str, Any]]], change: dict[str, Any], message: str
) -> None:
    _, runs, scores = written
    check_comparable(runs, scores)
    with pytest.raises(UserError, match=message) as error:
        check_comparable(runs, [*scores[:3], scores[3] | change])
    assert str(runs[3].scores) in str(error.value)


def test_one_run_twice(written: tuple[FakeRun, list[ScoredRun], list[dict[str, Any]]]) -> None:
    _, runs, scores = written
    with pytest.raises(UserError, match=r"run swav:1 is given more than once"):
        check_comparable([*runs, runs[0]], [*scores, scores[0]])


def test_script(written: tuple[FakeRun, list[ScoredRun], list[dict[str, Any]]], tmp_path: Path) -> None:
    fake, runs, _ = written
    main = runpy.run_path(str(SCRIPT))["main"]
    arguments = [f"--run={run.preset}:{run.seed}:{run.folder}" for run in runs[:2]]
    files = {"images": fake.images, "store": fake.store, "out": tmp_path / "c.html", "table": tmp_path / "t.csv"}
    arguments += [f"--{name}={path}" for name, path in files.items()]
    main([*arguments, "--settings", json.dumps({"panels": 1})])
    assert pd.read_csv(files["table"])["seed"].tolist() == [1] * 4 + [0] * 4
    assert files["out"].read_text(encoding="utf-8").count('class="picture"') == 3
    other = tmp_path / "other"
    stranger = FakeRun(other, other / "run", 3, per_class=2)
    write_data(stranger)
    files["images"] = stranger.images
    with pytest.raises(UserError, match=r"9 validation images, but --images lists 6"):
        main([arguments[0], *(f"--{name}={path}" for name, path in files.items())])


def test_masks_without_scores_are_compared_without_an_oracle(
    written: tuple[FakeRun, list[ScoredRun], list[dict[str, Any]]], tmp_path: Path
) -> None:
    fake, _, scores = written
    alone = ScoredRun("matched", 0, tmp_path / "matched" / "seed0")
    shutil.copytree(fake.run, alone.folder)
    splits = {split: entry | {"oracle": None} for split, entry in scores[0]["splits"].items()}
    alone.scores.write_text(json.dumps(scores[0] | {"splits": splits, "nmi": None, "accuracy": None}))
    given = {"images": fake.images, "store": fake.store, "table": tmp_path / "scores.csv"}
    compare(ReportConfig(panels=1), runs=[alone], **given, out=tmp_path / "index.html")
    assert set(pd.read_csv(tmp_path / "scores.csv")["rule"]) == {"automatic"}
    assert "(chosen with ground truth)" not in (tmp_path / "index.html").read_text(encoding="utf-8")
