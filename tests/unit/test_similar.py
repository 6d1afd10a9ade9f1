"""What heads find alike in two frames: measured, written, and shown on the pages."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from fake_run import FakeRun, write_data, write_run, write_similarity, write_videos
from page_reader import Page
from PIL import Image

from luss_core.config import ExamineConfig, PretrainConfig, ReportConfig
from luss_core.data.images import read_images
from luss_core.data.store import Store
from luss_core.data.whole import resize_short, to_network
from luss_core.errors import UserError
from luss_core.methods import build_method
from luss_core.methods.kept_heads import load_heads, save_heads
from luss_core.models.encoder import Encoder
from luss_core.models.weights import save_weights
from luss_core.report.comparison import ScoredRun
from luss_core.report.similar import similar_frames
from luss_core.stages.compare import compare
from luss_core.stages.examine import examine
from luss_core.stages.report import report
from luss_core.stages.similar import similarity

CPU = torch.device("cpu")
HEADS = ("global", "cycle")


def trained(method: str, **settings: object) -> PretrainConfig:
    return PretrainConfig.model_validate(
        {
            "backbone": {"width": 8, "strides": [1, 2, 2, 1]},
            "decoder": None,
            "attention": False,
            "method": {"name": method, **settings},
            "views": {"crops": [{"count": 2, "size": 24, "scale": [0.5, 1]}]},
        }
    )


def write_encoder(path: Path, cfg: PretrainConfig) -> tuple[Encoder, torch.nn.ModuleDict]:
    torch.manual_seed(0)
    method = build_method(cfg.method, Encoder(cfg.encoder), 9).eval()
    settings = {"pretrain": cfg.model_dump(mode="json"), "seed": 0}
    about = {"encoder": cfg.encoder.model_dump(mode="json"), "provenance": {"settings": settings}}
    save_weights(path, method.encoder, about)
    save_heads(path, method.position_heads, about)
    return method.encoder, method.position_heads


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> FakeRun:
    folder = tmp_path_factory.mktemp("similar")
    fake = FakeRun(folder, folder / "cacl" / "seed0", 2, per_class=6)
    write_data(fake)
    write_videos(fake)
    write_run(fake)
    return fake


def run(fake: FakeRun, encoder: Path, out: Path) -> Path:
    files = {"images": fake.images, "store": fake.store, "encoder": encoder, "prior": None, "classes": 2}
    made = {"out": out / "examine.json", "attention": out / "attention", "similarity": out / "similarity"}
    examine(ExamineConfig(size=32, draws=1, images=2), **files, **made, device=CPU)
    return out / "similarity"


def test_cosines_of_the_point_with_every_position():
    torch.manual_seed(0)
    first, second = torch.randn(3, 4, 5, dtype=torch.float64), torch.randn(3, 2, 6, dtype=torch.float64)
    found = similarity(first, second, (0.5, 0.99))
    wanted = F.cosine_similarity(first[:, 2, 4][:, None, None], second, dim=0)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)


def test_every_head_of_cacl_on_frames_at_the_stride(data, tmp_path):
    network, heads = write_encoder(tmp_path / "encoder.safetensors", trained("cacl", heads=HEADS, stride=2))
    folder = run(data, tmp_path / "encoder.safetensors", tmp_path)
    found = json.loads((folder / "similarity.json").read_text())
    assert found["heads"] == list(HEADS)
    assert len(found["pairs"]) == 6  # three firsts in the first half of either video
    assert all(pair["second"] - pair["first"] == pair["frames"] == 2 for pair in found["pairs"])
    pair, pixels = found["pairs"][1], Store(data.store)
    maps = []
    for row in (pair["first"], pair["second"]):
        with torch.inference_mode():
            image = to_network(resize_short(pixels.read(row), 32, network.backbone.multiple)[None], CPU)
            maps.append(heads["cycle"](network(image).output)[0])
    wanted = similarity(*maps, (pair["y"], pair["x"])).numpy()
    assert pair["cosines"]["cycle"] == pytest.approx([wanted.min(), wanted.max()], abs=5e-3)
    with Image.open(folder / "1" / "cycle.png") as picture:
        shown = np.asarray(picture)
    np.testing.assert_allclose(shown, 255 * (wanted - wanted.min()) / (wanted.max() - wanted.min()), atol=8)


def test_without_heads_to_compare_there_is_nothing(data, tmp_path):
    write_encoder(tmp_path / "encoder.safetensors", trained("moco"))
    assert list(run(data, tmp_path / "encoder.safetensors", tmp_path / "moco").iterdir()) == []
    write_encoder(tmp_path / "encoder.safetensors", trained("cacl"))
    (tmp_path / "heads.safetensors").unlink()  # as of a run by an older version
    assert list(run(data, tmp_path / "encoder.safetensors", tmp_path / "cacl").iterdir()) == []


def test_heads_of_another_training_are_one_message(tmp_path):
    cfg = trained("cacl")
    network, _ = write_encoder(tmp_path / "encoder.safetensors", cfg)
    with pytest.raises(UserError, match="heads.safetensors holds no head as pretrain writes it"):
        load_heads(tmp_path / "encoder.safetensors", trained("cacl", dim=32), network)


def test_an_image_that_is_paired_with_itself_needs_no_videos(data, tmp_path):
    write_encoder(tmp_path / "encoder.safetensors", trained("cacl", heads=["global"], stride=0))
    folder = run(data, tmp_path / "encoder.safetensors", tmp_path)
    found = json.loads((folder / "similarity.json").read_text())
    assert all(pair["first"] == pair["second"] for pair in found["pairs"])
    assert all(pair["cosines"]["global"][1] == pytest.approx(1, abs=1e-2) for pair in found["pairs"])


def test_the_page_of_a_run_has_a_column_for_each_head_and_a_sheet_of_videos(data, tmp_path):
    write_similarity(data, HEADS, ((0, 2), (7, 9)))
    report(ReportConfig(), **data.arguments(), prior=None, out=tmp_path / "index.html", title="made up")
    text = (tmp_path / "index.html").read_text()
    section = Page(text[text.index('<section id="similar">') : text.index('<section id="videos">')])
    titles = [title for _, title in section.all("title")]
    images = read_images(data.images)
    assert titles[0] == f"frame {images.id[0]} with a marked point"
    assert titles[1] == (
        f"global head: most alike in {images.id[2]} is 30% from the left, 62% from the top; cosines from -0.10 to 0.90"
    )
    assert len(titles) == 2 * 3
    assert [text for _, text in section.all("figcaption")].count("2 frames later, -0.10 to 0.90") == 4
    cross = section.all("path", **{"class": "cross"})[0][0]["d"]
    height, width = Store(data.store).shapes[0]
    assert f"v{2 * 0.07 * min(height, width):.1f}" in cross
    sheet = text[text.index('<section id="videos">') :]
    assert "12 frames of 2 videos were learned from, and 24 other images." in " ".join(sheet.split())
    assert "6 frames, 10 a second: 0.5 seconds" in sheet
    assert sheet.count("<img src=") >= 12


def test_photographs_have_neither(tmp_path):
    fake = FakeRun(tmp_path, tmp_path / "swav" / "seed0", 2)
    write_data(fake)
    write_run(fake)
    report(ReportConfig(), **fake.arguments(), prior=None, out=tmp_path / "index.html", title="made up")
    text = (tmp_path / "index.html").read_text()
    assert 'id="similar"' not in text
    assert 'id="videos"' not in text


def test_runs_side_by_side_have_a_block_for_each_head(data, tmp_path):
    other = FakeRun(data.data, data.data / "unshuffled" / "seed0", 2, names=data.names, per_class=6, seed=1)
    plain = FakeRun(data.data, data.data / "moco" / "seed0", 2, names=data.names, per_class=6, seed=2)
    for fake in (other, plain):
        write_run(fake)
    write_similarity(data, HEADS, ((0, 2), (7, 9)))
    write_similarity(other, ("cycle",), ((7, 9),))
    runs = [ScoredRun(fake.run.parent.name, 0, fake.run) for fake in (data, other, plain)]
    images, pixels = read_images(data.images), Store(data.store)
    blocks = similar_frames([(run.preset, run.similarity) for run in runs], images, pixels)
    assert [(block.title, block.columns) for block in blocks] == [
        ("global", ["cacl"]),
        ("cycle", ["cacl", "unshuffled"]),
    ]
    assert [[panel is not None for panel in panels] for _, panels in blocks[1].rows] == [[True, False], [True, True]]
    out = {"out": tmp_path / "index.html", "table": tmp_path / "scores.csv"}
    compare(ReportConfig(), runs=runs, images=data.images, store=data.store, **out)
    text = out["out"].read_text()
    assert text.count(f'id="frame-{0}"') == 1  # a photograph stands in the page once
    assert "<h3>The cycle head</h3>" in text
