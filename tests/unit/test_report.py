"""The report page: whole, offline, honest, and safe with any name."""

import base64
import json
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from fake_run import FakeRun, write_data, write_run
from hypothesis import given
from hypothesis import strategies as st
from page_reader import Page
from PIL import Image
from skimage.color import rgb2lab

from luss_core.colours import class_colours
from luss_core.config import ReportConfig
from luss_core.data.images import read_images
from luss_core.data.masks import IGNORE
from luss_core.data.spread import evenly, spread
from luss_core.errors import UserError
from luss_core.report.gallery import by_distance
from luss_core.report.logs import read_log
from luss_core.report.panels import cluster_classes
from luss_core.report.pictures import FILL, PALE, VEIL, overlay_uri
from luss_core.report.tables import confused_pairs, row_shares
from luss_core.stages.report import report

EVIL = ["<script>alert(1)</script>", "a & \"b\" 'c' $x_1$", "NA"]


def make(folder: Path, classes: int, *, truth: bool = True, names: list[str] | None = None) -> tuple[FakeRun, str]:
    fake = FakeRun(folder, folder / "swav" / "seed0", classes, truth, names or [])
    write_data(fake)
    write_run(fake)
    out = folder / "index.html"
    report(ReportConfig(), **fake.arguments(), prior=None, out=out, title="made up · swav · seed 0")
    return fake, out.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> tuple[FakeRun, str]:
    return make(tmp_path_factory.mktemp("scored"), 8)


def test_offline_and_described(scored: tuple[FakeRun, str]) -> None:
    page = Page(scored[1])
    assert "://" not in scored[1]
    assert not page.all("script")
    assert not page.all("link")
    pictures = page.all("img")
    assert pictures
    assert all(values["alt"] and values["src"].startswith("data:image/") for values, _ in pictures)
    drawings = page.all("svg")
    described = sum(bool(values.get("aria-label")) for values, _ in drawings) + len(page.all("title")) - 1
    assert all(values["role"] == "img" for values, _ in drawings)
    assert described == len(drawings) > 20
    ids = [values["id"] for _, values, _ in page.elements if "id" in values]
    assert len(ids) == len(set(ids))
    links = [v["href"][1:] for tag in ("a", "use") for v, _ in page.all(tag)]
    assert set(links) <= set(ids)


def test_numbers_are_those_of_the_file(scored: tuple[FakeRun, str]) -> None:
    fake, text = scored
    scores = json.loads(fake.arguments()["scores"].read_text())
    rows = text.split('<th scope="col">Image accuracy</th>')[1].split("</table>")[0].split("<tr>")[1:]
    expected = [(s, r) for s in ("validation", "test") for r in ("automatic", "oracle")]
    assert len(rows) == len(expected)
    for row, (split, rule) in zip(rows, expected, strict=True):
        page = Page("<table><tr>" + row.replace("</tbody>", "") + "</table>")
        assert page.all("th")[0][1] == split
        assert page.all("td")[0][1] == rule
        want = [scores["splits"][split][rule][key] for key in ("mIoU", "mBIoU", "F", "img_acc")]
        assert [float(values["value"]) for values, _ in page.all("data")] == want
        assert [shown for _, shown in page.all("data")] == [f"{value:.1f}" for value in want]
    section = text.split('id="classes"')[1].split("</section>")[0].split("<details>")[0]
    bars = [values["value"] for values, _ in Page(section.split("</p>")[-1]).all("data")]
    automatic, oracle = (scores["splits"]["test"][rule]["IoU"] for rule in ("automatic", "oracle"))
    order = sorted(range(9), key=lambda k: -automatic[k])
    assert [float(v) for v in bars] == [v for k in order for v in (automatic[k], oracle[k])]


def test_same_files_same_page(scored: tuple[FakeRun, str], tmp_path: Path) -> None:
    out = tmp_path / "again.html"
    report(ReportConfig(), **scored[0].arguments(), prior=None, out=out, title="made up · swav · seed 0")
    assert out.read_text(encoding="utf-8") == scored[1]


def test_confusion_table(scored: tuple[FakeRun, str]) -> None:
    counts = np.array(json.loads(scored[0].arguments()["scores"].read_text())["confusion"]["counts"])
    table = Page('<table class="heat">' + scored[1].split('<table class="heat">')[1].split("</table>")[0] + "</table>")
    cells = [text for values, text in table.all("td") if "style" in values]
    want = 100 * counts / counts.sum(axis=1, keepdims=True)
    assert cells == [f"{v:.0f}" if v >= 0.5 else "" for v in want.ravel()]


def test_names_are_escaped(tmp_path: Path) -> None:
    _, text = make(tmp_path, 3, names=EVIL)
    assert "<script" not in text
    page = Page(text)
    named = {shown for values, shown in page.all("span", **{"class": "chip"})}
    assert set(EVIL) <= named
    assert {shown for _, shown in page.all("th", scope="row")} >= {"other", *EVIL}


def test_without_truth(tmp_path: Path) -> None:
    fake, text = make(tmp_path, 4, truth=False)
    page = Page(text)
    assert "No ground truth was found" in text
    assert "mIoU" not in text
    sections = {values["id"] for values, _ in page.all("section")}
    assert sections == {"first", "threshold", "training", "encoder", "clusters", "more", "made"}
    assert {"found"} == {shown for _, shown in page.all("span", **{"class": "tag"})}
    assert "29\N{NO-BREAK SPACE}% of the pixels of the test images are foreground" in text
    assert len(page.all("img")) == min(4 * fake.per_class, 4 * ReportConfig().gallery)


def test_many_classes_stay_readable(tmp_path: Path) -> None:
    _, text = make(tmp_path, 300)
    page = Page(text)
    assert len(text) < 3e6
    assert len(page.all("li", **{"class": "row"})) == 40 + 4
    assert "All 301 classes as a table" in text
    assert not page.all("table", **{"class": "heat"})
    assert len(page.all("img", **{"class": "matrix"})) == 1
    assert len(page.all("div", **{"class": "cluster"})) == 40


def test_weights_of_others_are_marked(tmp_path: Path) -> None:
    fake, _ = make(tmp_path, 3)
    scores = fake.run / "evaluate" / "scores.json"
    weights = {"layout": "DINO", "source": "dino.pth", "digest": "ab" * 32, "licence": "", "parts": ["backbone"]}
    scores.write_text(json.dumps(json.loads(scores.read_text()) | {"weights": weights}))
    out = tmp_path / "marked.html"
    report(ReportConfig(), **fake.arguments(), prior=None, out=out, title="made up")
    page = out.read_text(encoding="utf-8")
    assert "From weights that others trained:</b> DINO, dino.pth, SHA-256 abababababab…." in page
    assert "No label of these images was used" in page


def test_untrained_control(tmp_path: Path) -> None:
    fake = FakeRun(tmp_path, tmp_path / "random" / "seed0", 3)
    write_data(fake)
    write_run(fake)
    files = fake.arguments()
    files["pretrain_log"].write_text("")
    report(ReportConfig(panels=2), **files, prior=None, out=tmp_path / "index.html", title="random")
    assert "Pre-training: no step was taken" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_missing_mask_is_named(tmp_path: Path) -> None:
    fake = FakeRun(tmp_path, tmp_path / "swav" / "seed0", 3)
    write_data(fake)
    write_run(fake)
    for path in (fake.arguments()["masks"] / "test").rglob("*.png"):
        path.unlink()
    with pytest.raises(UserError, match=r"masks/test/001/\d\.png does not exist"):
        report(ReportConfig(), **fake.arguments(), prior=None, out=tmp_path / "index.html", title="x")
    assert not (tmp_path / "index.html").exists()


def test_imports_no_torch() -> None:
    code = "import sys; from luss_core.stages import report, compare, ablation; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_names_that_are_no_utf8(tmp_path: Path) -> None:
    fake = FakeRun(tmp_path, tmp_path / "swav" / "seed0", 2, names=["caf\udce9", "b"])
    write_data(fake)
    assert "caf\udce9" in read_images(fake.images).folder
    write_run(fake)
    report(ReportConfig(), **fake.arguments(), prior=None, out=tmp_path / "index.html", title="x")
    assert "caf\\udce9" in (tmp_path / "index.html").read_text(encoding="utf-8")


@given(st.lists(st.sampled_from("abcde"), max_size=40), st.integers(1, 50))
def test_spread_is_even(groups: list[str], count: int) -> None:
    chosen = spread(groups, count)
    assert len(chosen) == len(set(chosen)) == min(count, len(groups))
    taken = {g: sum(groups[i] == g for i in chosen) for g in set(groups)}
    unfilled = [n for g, n in taken.items() if n < groups.count(g)]
    assert all(n <= min(unfilled, default=count) + 1 for n in taken.values())
    first = [groups[i] for i in chosen[: len({groups[i] for i in chosen})]]
    assert len(first) == len(set(first))


@given(st.integers(0, 60), st.integers(0, 70))
def test_evenly(n: int, count: int) -> None:
    chosen = evenly(range(n), count)
    assert len(chosen) == min(n, count)
    gaps = np.diff([-0.5 - (chosen[0] if chosen else 0), *chosen]) if len(chosen) > 1 else np.array([1])
    assert gaps[1:].size == 0 or gaps[1:].max() - gaps[1:].min() <= 1


def test_cluster_classes() -> None:
    assert cluster_classes({"0": 0, "1": 3, "3": 1}, 3).tolist() == [0, 3, IGNORE, 1]
    assert cluster_classes(None, 3).tolist() == [0, 1, 2, 3]


def test_overlay_shows_the_mask() -> None:
    colours = class_colours(300)
    mask = np.zeros((12, 10), np.int32)
    mask[2:9, 2:9] = 290
    mask[-1] = IGNORE
    uri = overlay_uri(mask, colours, longest=64)
    pixels = np.asarray(Image.open(BytesIO(base64.b64decode(uri.split(",")[1]))).convert("RGBA"))
    assert pixels.shape == (12, 10, 4)
    assert pixels[5, 5].tolist() == [*colours[290], FILL]
    assert pixels[0, 0, 3] == VEIL
    assert pixels[-1, 0, 3] == PALE
    inner = np.zeros(mask.shape, bool)
    inner[3:8, 3:8] = True
    assert ((pixels[..., 3] == 255) == ((mask == 290) & ~inner)).all()
    big = overlay_uri(np.kron(mask, np.ones((20, 20), np.int32)), colours, longest=64)
    assert max(Image.open(BytesIO(base64.b64decode(big.split(",")[1]))).size) <= 64


@pytest.mark.parametrize("classes", [2, 8, 20, 21, 919])
def test_colours_differ(classes: int) -> None:
    colours = class_colours(classes)
    assert colours.shape == (classes + 1, 3)
    assert len(np.unique(colours, axis=0)) > 0.97 * (classes + 1)
    if classes <= 20:
        assert _apart(colours / 255) > (25 if classes <= 8 else 18)


def _apart(colours: np.ndarray) -> float:
    """Smallest CIELAB distance between two of the colours."""
    lab = rgb2lab(colours[None])[0]
    return float((np.linalg.norm(lab[:, None] - lab[None], axis=-1) + 1e3 * np.eye(len(lab))).min())


@given(st.integers(0, 700), st.integers(1, 50))
def test_log_means(tmp_path_factory: pytest.TempPathFactory, steps: int, points: int) -> None:
    path = tmp_path_factory.getbasetemp() / "log.jsonl"
    loss = np.random.default_rng(steps).random(steps)
    path.write_text("".join(json.dumps({"step": k, "loss": v, "name": "x"}) + "\n" for k, v in enumerate(loss)))
    log = read_log(path, points)
    assert log.steps == steps
    assert sorted(log.columns) == (["loss", "step"] if steps else [])
    if steps:
        shown = len(log.columns["loss"])
        length = next(2**k for k in range(12) if points * 2**k >= steps)
        assert shown == -(-steps // length) <= points
        for k, value in enumerate(log.columns["loss"]):
            assert value == pytest.approx(loss[k * length : (k + 1) * length].mean(), abs=1e-12)


def test_log_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 0, "loss": 1}\n{"step": 1, "lo')
    with pytest.raises(UserError, match=r"log\.jsonl, line 2 "):
        read_log(path)


@given(st.integers(2, 7), st.integers(0, 2**31))
def test_confused_pairs(n: int, seed: int) -> None:
    counts = np.random.default_rng(seed).integers(0, 6, (n, n))
    want = [(-counts[i, j], i, j) for i in range(1, n) for j in range(1, n) if i != j and counts[i, j] > 0]
    got = confused_pairs(counts.tolist(), 5)
    assert [(i, j) for i, j, _, _ in got] == [(i, j) for _, i, j in sorted(want)[:5]]
    assert all(pixels == counts[i, j] and share == counts[i, j] / counts[i].sum() for i, j, pixels, share in got)
    sums = row_shares(counts.tolist()).sum(axis=1)
    assert np.allclose(sums, (counts.sum(axis=1) > 0).astype(float))


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), max_size=40))
def test_members_by_distance(pairs: list[tuple[int, int]]) -> None:
    label, distance = (np.array([p[k] for p in pairs], dtype=np.int64) for k in (0, 1))
    for k, members in enumerate(by_distance(label, distance, 5)):
        want = sorted((d, i) for i, (lab, d) in enumerate(pairs) if lab == k)
        assert members.tolist() == [i for _, i in want]
