"""The page and the tables of `snakemake wsss`: gains, whether they shrink, the paper, rows that failed."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from fake_run import FakeRun
from page_reader import Page
from wsss_run import ENCODER, rows_of, write_rows

from luss_core.config import MissingRun, MissingRuns, ReportConfig, SegmenterConfig
from luss_core.config.wsss import WSSSRows
from luss_core.methods.segmenter import Segmenter
from luss_core.models.encoder import Encoder
from luss_core.report.comparison import ScoredRun
from luss_core.report.wsss_cost import architecture
from luss_core.report.wsss_paper import COLUMNS, TABLE4, paper_gain
from luss_core.stages.wsss import wsss

ROWS = rows_of("cam", "seam", "seam+advcam", "sc-cam", seeds=(0, 1, 2))
VALUES = {
    "swav+folders+cam+wsss": [30.0, 31.0, 32.0],
    "swav+folders+seam+wsss": [34.0, 35.1, 35.9],
    "swav+folders+seam+advcam+wsss": [36.0, 36.9, 38.1],
    "swav+clusters+cam+wsss": [20.0, 22.0, 21.0],
    "swav+clusters+seam+wsss": [21.1, 22.9, 22.0],
    "swav+clusters+seam+advcam+wsss": [21.0, 23.9, 21.0],
    "swav+clusters+sc-cam+wsss": [19.0, 21.2, 19.9],
}
MISSING = MissingRuns(
    runs=tuple(
        MissingRun(row="swav+folders+sc-cam+wsss", seed=seed, stage="finetune", failed=True, said="too <few> epochs")
        for seed in (0, 1, 2)
    )
)


def make(out: Path, fakes: list[FakeRun], rows: WSSSRows, missing: MissingRuns = MissingRuns()) -> Path:  # noqa: B008
    runs = [ScoredRun(fake.run.parent.name, int(fake.run.name[4:]), fake.run) for fake in fakes]
    files = {"out": out / "index.html", "table": out / "scores.csv", "summary": out / "wsss.csv"}
    wsss(ReportConfig(), runs=runs, rows=rows, missing=missing, images=fakes[0].images, store=fakes[0].store, **files)
    return out


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    fakes = write_rows(tmp_path_factory.mktemp("results") / "tiny", ROWS, VALUES)
    return make(tmp_path_factory.mktemp("out"), fakes, ROWS, MISSING)


def text_of(made: Path) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", (made / "index.html").read_text(encoding="utf-8")))


def test_the_summary_has_means_networks_and_the_rows_of_the_paper(made: Path) -> None:
    table = pd.read_csv(made / "wsss.csv")
    own = table[table["source"] == "here"].set_index(["row", "rule"])
    row = own.loc[("swav+folders+seam+wsss", "automatic")]
    assert (row["mIoU_test"], row["seeds"], row["labels"]) == (pytest.approx(35.0), 3, "folders")
    assert row["mIoU_test_std"] == pytest.approx(0.95394, abs=1e-5)
    plain = Segmenter(SegmenterConfig(attend=False), Encoder(ENCODER), 3)
    cam = own.loc[("swav+folders+cam+wsss", "automatic")]
    assert cam["parameters"] == sum(p.numel() for p in plain.parameters())
    assert row["parameters"] > cam["parameters"] - 3  # the correlation module, and a head without bias
    assert row["macc"] > cam["macc"] > 0
    assert own.loc[("swav+folders+sc-cam+wsss", "oracle"), "missing"].endswith("too <few> epochs")
    paper = table[table["source"] == "paper"]
    assert len(paper) == 14
    assert paper.iloc[-1][["mIoU_validation", "F_test"]].tolist() == [23.7, 43.9]


def test_a_split_that_was_not_segmented_has_no_columns(tmp_path: Path, made: Path) -> None:
    rows = rows_of("cam")
    fakes = write_rows(tmp_path / "tiny", rows, {row.name: VALUES[row.name][:1] for row in rows.rows})
    for fake in fakes:
        file = fake.run / "evaluate" / "scores.json"
        scores = json.loads(file.read_text())
        del scores["splits"]["test"]
        file.write_text(json.dumps(scores))
    heading = "mIoU<br>test"
    pages = [(folder / "index.html").read_text(encoding="utf-8") for folder in (make(tmp_path, fakes, rows), made)]
    assert [page.count(heading) for page in pages] == [1, pages[1].count("F<br>val")]  # the first is that of the paper


def test_gains_are_paired_and_the_text_says_whether_they_shrink(made: Path) -> None:
    text = text_of(made)
    assert "With true labels 2 of 2 methods raise mIoU over what they are compared with; 2 of the 2 can be" in text
    assert "With clusters 1 of 3 methods raise mIoU" in text
    assert "swav, SEAM over CAM: +4.0 with true labels, +1.0 from clusters; the gain shrinks, as in the paper." in text
    assert "SEAM + AdvCAM over SEAM: +2.0 with true labels, +0.0 from clusters; the gain" in text
    assert "Best mIoU of swav: 37.0 with true labels (SEAM + AdvCAM), 22.0 with clusters (SEAM)." in text
    gains = next(body for _, body in Page((made / "index.html").read_text()).all("table") if "Points of mIoU" in body)
    assert re.search(r"SEAM \+ AdvCAM\s*SEAM\s*swav\s*true labels\s*\+2\.0\s*± 0\.2\s*more", gains)
    assert re.search(r"\+1\.7\s*to \+1\.8", gains)


def test_a_row_that_failed_says_why_and_scores_stand_apart_by_labels(made: Path) -> None:
    page = (made / "index.html").read_text(encoding="utf-8")
    assert "seeds 0, 1, 2: finetune failed: too &lt;few&gt; epochs" in page
    assert "SC-CAM on swav, true labels, seeds 0, 1, 2:" in text_of(made)
    taught = [text for _, text in Page(page).all("table") if "With labels of the category folders." in text]
    assert all("finetune failed" in text for text in taught)
    captions = [text for _, text in Page(page).all("caption")]
    assert sum("With labels of the category folders." in text for text in captions) == 2  # both rules
    assert sum("From these images alone." in text for text in captions) == 2


def test_pictures_have_a_map_and_a_mask_of_every_method(made: Path) -> None:
    page = Page((made / "index.html").read_text(encoding="utf-8"))
    titles = [text for _, text in page.all("title")]
    for name, count in (("CAM", 2), ("SEAM", 2), ("SEAM + AdvCAM", 2), ("SC-CAM", 1)):
        assert sum(text.startswith(f"activation map of {name},") for text in titles) == 5 * count
        assert sum(text.startswith(f"{name} of ") for text in titles) == 5 * count
    photos = [values for values, _ in page.all("image") if values.get("id", "").startswith("photo")]
    assert len(photos) == 5  # once, however many methods


def test_without_ground_truth_there_are_pictures_alone(tmp_path: Path) -> None:
    rows = rows_of("cam", seeds=(0,))
    fakes = write_rows(tmp_path / "tiny", rows, {"swav+folders+cam+wsss": [0], "swav+clusters+cam+wsss": [0]}, False)
    made = make(tmp_path / "out", fakes, rows)
    assert "There is no ground truth, so there are no scores of masks." in text_of(made)
    assert "activation map of CAM" in (made / "index.html").read_text(encoding="utf-8")


def test_the_rows_are_those_of_the_paper() -> None:
    """Some of its text: rows 1, 6, 7 and 14, the sums of columns, and its remarks on the gains of AdvCAM."""
    assert len(TABLE4) == 14
    assert TABLE4[0].scores == (49.7, 49.6, 96.6, 95.7, 61.5, 60.9)
    assert (TABLE4[5].architecture, TABLE4[5].parameters, TABLE4[5].scores[1]) == ("DeepLabV3+", 16.7, 28.7)
    assert TABLE4[6].scores == (38.5, 39.3, 81.9, 83.8, 49.4, 49.6)
    assert TABLE4[13].scores == (23.7, 23.3, 54.6, 53.5, 44.2, 43.9)
    by_column = [round(sum(row.scores[k] for row in TABLE4), 1) for k in range(len(COLUMNS))]
    assert by_column == [433.4, 435.8, 953.1, 956.1, 662.9, 663.3]
    assert paper_gain("seam+advcam", "seam", "folders") == (1.7, 1.8)
    assert paper_gain("seam+advcam", "seam", "clusters") == (0.4, 1.0)
    assert paper_gain("cam+advcam", "cam", "folders") is None


def test_networks_are_called_by_name() -> None:
    assert architecture(ENCODER) == "ResNet-18, width 8"
