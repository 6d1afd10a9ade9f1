"""What every method owes the loop; a new method is tested by being in the registry."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from luss_core.config import (
    METHODS,
    BackboneConfig,
    CropConfig,
    DecoderConfig,
    EncoderConfig,
    FinetuneConfig,
    PretrainConfig,
    SegmenterConfig,
    TrainConfig,
    ViewsConfig,
)
from luss_core.data.batch import Batch
from luss_core.data.loader import Plane, Views
from luss_core.errors import UserError
from luss_core.methods import Method, Progress, build_method
from luss_core.methods.learners import build_segmenter
from luss_core.methods.segmenter import Segmenter
from luss_core.models.encoder import Encoder
from luss_core.train.diagnostics import WORDS, Diagnostics
from luss_core.train.folder import TrainingFolder
from luss_core.train.loop import Resources, fit
from luss_core.train.optim import make_optimizer

PLAIN = EncoderConfig(backbone=BackboneConfig(width=8))
DECODER = DecoderConfig(channels=16, low_level_channels=8, low_level_stage=2, aspp_stride=8, decoder_stride=4)
FULL = EncoderConfig(backbone=BackboneConfig(width=8), decoder=DECODER, attention=True)
VIEWS = ViewsConfig(
    crops=(CropConfig(count=2, size=24, scale=(0.4, 1)), CropConfig(count=1, size=16, scale=(0.1, 0.4)))
)
TRAIN = TrainConfig(epochs=3, batch_size=8, lr=1e-3, warmup_epochs=1, precision="float32")
SMALL = dict(METHODS["swav"].tiny)
TINY = {name: entry.config(**entry.tiny) for name, entry in METHODS.items()}
ENCODERS = {name: FULL if entry.whole else PLAIN for name, entry in METHODS.items()}
CAMS = {"seam": {"name": "seam", "scale": 0.7}, "sc-cam": {"name": "sc-cam", "subcategories": 3, "rounds": 2}}
ENCODERS |= {"segmenter": PLAIN, "attended": FULL, **dict.fromkeys(CAMS, PLAIN)}
IMAGES = 40
CPU = torch.device("cpu")


class Maps:
    """A saliency map of half the resolution for each image of Textures."""

    def read(self, row: int) -> np.ndarray:
        return np.random.default_rng(row).integers(0, 256, (15, 17, 1), dtype=np.uint8)


class Textures:
    """Forty images of four kinds of stripes, so that there is something to learn."""

    def read(self, row: int) -> np.ndarray:
        rng = np.random.default_rng(row)
        y, x = np.mgrid[:30, :34]
        wave = np.sin((x, y, x + y, x - y)[row % 4] / 2 + rng.uniform(0, 6)) * 60 + 128
        return np.clip(wave[..., None] + rng.normal(0, 20, (30, 34, 3)), 0, 255).astype(np.uint8)


def make(name: str) -> Method:
    torch.manual_seed(0)
    if name in ("segmenter", "attended"):
        return Segmenter(SegmenterConfig(encoder="trained", attend=name == "attended"), Encoder(ENCODERS[name]), 4)
    if name in CAMS:
        cfg = FinetuneConfig.model_validate(
            {
                "method": CAMS[name],
                "segmenter": {"encoder": "trained", "attend": False},
                "views": {"crops": [{"count": 1, "size": 128, "scale": [0.4, 1]}]},  # room for networks of stride 32
                "train": {"epochs": 3},
            }
        )
        return build_segmenter(cfg, Encoder(ENCODERS[name]), 4, np.arange(IMAGES) % 4)
    return build_method(TINY[name], Encoder(ENCODERS[name]), IMAGES, categories=4)


def views(seed: int = 0, cfg: ViewsConfig = VIEWS) -> Views:
    labels, saliency = np.arange(IMAGES) % 4, {"saliency": Plane(Maps())}
    return Views(Textures(), np.arange(IMAGES), cfg, seed, labels, saliency)


def views_of(name: str) -> ViewsConfig:
    """The views that a method looks at, coloured as its preset says."""
    if name not in METHODS:
        return VIEWS.first(1) if name == "seam" else VIEWS  # of which it makes another one
    own = ViewsConfig.model_validate(VIEWS.model_dump() | METHODS[name].pretrain.get("views", {}))
    return own if TINY[name].small_views else own.first(TINY[name].views)


def batch_of(size: int, name: str = "swav") -> Batch:
    """The first images in epoch 0."""
    source = views(cfg=views_of(name))
    return source[source.keys(0, range(size))]


def train(
    name: str,
    folder: Path,
    *,
    stop: int | None = None,
    workers: int = 0,
    cfg: TrainConfig = TRAIN,
    diagnose: bool = False,
) -> Method:
    method, seen = make(name), views(cfg=views_of(name))
    training = TrainingFolder(folder, {"name": name})
    diagnostics = Diagnostics(seen, 1, CPU, cfg.precision, np.arange(IMAGES) % 4) if diagnose else None
    fit(method, seen, cfg, training, Resources(CPU, workers, checkpoint_minutes=0), stop, diagnostics)
    return method


NAMES = [*METHODS, "segmenter", *CAMS]


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_registered_under_its_name(name):
    assert TINY[name].name == name
    plain = {} if METHODS[name].whole else {"decoder": None, "attention": False}
    made = PretrainConfig.model_validate({"method": {"name": name}, **plain})
    assert type(made.method) is METHODS[name].config


@pytest.mark.parametrize("name", NAMES)
def test_output_is_finite_and_gradients_reach_every_parameter(name):
    method, batch = make(name).train(), batch_of(8, name)
    before = copy.deepcopy(method)
    loss = loss_of(method, batch)
    assert torch.isfinite(loss)
    loss.backward()
    trained = {n: p for n, p in method.named_parameters() if p.requires_grad}
    silent = {n for n, p in trained.items() if p.grad is None or p.grad.abs().max() < 1e-5}
    # BatchNorm subtracts a bias before it again: nothing but such a bias may lack a gradient.
    assert all(n.endswith("bias") for n in silent)
    for n in silent:
        moved = copy.deepcopy(before)
        with torch.no_grad():
            moved.get_parameter(n).add_(0.5)
        torch.testing.assert_close(loss_of(moved, batch), loss, msg=f"the loss depends on {n}, which learns nothing")


def loss_of(method: Method, batch: Batch) -> torch.Tensor:
    torch.manual_seed(0)
    return method(batch.views(), batch, Progress(5, 15, 5)).loss


@pytest.mark.parametrize("name", NAMES)
def test_loss_falls(name):
    method = make(name).train()
    optimizer = make_optimizer(method, TRAIN.model_copy(update={"lr": 3e-3}))
    batch = batch_of(16, name)
    kept = ("queue", "label") if name == "odc" else ("queue",)  # else what is learned changes with every step
    queues = {n: b.clone() for n, b in method.named_buffers() if name not in ("swav", "shape") and n.endswith(kept)}
    losses = []
    for step in range(20):
        for queue, others in queues.items():  # else the images of the batch would be their own negatives
            method.get_buffer(queue).copy_(others)
        out = method(batch.views(), batch, Progress(step, 20, 100))
        optimizer.zero_grad()
        out.loss.backward()
        optimizer.step()
        method.after_step(Progress(step, 20, 100))
        losses.append(out.logs.get("classification", out.loss).item())  # other parts of SEAM follow the maps
    assert np.mean(losses[-3:]) < 0.95 * np.mean(losses[:3])


@pytest.mark.parametrize("name", NAMES)
def test_resume_is_bit_exact_whatever_the_workers_and_whether_it_is_looked_at(name, tmp_path):
    """Stopped within an epoch and again at the end of one."""
    whole = train(name, tmp_path / "whole").state_dict()
    train(name, tmp_path / "parts", stop=4, diagnose=True)
    train(name, tmp_path / "parts", stop=10, workers=2, diagnose=True)
    resumed = train(name, tmp_path / "parts", diagnose=True).state_dict()
    assert whole.keys() == resumed.keys()
    assert [n for n in whole if not torch.equal(whole[n], resumed[n])] == []
    logs = [[json.loads(line) for line in (tmp_path / d / "log.jsonl").open()] for d in ("whole", "parts")]
    learns = any(p.requires_grad for p in make(name).encoder.backbone.parameters())
    assert [line["step"] for line in logs[1] if "deviation" in line] == ([0, 5, 10, 14] if learns else [0, 14])
    logs = [[{k: v for k, v in line.items() if k not in ("seconds", *WORDS)} for line in lines] for lines in logs]
    assert logs[0] == logs[1]
    assert len(logs[0]) == 15


def test_other_seeds_train_differently(tmp_path):
    one, two = make("swav"), make("swav")
    fit(one, views(0), TRAIN, TrainingFolder(tmp_path / "a", {}), Resources(CPU), 5)
    fit(two, views(1), TRAIN, TrainingFolder(tmp_path / "b", {}), Resources(CPU), 5)
    assert not torch.equal(one.prototypes.weight, two.prototypes.weight)


def test_no_epochs_keep_the_initial_weights(tmp_path):
    before = make("swav").state_dict()
    after = train("swav", tmp_path, cfg=TRAIN.model_copy(update={"epochs": 0})).state_dict()
    assert all(torch.equal(before[n], after[n]) for n in before)


def test_swav_freezes_its_prototypes_and_keeps_them_unit():
    method = make("swav").train()
    optimizer = make_optimizer(method, TRAIN)
    start = method.prototypes.weight.detach().clone()
    torch.testing.assert_close(start.norm(dim=1), torch.ones(12))
    for step in range(4):
        batch = batch_of(8)
        progress = Progress(step, 15, 5)
        method(batch.views(), batch, progress).loss.backward()
        method.before_step(progress)
        optimizer.step()
        method.after_step(progress)
        optimizer.zero_grad(set_to_none=True)
        assert torch.allclose(method.prototypes.weight, start, rtol=0, atol=1e-6) == (step < 2)
    torch.testing.assert_close(method.prototypes.weight.norm(dim=1), torch.ones(12))


def test_swav_queue_is_first_in_first_out_and_used_when_full():
    method = make("swav").train()
    late = Progress(5, 15, 5)
    method.remember([torch.ones(8, 8)] * 2, late)
    method.remember([2 * torch.ones(8, 8)] * 2, late)
    assert method.queue[0, :, 0].tolist() == [2.0] * 8 + [1.0] * 8
    method.remember([3 * torch.ones(8, 8)] * 2, late)
    assert method.queue[1, :, 0].tolist() == [3.0] * 8 + [2.0] * 8
    scores = torch.randn(8, 12)
    with_queue = method._code(0, scores, Progress(7, 15, 5))
    without = method._code(0, scores, Progress(6, 15, 5))
    assert with_queue.shape == (8, 12)
    torch.testing.assert_close(with_queue.sum(dim=1), torch.ones(8))
    assert not torch.allclose(with_queue, without)


def test_swav_warns_of_collapse_with_remedies():
    text = make("swav").warning({"code_entropy": 0.999}, Progress(10, 15, 5))
    assert text is not None
    assert "epsilon" in text
    assert make("swav").warning({"code_entropy": 0.5}, Progress(10, 15, 5)) is None


def test_segmenter_pools_its_activation_maps():
    method = make("segmenter").eval()
    batch = batch_of(8)
    seen = batch.views()
    maps = torch.cat([method.segment(view).maps.mean(dim=(2, 3)) for view in seen])
    assert method.segment(seen[0]).attention is None
    expected = torch.nn.functional.cross_entropy(maps, batch.label.repeat(3))
    torch.testing.assert_close(method(seen, batch, Progress(0, 1, 1)).loss, expected)


def test_labels_do_not_teach_the_attention():
    method = make("attended").train()
    batch = batch_of(8)
    method(batch.views(), batch, Progress(0, 1, 1)).loss.backward()
    assert method.encoder.attention.weight.grad is None
    assert next(method.encoder.backbone.parameters()).grad.abs().sum() > 0


def test_a_frozen_encoder_stays_as_it_is():
    cfg = SegmenterConfig(encoder="frozen", head_lr=7)
    method = Segmenter(cfg, Encoder(FULL), 4).train()
    before = {name: value.clone() for name, value in method.encoder.state_dict().items()}
    optimizer = make_optimizer(method, TRAIN, method.lr_scale)
    head = method.head.weight.detach().clone()
    batch = batch_of(8)
    method(batch.views(), batch, Progress(0, 1, 1)).loss.backward()
    optimizer.step()
    assert all(torch.equal(before[name], value) for name, value in method.encoder.state_dict().items())
    assert not torch.equal(head, method.head.weight)
    assert {group["scale"] for group in optimizer.param_groups} == {7}


def test_attention_needs_an_encoder_that_has_it():
    with pytest.raises(UserError, match=r"finetune\.segmenter\.attend .* no attention"):
        Segmenter(SegmenterConfig(attend=True), Encoder(PLAIN), 4)


@pytest.mark.parametrize("features", ["output", "stage4"])
def test_attended_segmenter_pools_with_the_attention(features):
    torch.manual_seed(0)
    method = Segmenter(SegmenterConfig(features=features), Encoder(FULL), 4).eval()
    batch = batch_of(8)
    seen = batch.views()
    pooled = []
    for view in seen:
        found = method.segment(view)
        c = torch.nn.functional.interpolate(
            found.attention.sigmoid(), found.maps.shape[-2:], mode="bilinear", antialias=True
        )
        pooled.append((c * found.maps).flatten(2).sum(dim=2) / c.flatten(2).sum(dim=2))
    expected = torch.nn.functional.cross_entropy(torch.cat(pooled), batch.label.repeat(3))
    torch.testing.assert_close(method(seen, batch, Progress(0, 1, 1)).loss, expected)
