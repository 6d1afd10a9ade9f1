"""Pages say at the top what makes a result say little, and show no number that misleads."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_run import FakeRun, write_data, write_run
from page_reader import Page

from luss_core.config import ReportConfig
from luss_core.data.features import read_clusters, write_clusters
from luss_core.report.comparison import ScoredRun
from luss_core.report.page import number
from luss_core.signs import NOTHING
from luss_core.stages.compare import compare
from luss_core.stages.report import report

LEARNED = f"{NOTHING} the codes of the images are almost uniform (code_entropy 0.994 of 1). Try another epsilon"
EMPTY = "5 of 8 categories are empty: the 24 training images look like 3 different ones to the encoder; lower classes"
WHY = "the 8 folders need not be categories: nothing says that they are. If each folder holds one category, set"
WHY += " evaluate.folders: true"


def make(folder: Path, name: str = "swav", classes: int = 8, seed: int = 0, *, truth: bool = True) -> FakeRun:
    """A run that learned nothing: empty clusters, classes that do not occur, folders that are no categories."""
    fake = FakeRun(folder, folder / name / f"seed{seed}", classes, truth, seed=seed)
    write_data(fake)
    scores = write_run(fake)
    scores |= {"warnings": [LEARNED, EMPTY], "nmi": None, "accuracy": None, "no_folder_score": WHY}
    for entry in scores.get("splits", {}).values():
        for rule in ("automatic", "oracle"):
            entry[rule] |= {"mIoU": 12.5, "mIoU_present": 45.25, "mBIoU_present": 30.0, "absent_classes": [4, 6]}
    (fake.run / "evaluate" / "scores.json").write_text(json.dumps(scores))
    empty_clusters(fake)
    if truth:
        without_truth(fake.run / "evaluate" / "per_class.csv", ("4", "6"))
    return fake


def empty_clusters(fake: FakeRun) -> None:
    path = fake.run / "cluster" / "clusters.h5"
    found = read_clusters(path)
    found.label[:] = np.arange(len(found.label)) % 3
    write_clusters(path, found, {"luss": "0", "commit": "", "libraries": {}, "settings": {}})
    balance = json.loads((fake.run / "cluster" / "balance.json").read_text())
    sizes = np.bincount(found.label, minlength=fake.classes).tolist()
    balance |= {"sizes": sizes, "empty": fake.classes - 3, "distinct": 3, "entropy": -0.0}
    (fake.run / "cluster" / "balance.json").write_text(json.dumps(balance))


def without_truth(table: Path, classes: tuple[str, ...]) -> None:
    with table.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    with table.open("w", newline="") as lines:
        writer = csv.DictWriter(lines, rows[0])
        writer.writeheader()
        writer.writerows(row | ({"truth_pixels": "0"} if row["class"] in classes else {}) for row in rows)


def shown(fake: FakeRun, out: Path) -> str:
    report(ReportConfig(), **fake.arguments(), prior=None, out=out, title="x")
    return out.read_text(encoding="utf-8")


def text_of(page: str, section: str) -> str:
    return " ".join(next(text for values, text in Page(page).all("section") if values["id"] == section).split())


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("page")
    return shown(make(folder), folder / "index.html")


def test_warnings_come_before_the_first_picture(page: str) -> None:
    head = " ".join(Page(page).all("header")[0][1].split())
    assert f"Careful: {LEARNED}." in head
    assert f"Careful: {EMPTY}." in head


def test_classes_that_do_not_occur_are_said_beside_the_mean(page: str) -> None:
    scores = text_of(page, "scores")
    assert "12.5 %" in scores
    assert "45.2 over the classes that occur" in scores
    assert (
        "2 of 8 classes do not occur in the truth and count 0 in the mean: name003, name005. Over the 7 that occur,"
        " other included, mIoU is 45.25." in scores
    )
    classes = next(text for values, text in Page(page).all("section") if values["id"] == "classes")
    bars = classes.partition("All 9 classes as a table")[0]
    assert "name003" not in bars
    assert "name002" in bars
    assert "Classes that do not occur in the truth are left out here" in classes


def test_empty_categories_have_no_gallery(page: str) -> None:
    clusters = text_of(page, "clusters")
    assert "5 of 8 categories are empty: no image is nearest their centroids." in clusters
    assert "To the encoder the 24 images look like 3 different ones." in clusters
    assert "No image is nearest this centroid" not in page
    assert len(Page(page).all("div", **{"class": "cluster"})) == 3
    assert "clusters are shown, chosen evenly" not in clusters
    assert "Entropy of the sizes: 0.0 % of" in clusters


def test_folders_that_are_no_categories_give_no_score(page: str) -> None:
    assert f"There is no NMI against the folders: {WHY}." in text_of(page, "scores")
    assert f"No score against the folders of the images: {WHY}." in text_of(page, "clusters")
    assert "NMI of the clusters" not in page
    assert "61.2" not in text_of(page, "clusters")  # balance.json has it all the same


def test_without_truth_and_without_trouble(tmp_path: Path) -> None:
    fake = FakeRun(tmp_path, tmp_path / "swav" / "seed0", 3, truth=False)
    write_data(fake)
    write_run(fake)
    text = shown(fake, tmp_path / "index.html")
    for words in ("Careful", "do not occur", "No score against", "are empty"):
        assert words not in text
    assert "NMI 61.2" in text_of(text, "clusters")


def test_one_category_is_called_one(tmp_path: Path) -> None:
    one = FakeRun(tmp_path / "one", tmp_path / "one" / "swav" / "seed0", 1)
    write_data(one)
    write_run(one)
    path = one.run / "cluster" / "balance.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"entropy": None}))
    text = shown(one, tmp_path / "one.html")
    assert "Entropy of the sizes" not in text
    assert "looked for one kind of object" in text
    assert "1 categories" not in text


def test_comparisons_say_which_runs(tmp_path: Path) -> None:
    fakes = [make(tmp_path, "swav", seed=seed) for seed in (0, 1)]
    well = FakeRun(tmp_path, tmp_path / "shape" / "seed0", 8)
    well.names = fakes[0].names
    scores: dict[str, Any] = write_run(well)
    (well.run / "evaluate" / "scores.json").write_text(json.dumps(scores | {"nmi": None, "no_folder_score": WHY}))
    runs = [ScoredRun("swav", 0, fakes[0].run), ScoredRun("swav", 1, fakes[1].run), ScoredRun("shape", 0, well.run)]
    compare(
        ReportConfig(panels=2),
        runs=runs,
        images=well.images,
        store=well.store,
        out=tmp_path / "index.html",
        table=tmp_path / "scores.csv",
    )
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    head = " ".join(Page(text).all("header")[0][1].split())
    assert f"swav, seed 0, 1: {LEARNED}." in head
    assert "shape" not in head
    found = text_of(text, "scores")
    assert "2 of 8 classes do not occur in the truth and count 0 in the mean: name003, name005. The official" in found
    assert "mIoU of what occurs" in found
    assert f"There is no NMI against the folders: {WHY}." in found
    assert "NMI" not in [name for _, name in Page(text).all("th", scope="col")]
    with (tmp_path / "scores.csv").open(newline="") as lines:
        row = next(csv.DictReader(lines))
    assert (row["mIoU"], row["mIoU_present"], row["absent_classes"]) == ("12.5", "45.25", "2")


@pytest.mark.parametrize(
    ("value", "text"), [(-0.0, "0.0"), (-0.04, "0.0"), (-0.06, "-0.1"), (0.25, "0.2"), (99.96, "100.0")]
)
def test_no_minus_before_zero(value: float, text: str) -> None:
    assert f">{text}<" in number(value)


def test_what_was_found_in_the_features_is_drawn(page: str) -> None:
    training = text_of(page, "training")
    assert (
        "The nearest neighbours of an image told its category in 25 % of the images before training and in 89 % after"
        " it (a guess: 14 %)." in training
    )
    charts = [values["aria-label"] for values, _ in Page(page).all("svg") if "aria-label" in values]
    begin = charts.index("Pre-training loss, by epoch")
    assert charts[begin + 1 : begin + 3] == [
        "Features of training images, by epoch",
        "Effective rank of the features, by epoch",
    ]
    assert "0 where all are the same, a collapse." in training
    assert "The folders are the categories, here only counted with" in training


def test_what_was_not_found_is_not_drawn(tmp_path: Path) -> None:
    fake = make(tmp_path)
    log = fake.run / "pretrain" / "log.jsonl"
    lines = [json.loads(line) for line in log.open()]
    without = ("knn", "knn_guess", "cluster_use")
    log.write_text("".join(json.dumps({k: v for k, v in line.items() if k not in without}) + "\n" for line in lines))
    training = text_of(shown(fake, tmp_path / "some.html"), "training")
    assert "k-NN" not in training
    assert "Use of the clusters" not in training
    assert "Deviation: 1 where" in training
    log.write_text("".join(json.dumps({"step": line["step"], "loss": line["loss"]}) + "\n" for line in lines))
    assert "eviation" not in text_of(shown(fake, tmp_path / "none.html"), "training")
