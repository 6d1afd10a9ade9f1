"""What the page of a run says of the encoder: consistency and attention."""

import base64
import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from fake_run import FakeRun, write_data, write_prior, write_run
from page_reader import Page
from PIL import Image

from luss_core.config import ReportConfig
from luss_core.stages.report import report


def _encoder(text: str) -> Page:
    return Page(
        '<section id="encoder">' + text.split('<section id="encoder">')[1].split("</section>")[0] + "</section>"
    )


def test_without_attention_there_are_numbers_and_no_pictures(tmp_path: Path) -> None:
    fake = FakeRun(tmp_path, tmp_path / "swav" / "seed0", 3)
    write_data(fake)
    write_run(fake)
    report(ReportConfig(), **fake.arguments(), prior=None, out=tmp_path / "index.html", title="x")
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    section = _encoder(text)
    measured = json.loads(fake.arguments()["examine"].read_text())
    assert [float(v["value"]) for v, _ in section.all("data")] == [measured["view_cos"], measured["cat_cos"]]
    assert not section.all("svg")
    assert "F of the attention" not in text


@pytest.mark.parametrize("prior", [False, True])
def test_attention_is_shown_beside_truth_and_prediction(tmp_path: Path, prior: bool) -> None:
    fake = FakeRun(tmp_path, tmp_path / "swav" / "seed0", 3, attention=True)
    write_data(fake)
    if prior:
        write_prior(fake)
    write_run(fake)
    out = tmp_path / "index.html"
    report(ReportConfig(panels=5), **fake.arguments(), prior=fake.prior if prior else None, out=out, title="x")
    text = out.read_text(encoding="utf-8")
    section = _encoder(text)
    heads = [shown for _, shown in section.all("div", **{"class": "grid-head"})]
    assert heads == ["image", *(["saliency"] if prior else []), "attention", "truth", "found"]
    pictures = section.all("svg", **{"class": "picture"})
    assert len(pictures) == 5 * len(heads)
    assert section.all("data")[2][0]["value"] == "52.5"
    assert [v["value"] for v, _ in section.all("data")][3:] == (["47.25"] if prior else [])
    own = Image.open(next((fake.run / "examine" / "attention" / "test").rglob("*.png")))
    shown = [Image.open(BytesIO(base64.b64decode(v["href"].split(",")[1]))) for v, _ in section.all("image")]
    levels = [np.asarray(p).tolist() for p in shown if p.mode == "P" and p.size == own.size]
    assert np.asarray(own).tolist() in levels
    ids = [values["id"] for _, values, _ in Page(text).elements if "id" in values]
    assert len(ids) == len(set(ids))


def test_a_map_that_is_missing_leaves_out_the_pictures(tmp_path: Path) -> None:
    fake = FakeRun(tmp_path, tmp_path / "swav" / "seed0", 3, attention=True)
    write_data(fake)
    write_run(fake)
    next((fake.arguments()["attention"] / "test").rglob("*.png")).unlink()
    report(ReportConfig(panels=9), **fake.arguments(), prior=None, out=tmp_path / "index.html", title="x")
    assert not _encoder((tmp_path / "index.html").read_text(encoding="utf-8")).all("svg")
