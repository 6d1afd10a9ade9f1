"""The two probes as stages, on a miniature of CamVid, and the page that sets them side by side."""

import csv
import json
import re
import shutil
from pathlib import Path

import annotated
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from fake_run import FakeRun, write_data
from page_reader import Page

from luss_core.config import AnnotatedConfig, EncoderConfig, ProbesConfig
from luss_core.data.annotated import read_annotated
from luss_core.data.batch import Batch
from luss_core.data.masks import IGNORE, read_mask, write_mask
from luss_core.digests import content
from luss_core.errors import Interrupted, UserError
from luss_core.methods.base import Progress
from luss_core.methods.pixels import PixelClassifier, confusion, load_probe
from luss_core.metrics.probe import probe_scores, scores_of_confusion
from luss_core.models.encoder import Encoder, load_encoder
from luss_core.models.weights import save_weights
from luss_core.report.comparison import ScoredRun
from luss_core.report.probed import probe_palette, probe_panels
from luss_core.stages.limited import limited
from luss_core.stages.linear import linear
from luss_core.stages.probes import probes
from luss_core.stages.probing import Outputs
from luss_core.train.interruption import Interruption
from luss_core.train.loop import Resources

NETWORK = EncoderConfig.model_validate({"backbone": {"width": 8, "strides": [1, 2, 1, 1]}, "attention": True})


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("probes")
    annotated.camvid(folder / "camvid")
    torch.manual_seed(0)
    about = {"encoder": NETWORK.model_dump(mode="json"), "weights": None}
    save_weights(folder / "encoder.safetensors", Encoder(NETWORK), about)
    return folder


def settings(data: Path, **changes) -> ProbesConfig:
    base = {
        "data": {"format": "camvid", "root": str(data / "camvid")},
        "linear": {"train": {"epochs": 60, "batch_size": 4}, **changes},
        "limited": {
            "percents": [50, 100],
            "views": {"crops": [{"count": 1, "size": 16, "scale": [0.5, 1]}]},
            "train": {"epochs": 2, "lr": 0.05},
        },
    }
    return ProbesConfig.model_validate(base)


def outputs(folder: Path) -> Outputs:
    names = ("scores.json", "per_class.csv", "probe.safetensors", "log.jsonl", "masks")
    return Outputs(*(folder / name for name in names))


def run_linear(data: Path, folder: Path, seed: int = 0, state: Path | None = None, **changes) -> str:
    """Digest of the probe."""
    cfg, root = settings(data, **changes), data / "camvid"
    resources = Resources(torch.device("cpu"))
    where = {"root": root, "encoder": data / "encoder.safetensors", "seed": seed, "resources": resources}
    linear(cfg, state=state or folder / "state", outputs=outputs(folder), **where)
    return content(folder / "probe.safetensors")


def run_limited(data: Path, folder: Path, percent: float, seed: int = 0) -> None:
    where = {"root": data / "camvid", "encoder": data / "encoder.safetensors", "seed": seed}
    limited(
        settings(data),
        percent=percent,
        state=folder / "state",
        outputs=outputs(folder),
        resources=Resources(torch.device("cpu")),
        **where,
    )


def test_a_linear_probe_learns_colours_and_leaves_the_encoder_as_it_is(data, tmp_path):
    run_linear(data, tmp_path)
    scores = probe_scores(tmp_path / "scores.json")
    assert scores["mIoU"] > 60
    assert (scores["protocol"], scores["learned"], scores["images"]) == ("linear", 6, 3)
    assert scores["absent"] == scores["untrained"] == [c for c in scores["classes"] if c not in ("sky", "road", "car")]
    rows = list(csv.DictReader((tmp_path / "per_class.csv").open()))
    assert [row["IoU"] != "" for row in rows].count(True) == 3
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert (len(lines), lines[0]["lr"], lines[0]["loss"]) == (60, 0.6, pytest.approx(np.log(11), abs=0.1))
    assert not list((tmp_path / "state" / "cells").iterdir())

    probe, names = load_probe(tmp_path / "probe.safetensors")
    assert names == scores["classes"]
    own = load_encoder(data / "encoder.safetensors").state_dict()
    assert all(torch.equal(value, own[name]) for name, value in probe.encoder.state_dict().items())
    _, test = read_annotated(settings(data).data, data / "camvid")
    masks = [read_mask(tmp_path / "masks" / f"{i}.png") for i in range(3)]
    right = np.concatenate([(m == test.mask(i))[test.mask(i) != IGNORE] for i, m in enumerate(masks)])
    assert 100 * right.mean() == pytest.approx(scores["accuracy"], abs=1e-9)
    again = scores_of_confusion(confusion(probe, test, None, range(len(test))), test.classes)
    assert again["mIoU"] == scores["mIoU"]


def test_features_that_are_not_kept_give_the_same_bits(data, tmp_path, caplog):
    caplog.set_level("INFO")
    train = {"epochs": 3, "batch_size": 4}
    kept = run_linear(data, tmp_path / "kept", train=train)
    assert "computed in every epoch" not in caplog.text
    assert run_linear(data, tmp_path / "anew", train=train, cache_gb=0) == run_linear(
        data, tmp_path / "again", train=train, cache_gb=0
    )
    assert "more than cache_gb: computed in every epoch" in caplog.text
    one, other = (load_probe(tmp_path / name / "probe.safetensors")[0].head.weight for name in ("kept", "anew"))
    assert torch.equal(one, other)
    assert kept != run_linear(data, tmp_path / "seed", seed=1, train=train)


def test_a_linear_probe_that_was_stopped_goes_on_bit_for_bit(data, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO")
    train = {"epochs": 5, "batch_size": 4}
    whole = run_linear(data, tmp_path / "whole", train=train)

    def due(self, done, _):
        self.stop = done == 3
        return self.stop

    state = tmp_path / "state"
    with monkeypatch.context() as patched:
        patched.setattr(Interruption, "due", due)
        with pytest.raises(Interrupted, match="after step 3"):
            run_linear(data, tmp_path / "stopped", state=state, train=train)
    assert run_linear(data, tmp_path / "stopped", state=state, train=train) == whole
    assert "features of an interrupted run are used" in caplog.text
    assert "going on from step 3 of 5" in caplog.text
    assert len((tmp_path / "stopped" / "log.jsonl").read_text().splitlines()) == 5


def test_a_small_share_says_which_classes_it_has_no_sample_of(data, tmp_path, caplog):
    run_limited(data, tmp_path, 17)
    scores = probe_scores(tmp_path / "scores.json")
    assert (scores["protocol"], scores["percent"], scores["learned"]) == ("limited", 17, 1)
    assert {"building", "fence"} < set(scores["untrained"])
    assert len(scores["untrained"]) > len(scores["absent"])
    assert "17 % are 1 images, without a sample of " in caplog.text
    probe, _ = load_probe(tmp_path / "probe.safetensors")
    own = load_encoder(data / "encoder.safetensors").state_dict()
    assert any(not torch.equal(value, own[name]) for name, value in probe.encoder.state_dict().items())
    with pytest.raises(UserError, match="16 % of 6 labelled images is less than one image"):
        run_limited(data, tmp_path, 16)


def test_broken_labels_stop_before_anything_is_trained(data, tmp_path):
    shutil.copytree(data / "camvid", tmp_path / "camvid")
    annotated.write_ids(tmp_path / "camvid" / "testannot" / "0001TP_006690.png", np.full((24, 32), 77))
    (tmp_path / "encoder.safetensors").write_bytes((data / "encoder.safetensors").read_bytes())
    with pytest.raises(UserError, match=r"1 of 3 masks cannot be used(.|\n)*holds 77, which is no label here"):
        run_linear(tmp_path, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_loss_of_the_whole_network_is_that_of_its_resized_logits():
    torch.manual_seed(0)
    network = PixelClassifier(Encoder(NETWORK), "stage4", 3).eval()
    view, labels = torch.randn(2, 3, 16, 16), torch.randint(0, 3, (2, 1, 16, 16), dtype=torch.int32)
    labels[0, 0, :5] = IGNORE
    batch = Batch([], [], torch.empty(0), (2, 0), planes={"masks": [labels]})
    out = network([view], batch, Progress(0, 1, 1))
    logits = F.interpolate(network.head(network.encoder(view).stage4), (16, 16), mode="bilinear")
    wanted = F.cross_entropy(logits, labels[:, 0].long(), ignore_index=IGNORE)
    torch.testing.assert_close(out.loss, wanted, rtol=1e-5, atol=1e-6)
    out.loss.backward()
    assert all((p.grad is not None) == p.requires_grad for p in network.parameters())
    assert not any(p.requires_grad for p in network.encoder.attention.parameters())


@pytest.fixture(scope="module")
def judged(tmp_path_factory) -> list[ScoredRun]:
    """Two seeds of one preset and one of another, with numbers that are put in."""
    folder = tmp_path_factory.mktemp("judged")
    runs = []
    for k, (preset, seed) in enumerate((("shape", 0), ("random <b>", 0), ("shape", 1))):
        run = ScoredRun(preset, seed, folder / f"run{k}")
        for place, percent, learned in (("linear", 100, 6), ("limited/50", 50, 3), ("limited/100", 100, 6)):
            scores = scores_of_confusion(np.array([[6 + k, 2, 0], [1, 3, 0], [0, 0, 0]]), ("sky", "road", "car"))
            about = {
                "data": {"root": "/x/camvid", "train": "train", "test": "test"},
                "provenance": {"luss": "1", "commit": "a"},
            }
            about |= {"percent": percent, "learned": learned, "images": 3, "weights": None, "untrained": ["car"]}
            file = run.folder / "probes" / place / "scores.json"
            file.parent.mkdir(parents=True)
            file.write_text(json.dumps({"protocol": place[:6], "classes": ["sky", "road", "car"], **scores, **about}))
        for i in range(3):
            (run.folder / "probes" / "linear" / "masks").mkdir(exist_ok=True)
            write_mask(run.folder / "probes" / "linear" / "masks" / f"{i}.png", np.full((24, 32), 3))
        runs.append(run)
    return runs


def files_of_page(data: Path, out: Path) -> dict[str, Path]:
    """Other arguments of probes()."""
    fake = FakeRun(out / "learned", out / "learned" / "swav" / "seed0", 2)
    write_data(fake)
    made = {"out": out / "index.html", "table": out / "scores.csv"}
    return {"root": data / "camvid", "images": fake.images, "store": fake.store, **made}


def test_the_page_shows_truth_and_what_each_preset_finds_in_the_colours_of_the_data_set(data, judged, tmp_path):
    files = files_of_page(data, tmp_path)
    probes(settings(data), runs=judged, **files)
    text = files["out"].read_text()
    page = Page(text[text.index('<section id="images">') : text.index('<section id="seeds">')])
    titles = [title for _, title in page.all("title")]
    names = [f"0001TP_{6690 + 30 * k:06d}" for k in range(3)]
    assert len(titles) == 3 * 4  # image, truth and two presets
    assert titles[0] == f"image {names[0]}"
    assert (
        titles[1] == f"truth of {names[0]}: road 50%, sky 50%" or titles[1] == f"truth of {names[0]}: sky 50%, road 50%"
    )
    assert titles[3::4] == [f"random <b> of {name}: road 100%" for name in names]
    chips = dict(re.findall(r'background:(#\w+)"></b>(\w[\w ]*)<', text))
    assert chips["#808080"] == "sky"
    assert chips["#804080"] == "road"
    assert len(chips) == 11


def test_what_is_background_is_dimmed_and_has_no_name(tmp_path):
    _, test = read_annotated(AnnotatedConfig(format="voc", root="x"), annotated.voc(tmp_path))
    palette = probe_palette(test)
    assert palette.names == test.classes
    assert palette.colours[[0, 1, 8, 15]].tolist() == [[0, 0, 0], [128, 0, 0], [64, 0, 0], [192, 128, 128]]
    for i in range(len(test)):
        write_mask(tmp_path / "masks" / f"{i}.png", test.mask(i)) if i else (tmp_path / "masks").mkdir()
    write_mask(tmp_path / "masks" / "0.png", np.zeros(test.mask(0).shape, int))
    panels = probe_panels(test, palette, [("swav", tmp_path / "masks")])
    assert panels[0].layers[1].alt == "swav of 2007_v00000: no object"
    assert panels[0].layers[0].chips[0].name in ("cat", "person")


def test_the_page_has_mean_and_deviation_of_every_probe(data, judged, tmp_path):
    probes(settings(data), runs=judged, **files_of_page(data, tmp_path))
    rows = list(csv.DictReader((tmp_path / "scores.csv").open()))
    assert [row["probe"] for row in rows] == ["linear"] * 3 + ["50 %"] * 3 + ["100 %"] * 3
    one, other = (float(row["mIoU"]) for row in (rows[0], rows[2]))
    page = " ".join((tmp_path / "index.html").read_text().split())
    assert f"{(one + other) / 2:.1f}" in page
    assert f"{np.std([one, other], ddof=1):.1f}" in page
    assert "random &lt;b&gt;" in page
    assert "Means are over the 2 classes that occur in the split test; car does not." in page
    assert "Linear: no sample of car." in page


def test_probes_of_different_data_are_not_set_side_by_side(data, judged, tmp_path):
    file = judged[1].folder / "probes" / "limited" / "50" / "scores.json"
    before = file.read_text()
    file.write_text(before.replace('"learned": 3', '"learned": 4'))
    with pytest.raises(UserError, match="learned of the probe 50 % is 4, of .*run0 3; compare probes of one data set"):
        probes(settings(data), runs=judged, **files_of_page(data, tmp_path))
    file.write_text(before)
