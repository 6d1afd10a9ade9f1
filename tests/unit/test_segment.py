"""Supervised segmentation as a stage, on a miniature of CamVid."""

import csv
import json
import logging
import shutil
from pathlib import Path

import annotated
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from pydantic import ValidationError

from luss_core.config import AnnotatedConfig, EncoderConfig, SegmentConfig
from luss_core.data.annotated import packed, read_annotated
from luss_core.data.annotated.crops import ScaledCrops
from luss_core.data.annotated.share import share_of
from luss_core.data.batch import Batch
from luss_core.data.masks import IGNORE, read_mask
from luss_core.data.views import Key
from luss_core.digests import content
from luss_core.errors import Interrupted, UserError
from luss_core.methods.base import Progress
from luss_core.methods.segmentation import Segmentation, load_segmentation, segment_image, training_of
from luss_core.metrics.probe import probe_scores
from luss_core.models.deeplab_v3plus import DeepLabV3Plus
from luss_core.models.encoder import Encoder, load_encoder
from luss_core.models.restride import restrided
from luss_core.models.weights import save_weights
from luss_core.stages.segment import SegmentOutputs, segment
from luss_core.train.interruption import Interruption
from luss_core.train.loop import Resources
from luss_core.train.optim import make_optimizer

NETWORK = EncoderConfig.model_validate({"backbone": {"width": 8}, "attention": True})
CAMVID = AnnotatedConfig(format="camvid", root="x")
TINY = {
    "network": {"channels": 16, "low_level_channels": 8, "rates": [1, 2, 3]},
    "crop": 32,
    "train": {"epochs": 2, "batch_size": 3, "lr": 0.02},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("segment")
    annotated.camvid(folder / "camvid")
    torch.manual_seed(0)
    about = {"encoder": NETWORK.model_dump(mode="json"), "weights": None}
    save_weights(folder / "encoder.safetensors", Encoder(NETWORK), about)
    return folder


def settings(**changes: object) -> SegmentConfig:
    return SegmentConfig.model_validate({**TINY, **changes})


def run(
    data: Path, out: Path, cfg: SegmentConfig, percent: float = 100, seed: int = 0, root: Path | None = None
) -> str:
    """Digest of the network."""
    names = ("scores.json", "per_class.csv", "network.safetensors", "masks", "log.jsonl")
    segment(
        cfg,
        data=CAMVID,
        root=root or data / "camvid",
        encoder=data / "encoder.safetensors",
        percent=percent,
        seed=seed,
        state=out / "state",
        outputs=SegmentOutputs(*(out / name for name in names)),
        resources=Resources(torch.device("cpu")),
    )
    return content(out / "network.safetensors")


def lines(path: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_it_learns_colours_and_writes_what_the_page_reads(data, tmp_path):
    run(data, tmp_path, settings(train={"epochs": 40, "batch_size": 6, "lr": 0.02}))
    scores = probe_scores(tmp_path / "scores.json")
    assert scores["mIoU"] > 50
    assert (scores["percent"], scores["learned"], scores["images"]) == (100, 6, 3)
    assert len(list(csv.DictReader((tmp_path / "per_class.csv").open()))) == 11
    network, names = load_segmentation(tmp_path / "network.safetensors")
    assert names == scores["classes"]
    assert network.backbone.strides[-1] == 16
    _, test = read_annotated(CAMVID, data / "camvid")
    masks = [read_mask(tmp_path / "masks" / f"{i}.png") for i in range(3)]
    right = np.concatenate([(m == test.mask(i))[test.mask(i) != IGNORE] for i, m in enumerate(masks)])
    assert 100 * right.mean() == pytest.approx(scores["accuracy"], abs=1e-9)
    again = segment_image(network, SegmentConfig().whole, test.image(0), masks[0].shape, "auto")
    assert (again == masks[0]).all()
    steps = lines(tmp_path / "log.jsonl")
    rates = [0.02 * (1 - step / 40) ** 0.9 for step in range(40)]
    assert [step["lr"] for step in steps] == pytest.approx(rates)
    assert steps[0]["loss"] == pytest.approx(np.log(11), abs=0.3)
    assert not list((tmp_path / "state" / "images").iterdir())


def test_it_goes_on_bit_for_bit_and_a_cache_changes_nothing(data, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO")
    cfg = settings(train={"epochs": 3, "batch_size": 2, "lr": 0.02})
    whole = run(data, tmp_path / "whole", cfg)

    def due(self: Interruption, done: int, _: object) -> bool:
        self.stop = done == 4
        return self.stop

    with monkeypatch.context() as patched:
        patched.setattr(Interruption, "due", due)
        with pytest.raises(Interrupted, match="after step 4"):
            run(data, tmp_path / "stopped", cfg)
    assert run(data, tmp_path / "stopped", cfg) == whole
    assert "images decoded by an interrupted run are used" in caplog.text
    assert "going on from step 4 of 9" in caplog.text
    assert len(lines(tmp_path / "stopped" / "log.jsonl")) == 9
    run(data, tmp_path / "anew", cfg.model_copy(update={"cache_gb": 0.0}))
    assert "decoded in every epoch" in caplog.text
    one, other = (
        load_segmentation(tmp_path / name / "network.safetensors")[0].state_dict() for name in ("whole", "anew")
    )
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_only_the_backbone_is_loaded_and_the_head_learns_ten_times_as_fast(data):
    loaded = load_encoder(data / "encoder.safetensors")
    method = Segmentation(DeepLabV3Plus(settings().network, restrided(loaded, 16, "x"), 3), 10)
    own = loaded.backbone.state_dict()
    assert all(torch.equal(value, own[name]) for name, value in method.network.backbone.state_dict().items())
    scale = {
        id(p): group["scale"]
        for group in make_optimizer(method, settings().train, method.lr_scale).param_groups
        for p in group["params"]
    }
    assert {scale[id(p)] for p in method.network.backbone.parameters()} == {1}
    assert {scale[id(p)] for p in method.network.head.parameters()} == {10}


def test_the_loss_is_the_mean_over_labelled_pixels():
    torch.manual_seed(0)
    network = DeepLabV3Plus(settings().network, restrided(Encoder(NETWORK), 16, "x"), 3)
    method = Segmentation(network, 10).eval()
    view, labels = torch.randn(2, 3, 32, 32), torch.randint(0, 3, (2, 1, 32, 32), dtype=torch.int32)
    labels[0, 0, :9] = IGNORE
    out = method([view], Batch([], [], torch.empty(0), (2, 0), planes={"masks": [labels]}), Progress(0, 1, 1))
    wanted = F.cross_entropy(network(view), labels[:, 0].long(), ignore_index=IGNORE)
    torch.testing.assert_close(out.loss, wanted)
    out.loss.backward()
    assert all(p.grad is not None for p in method.parameters())


def test_shares_are_nested_and_have_two_images_at_least():
    ten, fifty = (set(share_of(40, percent, 3).tolist()) for percent in (10, 50))
    assert (len(ten), len(fifty)) == (4, 20)
    assert ten < fifty
    assert ten != set(share_of(40, 10, 4).tolist())
    with pytest.raises(
        UserError, match=r"transfer.percents: 10 % of 12 .*less than two.*allowed here: from 12.5 to 100"
    ):
        share_of(12, 10, 0)
    assert len(share_of(12, 12.5, 0)) == 2
    with pytest.raises(UserError, match="add labelled images"):
        share_of(1, 100, 0)


def test_a_small_share_is_seen_more_often():
    cfg = settings(least_steps=90, train={"epochs": 4, "batch_size": 16})
    assert [training_of(cfg, n).epochs for n in (1000, 160, 10)] == [4, 9, 90]
    assert training_of(settings(), 10).epochs == 2


def test_crops_depend_on_seed_epoch_and_image_alone(data):
    train, _ = read_annotated(CAMVID, data / "camvid")
    keys = [(k, Key(1, k)) for k in (0, 4, 2)]
    views, other = (ScaledCrops(packed.unpacked(train, None), np.arange(6), settings(), seed) for seed in (5, 6))
    together, alone = views[keys], views[keys[1:2]]
    assert torch.equal(together.crops[0][1], alone.crops[0][0])
    assert torch.equal(together.planes["masks"][0][1], alone.planes["masks"][0][0])
    assert together.planes["masks"][0].shape == (3, 1, 32, 32)
    assert not torch.equal(together.crops[0], other[keys].crops[0])
    larger = ScaledCrops(views.annotations, np.arange(6), settings(crop=100), 5)[keys]
    assert larger.views()[0][0, :, -1, -1].abs().max() < 0.01  # padding
    assert (larger.planes["masks"][0][:, 0, -1] == IGNORE).all()


def test_reduced_images_are_packed_with_their_labels(data, tmp_path):
    train, _ = read_annotated(CAMVID, data / "camvid")
    packed.pack(tmp_path, train, 12, "key", 1)
    images, labels = packed.opened(tmp_path, "digest")
    for i in range(len(train)):
        assert (images.read(i) == train.image(i, 12)).all()
        assert min(images.read(i).shape[:2]) == 12
        assert (labels.read(i)[..., 0] == train.mask(i)[1::2, 1::2]).all()
    assert packed.space(packed.sample_shapes(train, 12), 6) == (tmp_path / "pixels.u8").stat().st_size * 5 // 3


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("ids", "holds 77, which is no label here: allowed are 0 to 11"),
        ("colour", "colours with blue in them, such as #804080, are no ids"),
    ],
)
def test_labels_that_are_none_stop_before_anything_is_trained(data, tmp_path, kind, message):
    shutil.copytree(data / "camvid", tmp_path / "camvid")
    place = tmp_path / "camvid" / "trainannot" / "0001TP_006690.png"
    annotated.write_ids(place, np.full((24, 32), 77))
    if kind == "colour":
        Image.new("RGB", (32, 24), (128, 64, 128)).save(place)
    with pytest.raises(UserError, match=message):
        run(data, tmp_path / "run", settings(), root=tmp_path / "camvid")
    assert not (tmp_path / "run").exists()


def test_crops_that_do_not_fit_are_said_and_learned_from(data, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    run(data, tmp_path, settings(crop=100, train={"epochs": 1, "batch_size": 3}))
    assert "crops of 100 pixels from images of about 24 x 24: 12 % of them is image" in caplog.text
    assert "a smaller segment.crop computes less" in caplog.text
    assert (
        "segment.crop 100 is no multiple of the output stride 16: the network pads it to 112; 96 would" in caplog.text
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"crop": 8}, "greater than or equal to 32"),
        ({"scale": [2.0, 0.5]}, "the smaller one first"),
        ({"train": {"batch_size": 1}}, "greater than or equal to 2"),
        ({"network": {"output_stride": 32}}, "8 or 16"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        settings(**changes)
