"""`snakemake transfer` as a stage: its table, page and sentences from scores that are put in."""

import csv
import json
from pathlib import Path
from typing import Any

import annotated
import numpy as np
import pytest
from page_reader import Page

from luss_core import runs
from luss_core.config import AnnotatedConfig, TransferConfig, TransferRow, TransferRows
from luss_core.data.masks import write_mask
from luss_core.errors import UserError
from luss_core.metrics.probe import scores_of_confusion
from luss_core.probed import check_stride
from luss_core.report import papers
from luss_core.report.comparison import ScoredRun
from luss_core.report.transfer_paper import NAMES, REPORTED
from luss_core.report.transfer_words import Seen, control_of, pairs, told
from luss_core.rows import transfer_rows
from luss_core.stages.transfer import compared, every_run, place, read, transfer

CLASSES = ("sky", "road", "car")
PRESETS = ("random", "shape", "ready <b>")
SEEDS = (0, 1, 2)
CFG = TransferConfig(percents=(100, 10), note="Shares <i> photographs.")
READY = {"layout": "timm", "source": "timm: net <b>", "digest": "a" * 64, "licence": "", "parts": ["backbone"]}


def score(preset: str, percent: int, seed: int) -> float:
    gain = {"random": 0, "shape": 6 if percent == 10 else 2, "ready <b>": 20}[preset]
    return 20 + gain + 3 * seed + 0.1 * ((len(preset) + seed) % 3)


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> list[ScoredRun]:
    folder = tmp_path_factory.mktemp("judged")
    found = [
        ScoredRun(preset, seed, folder / str(k) / f"seed{seed}") for k, preset in enumerate(PRESETS) for seed in SEEDS
    ]
    for run in found:
        for percent in (10, 100):
            base: dict[str, Any] = scores_of_confusion(np.array([[6, 2, 0], [1, 3, 0], [0, 0, 0]]), CLASSES)
            base |= {"mIoU": score(run.preset, percent, run.seed), "classes": list(CLASSES), "images": 3}
            base |= {"protocol": "segment", "percent": percent, "learned": percent // 10, "untrained": ["car"]}
            base |= {"data": {"root": "/x/camvid", "train": "train", "test": "test"}}
            base |= {"weights": READY if run.preset == PRESETS[2] else None, "provenance": {"luss": "1", "commit": "a"}}
            place(run, f"{percent} %").mkdir(parents=True)
            (place(run, f"{percent} %") / "scores.json").write_text(json.dumps(base))
        for i in range(3):
            (place(run, "100 %") / "masks").mkdir(exist_ok=True)
            write_mask(place(run, "100 %") / "masks" / f"{i}.png", np.full((24, 32), 3))
    return found


def make(judged: list[ScoredRun], out: Path) -> str:
    rows = TransferRows(rows=tuple(TransferRow(preset=name, learned=f"as {name}") for name in PRESETS), seeds=SEEDS)
    files = {"out": out / "index.html", "table": out / "transfer.csv", "scores": out / "scores.csv"}
    data, root = AnnotatedConfig(format="camvid", root="x"), annotated.camvid(out / "camvid")
    transfer(CFG, rows=rows, data=data, runs=judged, root=root, **files)
    return files["out"].read_text(encoding="utf-8")


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_page_asks_tells_and_shows(judged, tmp_path):
    text = make(judged, tmp_path)
    words = " ".join(text.split())
    page = Page(text)
    assert [title for _, title in page.all("h2")] == [
        *("What is seen", "The paper’s Table 7", "Images", "Classes", "Every seed", "Runs")
    ]
    assert "What is an encoder worth where labels are at hand?" in words
    assert "Shares &lt;i&gt; photographs." in words
    assert "In order of mIoU with 10 % of the labels: random 23.1 &lt; shape 29.1 &lt; ready &lt;b&gt; 43.1." in words
    titles = [title for _, title in page.all("title")]
    assert titles[:6] == ["What encoders are worth with labels: camvid", *titles[1:6]]
    assert len([t for t in titles if t.startswith("ready <b> of 0001TP_")]) == 3
    assert "timm, timm: net &lt;b&gt;, SHA-256 aaaaaaaaaaaa…" in words
    table = {
        (line["encoder"], line["share"]): line for line in lines(tmp_path / "transfer.csv") if line["score"] == "mIoU"
    }
    values = [score("shape", 10, seed) for seed in SEEDS]
    assert float(table["shape", "10 %"]["mean"]) == pytest.approx(np.mean(values))
    assert float(table["shape", "10 %"]["std"]) == pytest.approx(np.std(values, ddof=1))
    assert [table["shape", "100 %"][f"paper_{source}"] for source in ("S50", "S300")] == ["65.1", "75.4"]
    assert table["shape", "10 %"]["paper_S50"] == table["random", "100 %"]["paper_S50"] == ""
    assert len(lines(tmp_path / "scores.csv")) == 3 * 3 * 2


def test_what_is_seen_is_computed_from_the_numbers(judged):
    frame = every_run(read(CFG, judged))
    shares = ["10 %", "100 %"]
    assert control_of(PRESETS) == "random"
    assert pairs(PRESETS) == [("random", "shape"), ("random", "ready <b>"), ("shape", "ready <b>")]
    steps = compared(frame, shares, "random", "shape")
    named = frame.rename(columns={"preset": "row", "share": "column", "mIoU": "value"})
    spread = papers.spread(named, PRESETS, shares)
    texts = told(spread, [Seen("shape", steps)], "random")
    assert texts[0].startswith(
        "shape against random: +6.0 ± 0.2 points with 10 % of the labels, +2.0 ± 0.2 points with"
    )
    assert texts[1] == "Its lead is 4.0 points larger where labels are few than where they are many."
    assert len(texts) == 4
    one = told(spread, [Seen("shape", compared(frame[frame["seed"] == 0], shares, "random", "shape"))], "random")
    assert "(one seed: chance cannot be told)" in one[0]
    assert not any("worth" in text for text in one)


def test_runs_of_other_data_are_not_compared(judged, tmp_path):
    other = ScoredRun("random", 7, tmp_path)
    for share in ("10 %", "100 %"):
        values = json.loads((place(judged[0], share) / "scores.json").read_text()) | {"learned": 999}
        place(other, share).mkdir(parents=True)
        (place(other, share) / "scores.json").write_text(json.dumps(values))
    with pytest.raises(UserError, match=r"learned is 999, of .* 1; compare networks that learned from one data set"):
        read(CFG, [*judged, other])


def test_the_encoders_are_random_and_those_of_run_where_none_are_named():
    values = {"run": ["swav", "shape"], "seeds": [0, 1]}
    found = transfer_rows(runs.load(runs.over_defaults(values)))
    assert [row.preset for row in found.rows] == ["random", "swav", "shape"]
    assert found.rows[0].learned == "not trained"
    with pytest.raises(UserError, match="transfer.encoders: unknown preset 'swaf'; did you mean swav"):
        runs.load(runs.over_defaults({"transfer": {"encoders": ["swaf"]}}))
    with pytest.raises(UserError, match="names something twice"):
        runs.load(runs.over_defaults({"transfer": {"percents": [10, 10]}}))


def test_the_numbers_of_the_paper_are_those_of_its_table_7():
    order = ("supervised", "moco", "swav", "shape")
    assert tuple(NAMES) == order
    assert [[REPORTED[source]["100 %"][name] for name in order] for source in ("S50", "S300")] == [
        [61.5, 62.1, 59.0, 65.1],
        [74.4, 72.4, 74.3, 75.4],
    ]


def test_a_vit_whose_patch_is_no_16_is_refused_by_its_name():
    def pretrain(name: str) -> Any:
        backbone = {"family": "timm", "name": name}
        preset = {"pretrain": {"backbone": backbone, "decoder": None, "attention": False, "method": {"name": "swav"}}}
        preset["finetune"] = {"segmenter": {"attend": False, "encoder": "trained"}}
        return runs.resolve(runs.load(runs.over_defaults({"presets": {"mine": preset}})), "mine").pretrain

    with pytest.raises(UserError, match="of mine, vit_small_patch14_dinov2, has one position every 14 pixels"):
        check_stride("mine", pretrain("vit_small_patch14_dinov2"), 16)
    check_stride("mine", pretrain("vit_base_patch16_224"), 16)
    check_stride("mine", pretrain("tf_efficientnet_lite0"), 16)
