"""Rotation, SimCLR, PixPro and the supervised bound: what is said of each step, beside what all owe the loop."""

import copy
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from lightly.loss import NTXentLoss
from torch import nn

from luss_core.config import METHODS, PretrainConfig
from luss_core.data.images import ImageList
from luss_core.data.loader import Views
from luss_core.data.overlap import cell_diagonal, cells
from luss_core.errors import UserError
from luss_core.losses.propagation import pixel_consistency
from luss_core.methods import Progress, build_method
from luss_core.models.encoder import Encoder, pool
from luss_core.stages.pretrain import check_overlap, training_views
from luss_core.train.loop import train_step
from luss_core.train.optim import make_optimizer
from tests.method.test_methods import IMAGES, PLAIN, TINY, TRAIN, Textures, batch_of, make, views_of

FIRST = Progress(0, 15, 5)


def test_rotation_sees_every_image_in_all_four_rotations():
    method, batch = make("rotation").train(), batch_of(6, "rotation")
    view, seen = batch.views()[0], []
    method.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    out = method([view], batch, FIRST)
    turned = [view, view.transpose(2, 3).flip(2), view.flip(2, 3), view.flip(2).transpose(2, 3)]  # counter-clockwise
    assert torch.equal(torch.cat(seen), torch.cat(turned))
    logits = method.head(pool(method.encoder(torch.cat(turned)))).double().log_softmax(dim=1)
    expected = -sum(logits[6 * turns + i, turns].item() for turns in range(4) for i in range(6)) / 24
    assert out.loss.item() == pytest.approx(expected, rel=1e-5)
    assert float(out.logs["chance"]) == pytest.approx(expected / math.log(4), rel=1e-5)


def test_rotation_looks_at_colours_as_they_are():
    """What is flipped left to right still stands upright; nothing else is changed, as in its code."""
    cfg = views_of("rotation")
    assert (cfg.jitter, cfg.gray, cfg.blur, cfg.solarise, cfg.flip) == (0, 0, 0, 0, 0.5)


def test_simclr_is_another_librarys_loss_of_its_projections():
    method, batch = make("simclr").train(), batch_of(8, "simclr")
    seen = batch.views()
    z = [method.projector(pool(method.encoder(v))) for v in seen]
    expected = NTXentLoss(temperature=TINY["simclr"].temperature)(*z)
    out = method(seen, batch, FIRST)
    torch.testing.assert_close(out.loss, expected)
    assert float(out.logs["chance"]) == pytest.approx(expected.item() / math.log(15), rel=1e-5)


@pytest.mark.parametrize("layers", [2, 3])
def test_the_head_of_simclr(layers):
    cfg = METHODS["simclr"].config.model_validate({"dim": 8, "layers": layers})
    head = build_method(cfg, Encoder(PLAIN), 4).projector
    linear = [layer for layer in head if isinstance(layer, nn.Linear)]
    width = Encoder(PLAIN).width
    assert [layer.weight.shape for layer in linear] == [(width, width)] * (layers - 1) + [(8, width)]
    assert all(layer.bias is None for layer in linear)
    assert isinstance(head[-1], nn.BatchNorm1d)
    assert not head[-1].bias.requires_grad


def test_pixpro_predicts_each_view_from_the_other():
    method, batch = make("pixpro").train(), batch_of(8, "pixpro")
    seen, places = batch.views(), batch.parameters
    p = [method.propagation(method.projector(method.encoder(v).output)) for v in seen]
    encoder, projector = copy.deepcopy(method.target)
    t = [projector(encoder(v).output) for v in seen]
    shape = p[0].shape[-2:]
    reach = 0.7 * torch.maximum(*(cell_diagonal(view, *shape) for view in places))
    at = [cells(view, *shape) for view in places]
    expected = sum(pixel_consistency(p[i], t[1 - i], at[i], at[1 - i], reach).mean() for i in (0, 1))
    torch.testing.assert_close(method(seen, batch, FIRST).loss, expected)


def test_pixpros_copy_follows_without_the_propagation_module():
    method = make("pixpro").train()
    optimizer = make_optimizer(method, TRAIN)
    target = [p.clone() for p in method.target.parameters()]
    train_step(method, optimizer, batch_of(8, "pixpro"), TRAIN, Progress(5, 15, 5))
    online = [*method.encoder.parameters(), *method.projector.parameters()]
    m = 1 - (1 - 0.99) * (np.cos(np.pi * 5 / 15) + 1) / 2
    for before, after, leader in zip(target, method.target.parameters(), online, strict=True):
        assert after.grad is None
        torch.testing.assert_close(after, m * before + (1 - m) * leader, rtol=1e-5, atol=1e-7)


def test_pixpro_needs_views_that_overlap():
    cfg = plain("pixpro", views={"crops": [{"count": 2, "size": 24, "scale": [0.001, 0.002]}]})
    with pytest.raises(UserError, match=r"raise the scale .* of the first entry, or take another method: pixpro"):
        check_overlap(cfg, Views(Textures(), np.arange(IMAGES), cfg.seen_views, 0))


def test_supervised_learns_the_categories_of_the_folders():
    method, batch = make("supervised").train(), batch_of(8, "supervised")
    view = batch.views()[0]
    assert method.head.out_features == 4
    expected = F.cross_entropy(method.head(pool(method.encoder(view))), torch.arange(8) % 4)
    out = method([view], batch, FIRST)
    torch.testing.assert_close(out.loss, expected)
    assert float(out.logs["chance"]) == pytest.approx(expected.item() / math.log(4), rel=1e-5)


def labelled(folders: list[str], tmp_path) -> ImageList:
    names = [f"{folder}/{k}" for k, folder in enumerate(folders)]
    sizes = np.full(len(names), 30), np.full(len(names), 34)
    return ImageList(tmp_path, names, names, ["train"] * len(names), *sizes, folders, [""] * len(names))


def plain(name: str, **values: object) -> PretrainConfig:
    return PretrainConfig.model_validate({"decoder": None, "attention": False, "method": {"name": name}, **values})


def test_supervised_has_an_output_for_each_folder_of_the_training_images(tmp_path):
    views = training_views(plain("supervised"), labelled(["b", "a", "c", "a", "b"], tmp_path), Textures(), None, 0)
    assert views.categories == 3
    method = build_method(TINY["supervised"], Encoder(PLAIN), len(views), views.categories)
    assert method.head.out_features == 3
    unlabelled = training_views(plain("simclr"), labelled(["b", "a"], tmp_path), Textures(), None, 0)
    assert unlabelled.categories == 0


def test_supervised_without_labels_is_refused(tmp_path):
    with pytest.raises(UserError, match="needs labels, but all training images lie in one folder 'a'; put the images"):
        training_views(plain("supervised"), labelled(["a", "a"], tmp_path), Textures(), None, 0)


@pytest.mark.parametrize("name", ["simclr", "pixpro", "byol", "swav"])
def test_a_batch_of_one_is_refused(name):
    with pytest.raises(ValueError, match=rf"train\.batch_size 1: method {name} needs several .*set it to 2 or more"):
        plain(name, train={"batch_size": 1})
    assert plain(name, train={"batch_size": 2}).least_batch == 2
    assert plain(name, train={"batch_size": 1, "epochs": 0})
    assert plain("rotation", train={"batch_size": 1}).least_batch == 1


def test_a_batch_of_one_is_refused_for_the_decoder():
    with pytest.raises(ValueError, match="the decoder needs several images in a batch"):
        PretrainConfig.model_validate({"attention": False, "method": {"name": "rotation"}, "train": {"batch_size": 1}})


@pytest.mark.parametrize(("name", "setting"), [("simclr", "temperature"), ("pixpro", "distance")])
@pytest.mark.parametrize("value", [0, float("inf"), float("nan")])
def test_settings_that_would_make_no_loss(name, setting, value):
    with pytest.raises(ValueError, match=setting):
        plain(name, method={"name": name, setting: value})


def test_pixpro_knows_no_attention():
    with pytest.raises(ValueError, match="set attention: false"):
        plain("pixpro", attention=True)
