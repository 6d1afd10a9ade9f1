"""A page of a run that left less behind: what is missing is left out, masks and truth are enough."""

import json
import re
from pathlib import Path

import pytest
from fake_run import FakeRun, write_data, write_run
from page_reader import Page

from luss_core.config import ReportConfig
from luss_core.data.images import read_images
from luss_core.data.spread import ATTENDED, attended_rows
from luss_core.stages.report import report


def without(fake: FakeRun, *names: str) -> dict[str, Path | None]:
    """The arguments of report() but for some."""
    return {**fake.arguments(), "prior": None, **dict.fromkeys(names)}


def sections_of(page: str) -> set[str]:
    return {values["id"] for values, _ in Page(page).all("section")}


CLUSTERED = ("clusters", "balance")
TRAINED = ("pretrain_log", "finetune_log", "examine", "attention")
SCORES = {"first", "scores", "classes", "sizes", "threshold", "confusion", "more", "made"}


def test_masks_and_truth_make_a_page(tmp_path: Path) -> None:
    """As of a stage that makes masks without clusters, fine-tuning and scores of pixels."""
    fake = FakeRun(tmp_path, tmp_path / "matched" / "seed0", 3)
    write_data(fake)
    scores = write_run(fake)
    for entry in scores["splits"].values():
        entry["oracle"] = None
    scores |= {"curve": {}, "nmi": None, "accuracy": None}
    scores["threshold"] = dict.fromkeys(("automatic", "rule", "oracle", "oracle_split"))
    (fake.run / "evaluate" / "scores.json").write_text(json.dumps(scores))
    table = (fake.run / "evaluate" / "per_class.csv").read_text().splitlines()
    automatic = [line for line in table if ",oracle," not in line]
    (fake.run / "evaluate" / "per_class.csv").write_text("\n".join(automatic) + "\n")
    given = without(fake, *CLUSTERED, *TRAINED, "threshold")
    report(ReportConfig(), **given, out=tmp_path / "index.html", title="x")
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert sections_of(text) == SCORES
    assert set(re.findall('href="#([a-z]+)"', text.split("<nav")[1].split("</nav>")[0])) == SCORES - {"first"}
    for word in ("None", "oracle", "threshold:", "Automatic threshold", "k-means", "without labels"):
        assert word not in text.partition("</style>")[2].replace("no other threshold", ""), word
    assert "One mask an image" in text


@pytest.mark.parametrize(
    ("missing", "sections"),
    [
        (CLUSTERED, {"training", "encoder"}),
        (TRAINED, {"clusters"}),
        (("clusters",), {"training", "encoder", "clusters"}),
        (("balance",), {"training", "encoder", "clusters"}),
        (("finetune_log", "attention", "threshold"), {"training", "encoder", "clusters"}),
    ],
)
def test_what_is_missing_is_left_out(tmp_path: Path, missing: tuple[str, ...], sections: set[str]) -> None:
    fake = FakeRun(tmp_path, tmp_path / "swav" / "seed0", 3, attention=True)
    write_data(fake)
    write_run(fake)
    report(ReportConfig(), **without(fake, *missing), out=tmp_path / "index.html", title="x")
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert sections_of(text) == SCORES | sections
    assert "None" not in text.partition("</style>")[2]


@pytest.mark.parametrize("panels", [1, 3, 9, 12, 18])
def test_attention_is_shown_whatever_the_number_of_panels(tmp_path: Path, panels: int) -> None:
    fake = FakeRun(tmp_path, tmp_path / "swav" / "seed0", 6, attention=True)
    write_data(fake)
    write_run(fake)
    listing = read_images(fake.images)
    kept = attended_rows(listing, "test")
    for path in (fake.run / "examine" / "attention").rglob("*.png"):
        if path.parent.parent.name != "test" or f"{path.parent.name}/{path.stem}" not in {listing.id[k] for k in kept}:
            path.unlink()
    report(ReportConfig(panels=panels), **without(fake), out=tmp_path / "index.html", title="x")
    page = Page((tmp_path / "index.html").read_text(encoding="utf-8"))
    shown = [text for _, text in page.all("title") if text.startswith("attention of ")]
    assert len(shown) == min(panels, ATTENDED)
    ids = [values["id"] for _, values, _ in page.elements if "id" in values]
    assert len(ids) == len(set(ids))
    assert {values["href"][1:] for values, _ in page.all("use")} <= set(ids)
