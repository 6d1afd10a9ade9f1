"""The stage examine on a tiny encoder: what it measures, what it writes, and what it leaves out."""

import json
import runpy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fake_run import ABOUT, FakeRun, write_data
from PIL import Image
from stores import write_store

from luss_core.config import ExamineConfig, PretrainConfig
from luss_core.data.images import ImageList, read_images, write_images
from luss_core.data.masks import IGNORE, read_mask
from luss_core.data.spread import ATTENDED, attended_rows, compared_rows
from luss_core.data.store import Store
from luss_core.data.whole import resize_short, to_network
from luss_core.errors import UserError
from luss_core.models.encoder import Encoder, load_encoder
from luss_core.models.weights import save_weights
from luss_core.runtime import autocast
from luss_core.stages.examine import examine, stretched

SCRIPT = Path(__file__).parents[2] / "workflow_scripts" / "examine.py"
CPU = torch.device("cpu")
CLASSES = 3
CFG = ExamineConfig(size=32, draws=2, grid=3, batch_size=4)


def write_encoder(path: Path, attention: bool = True) -> Path:
    torch.manual_seed(0)
    cfg = PretrainConfig.model_validate(
        {
            "backbone": {"width": 8},
            "decoder": {"channels": 8, "low_level_channels": 8, "low_level_stage": 2, "aspp_stride": 8}
            | {"decoder_stride": 4},
            "attention": attention,
            "method": {"name": "swav"},
            "views": {
                "crops": [{"count": 2, "size": 24, "scale": [0.3, 1]}, {"count": 3, "size": 16, "scale": [0.1, 1]}]
            },
        }
    )
    settings = {"pretrain": cfg.model_dump(mode="json"), "seed": 0}
    about = {"encoder": cfg.encoder.model_dump(mode="json"), "provenance": {"settings": settings}}
    save_weights(path, Encoder(cfg.encoder), about)
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> FakeRun:
    folder = tmp_path_factory.mktemp("examine")
    fake = FakeRun(folder, folder / "swav" / "seed0", CLASSES)
    write_data(fake)
    write_encoder(folder / "attention.safetensors")
    write_encoder(folder / "plain.safetensors", attention=False)
    return fake


def write_prior(fake: FakeRun, path: Path) -> Path:
    """The truth itself as saliency."""
    images = read_images(fake.images)
    masks = [read_mask(images.root / name) for name in images.mask]
    maps = [np.where((mask > 0) & (mask != IGNORE), 255, 0).astype(np.uint8) for mask in masks]
    return write_store(path, [plane[..., None] for plane in maps], ABOUT)


def run(fake: FakeRun, out: Path, cfg: ExamineConfig = CFG, encoder: str = "attention", **more: Any) -> dict[str, Any]:
    files = {"images": fake.images, "store": fake.store, "encoder": fake.data / f"{encoder}.safetensors", "prior": None}
    outputs = {"out": out / "examine.json", "attention": out / "attention", "similarity": out / "similarity"}
    examine(cfg, **(files | more), **outputs, classes=CLASSES, device=CPU)
    found: dict[str, Any] = json.loads(outputs["out"].read_text())
    return found


def maps_of(path: Path) -> list[str]:
    return sorted(str(file.relative_to(path / "attention")) for file in (path / "attention").rglob("*.png"))


def test_attention_is_written_for_the_images_of_the_pages(data: FakeRun, tmp_path: Path) -> None:
    more = FakeRun(tmp_path / "more", tmp_path / "more" / "swav" / "seed0", CLASSES, per_class=7)
    write_data(more)
    found = run(more, tmp_path, encoder=str(data.data / "attention"))
    images, pixels = read_images(more.images), Store(more.store)
    rows = sorted(
        {r for split in ("validation", "test") for r in (*attended_rows(images, split), *compared_rows(images, split))}
    )
    assert 2 * ATTENDED <= len(rows) < 2 * 21
    assert maps_of(tmp_path) == sorted(f"{images.split[row]}/{images.id[row]}.png" for row in rows)
    network, least = load_encoder(data.data / "attention.safetensors"), {}
    for row in sorted({*rows, *images.rows("validation").tolist()}):
        with torch.inference_mode(), autocast("auto", CPU):
            maps = network(to_network(resize_short(pixels.read(row), CFG.size)[None], CPU))
        assert maps.attention is not None
        weights = maps.attention[0, 0].float().sigmoid().numpy()
        least[row] = float(weights.min())
        if row not in rows:
            continue
        with Image.open(tmp_path / "attention" / images.split[row] / f"{images.id[row]}.png") as picture:
            shown = np.asarray(picture)
        assert (shown.min(), shown.max()) == (0, 255)
        span = (weights - weights.min()) / (weights.max() - weights.min())
        np.testing.assert_allclose(shown, 255 * span, atol=0.51)
    measured = images.rows("validation").tolist()
    assert found["attention"]["images"] == len(measured)
    assert found["attention"]["lowest"] == pytest.approx(np.mean([least[row] for row in measured]), abs=1e-6)


def test_cat_cos_is_that_of_the_output_map_under_the_truth(data: FakeRun, tmp_path: Path) -> None:
    found = run(data, tmp_path)
    images, pixels = read_images(data.images), Store(data.store)
    network = load_encoder(data.data / "attention.safetensors")
    units: dict[int, list[np.ndarray]] = {}
    for row in images.rows("validation"):
        with torch.inference_mode(), autocast("auto", CPU):
            z = network(to_network(resize_short(pixels.read(int(row)), CFG.size)[None], CPU)).output[0].double().numpy()
        truth = read_mask(images.root / images.mask[row])
        for i in range(z.shape[1]):
            for j in range(z.shape[2]):
                y, x = int((i + 0.5) * truth.shape[0] / z.shape[1]), int((j + 0.5) * truth.shape[1] / z.shape[2])
                units.setdefault(int(truth[y, x]), []).append(z[:, i, j] / max(np.linalg.norm(z[:, i, j]), 1e-12))
    wanted = []
    for category in set(units) - {0, IGNORE}:
        mean = np.mean(units[category], axis=0)
        wanted.append(np.mean([u @ mean / np.linalg.norm(mean) for u in units[category]]))
    assert len(wanted) == found["categories"] == CLASSES
    assert found["cat_cos"] == pytest.approx(np.mean(wanted), abs=1e-6)


def test_views_are_the_same_whatever_the_batches(data: FakeRun, tmp_path: Path) -> None:
    found = run(data, tmp_path)
    assert (found["split"], found["images"]) == ("validation", 9)
    assert 9 < found["pairs"] <= 9 * CFG.draws
    assert -1 <= found["view_cos"] <= 1
    again = run(data, tmp_path / "again", CFG.model_copy(update={"batch_size": 9}))
    assert again["view_cos"] == pytest.approx(found["view_cos"], abs=2e-3)
    assert again["pairs"] == found["pairs"]
    fewer = run(data, tmp_path / "fewer", CFG.model_copy(update={"images": 2, "draws": 1}))
    assert (fewer["images"], fewer["F_images"]) == (2, 2)
    assert fewer["pairs"] <= 2
    assert fewer["attention"]["images"] == 2


def test_a_perfect_prior_has_a_perfect_f(data: FakeRun, tmp_path: Path) -> None:
    found = run(data, tmp_path, prior=write_prior(data, tmp_path / "prior.h5"))
    assert found["prior_F"] == pytest.approx(100)
    assert 0 <= found["attention_F"] < 100
    assert run(data, tmp_path / "none")["prior_F"] is None


def test_without_attention(data: FakeRun, tmp_path: Path) -> None:
    found = run(data, tmp_path, encoder="plain")
    assert (found["attention"], found["attention_F"], found["prior_F"]) == (None, None, None)
    assert found["cat_cos"] > 0
    assert (tmp_path / "attention").is_dir()
    assert maps_of(tmp_path) == []


def test_without_truth_and_without_validation(data: FakeRun, tmp_path: Path) -> None:
    images = read_images(data.images)
    n = len(images.rows("train"))
    columns = {name: list(getattr(images, name))[:n] for name in ("id", "path", "split", "folder")}
    part: ImageList = replace(images, **columns, mask=[""] * n, height=images.height[:n], width=images.width[:n])
    write_images(tmp_path / "images.csv", part)
    (tmp_path / "summary.json").write_text(json.dumps({"root": str(data.data)}))
    found = run(data, tmp_path / "out", images=tmp_path / "images.csv")
    assert (found["split"], found["images"], found["F_images"], found["categories"]) == ("train", n, 0, 0)
    assert (found["cat_cos"], found["attention_F"], found["prior_F"]) == (None, None, None)
    assert len(maps_of(tmp_path / "out")) == ATTENDED
    assert found["view_cos"] is not None


def test_an_encoder_of_unknown_views_is_refused(data: FakeRun, tmp_path: Path) -> None:
    network = load_encoder(data.data / "plain.safetensors")
    about = {"encoder": network.cfg.model_dump(mode="json"), "provenance": {"settings": {}}}
    save_weights(tmp_path / "other.safetensors", network, about)
    with pytest.raises(UserError, match=r"other\.safetensors does not say with which views .* run pretrain again"):
        run(data, tmp_path, encoder=str(tmp_path / "other"))
    assert not (tmp_path / "attention").exists()


def test_stretched() -> None:
    assert stretched(np.array([[0.2, 0.6], [0.4, 0.3]])).ravel().tolist() == pytest.approx([0, 1, 0.5, 0.25])
    assert not stretched(np.full((2, 2), 0.7)).any()


def test_script(data: FakeRun, tmp_path: Path) -> None:
    files = {"images": data.images, "store": data.store, "encoder": data.data / "attention.safetensors"}
    outputs = {"out": "examine.json", "attention": "attention", "similarity": "similarity"}
    files |= {name: tmp_path / file for name, file in outputs.items()}
    arguments = [f"--{name}={path}" for name, path in files.items()]
    settings = json.dumps(CFG.model_dump())
    runpy.run_path(str(SCRIPT))["main"](
        [*arguments, "--classes=3", "--device=cpu", "--threads=1", "--settings", settings]
    )
    assert json.loads(files["out"].read_text())["provenance"]["settings"]["examine"] == CFG.model_dump()
    assert len(maps_of(tmp_path)) == 18  # eight of nine, and eight others
