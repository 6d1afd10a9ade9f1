"""MoCo v2 and CACL: what their papers say of each step, beside what all methods owe the loop."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError

from luss_core.config import METHODS, PretrainConfig
from luss_core.config.methods import CACLConfig
from luss_core.data.loader import Views
from luss_core.losses.cycle import cycle_matrix
from luss_core.methods import Progress, build_method
from luss_core.methods.cacl import CACL, Seen
from luss_core.models.encoder import Encoder, pool
from luss_core.models.momentum import in_shuffled_parts
from luss_core.stages.pretrain import taught
from luss_core.train.loop import train_step
from luss_core.train.optim import make_optimizer
from tests.method.test_methods import IMAGES, PLAIN, TRAIN, Textures, batch_of, make, views_of

FIRST = Progress(0, 15, 5)


def test_moco_asks_with_the_first_view_and_answers_with_the_second():
    method, batch = make("moco").train(), batch_of(8, "moco")
    seen, queue = batch.views(), method.queue.clone().double()
    online = copy.deepcopy(method)
    query = F.normalize(online.projector(pool(online.encoder(seen[0]))), dim=1).double()
    torch.manual_seed(3)
    key = in_shuffled_parts(copy.deepcopy(method.target), seen[1], 4).double()
    torch.manual_seed(3)
    loss = method(seen, batch, FIRST).loss
    logits = torch.cat([(query * key).sum(dim=1, keepdim=True), query @ queue.t()], dim=1) / 0.2
    assert loss.item() == pytest.approx(F.cross_entropy(logits, torch.zeros(8, dtype=torch.long)).item(), rel=1e-5)
    torch.testing.assert_close(method.queue, torch.cat([key.float(), queue[:12].float()]))


@pytest.mark.parametrize("name", ["moco", "cacl"])
def test_the_copy_learns_nothing_and_follows(name):
    method = make(name).train()
    optimizer = make_optimizer(method, TRAIN)
    before = [p.clone() for p in method.target.parameters()]
    train_step(method, optimizer, batch_of(8, name), TRAIN, FIRST)
    leaders = [*method.encoder.parameters(), *(method.projector if name == "moco" else method.heads).parameters()]
    for old, now, leader in zip(before, method.target.parameters(), leaders, strict=True):
        assert now.grad is None
        torch.testing.assert_close(now, 0.99 * old + 0.01 * leader, rtol=1e-5, atol=1e-7)
    assert not {id(p) for g in optimizer.param_groups for p in g["params"]} & {
        id(p) for p in method.target.parameters()
    }


def cacl(**settings: object) -> CACL:
    torch.manual_seed(0)
    cfg = CACLConfig.model_validate({**METHODS["cacl"].tiny, **settings})
    method = build_method(cfg, Encoder(PLAIN), IMAGES)
    assert isinstance(method, CACL)
    return method.train()


def pairs() -> Views:
    """Each image with the one after the next."""
    rows = np.arange(IMAGES)
    return Views(Textures(), rows, views_of("cacl"), 0, partners=(rows + 2) % IMAGES)


@pytest.mark.parametrize("settings", [{}, {"soft_target": "pair"}, {"soft_cycle": False, "cycle_negatives": False}])
def test_cacl_adds_up_what_equations_3_to_6_say(settings):
    method, source = cacl(pixel_shuffle=False, **settings), pairs()
    batch, t = source[source.keys(0, range(8))], 0.2
    seen = method.embed(batch.views())
    u, p, c = (seen[name] for name in ("global", "pixel", "cycle"))
    queues = {name: getattr(method, f"{name}_queue").double() for name in seen}
    expected = {"global": [], "pixel": [], "cycle": []}
    for b in range(8):
        scores = torch.cat([(u.mean[b] @ u.later_mean[b])[None].double(), queues["global"] @ u.mean[b].double()])
        expected["global"].append(-(scores / t).log_softmax(0)[0])
        away = queues["cycle"] if method.cfg.cycle_negatives else queues["cycle"][:0]
        m = cycle_matrix(c.now[b : b + 1].double(), c.later[b : b + 1].double(), away, t)[0]
        for i in range(9):
            j = (u.now[b, i] @ u.later[b].t()).argmax()
            scores = torch.cat([(p.now[b, i] @ p.later[b, j])[None].double(), queues["pixel"] @ p.now[b, i].double()])
            expected["pixel"].append(-(scores / t).log_softmax(0)[0])
            target = F.one_hot(torch.tensor(i), 9).double()
            if method.cfg.soft_cycle:
                others = u.now[b] if method.cfg.soft_target == "frame" else u.later[b]
                target = (u.now[b, i] @ others.t() / t).double().softmax(0)
            expected["cycle"].append(F.kl_div(m[i, :9].log(), target, reduction="sum"))
    for name, rows in expected.items():
        found = getattr(method, f"{name}_loss")(seen, batch.index).double()
        torch.testing.assert_close(found, torch.stack(rows).mean(), rtol=1e-4, atol=1e-5)


def test_the_loss_is_the_sum_of_the_heads():
    source = pairs()
    batch = source[source.keys(0, range(8))]
    out = cacl()(batch.views(), batch, FIRST)
    terms = [out.logs.pop(f"{name}_loss") for name in ("global", "pixel", "cycle")]
    torch.testing.assert_close(out.loss, torch.stack(terms).sum())
    torch.testing.assert_close(out.logs, {"chance": terms[0] / np.log(21)}, check_dtype=False)


def test_positions_of_the_same_place_instead_of_matched_ones():
    method, source = cacl(positives="position", heads=["pixel"], pixel_shuffle=False), pairs()
    batch = source[source.keys(0, range(8))]
    p = method.embed(batch.views())["pixel"]
    scores = torch.cat([(p.now * p.later).sum(dim=2)[..., None], p.now @ method.pixel_queue.t()], dim=2) / 0.2
    expected = -scores.log_softmax(dim=2)[..., 0].mean()
    torch.testing.assert_close(method.pixel_loss({"pixel": p}, batch.index), expected)


def test_the_queues_hold_what_the_copy_saw_last():
    method, source = cacl(pixel_shuffle=False), pairs()
    batch = source[source.keys(0, range(8))]
    seen = method.embed(batch.views())
    before = method.cycle_queue.clone()
    method.remember(seen, batch.index + 5)
    torch.testing.assert_close(method.global_queue[:8], seen["global"].later_mean)
    for name, queue in (("pixel", method.pixel_queue), ("cycle", method.cycle_queue)):
        for k, vector in enumerate(queue[:16]):  # two positions of each of eight frames, in the order of the batch
            assert (seen[name].later[k // 2] - vector).abs().sum(dim=1).min() < 1e-6
    assert torch.equal(method.cycle_queue[16:], before[:4])
    assert method.global_videos[:8].tolist() == list(range(5, 13))
    assert method.cycle_videos.tolist() == [5 + k // 2 for k in range(16)] + [-1] * 4


@pytest.mark.parametrize("other_videos", [True, False])
def test_negatives_are_of_other_videos(other_videos):
    """Losses are those of a queue that lacks what the own video left there."""
    method, source = cacl(pixel_shuffle=False, other_videos=other_videos), pairs()
    batch, video = source[source.keys(0, range(8))], torch.arange(8) // 4
    seen = method.embed(batch.views())
    whole = {name: getattr(method, f"{name}_queue").clone() for name in seen}
    for name in seen:
        getattr(method, f"{name}_videos").copy_(torch.arange(20) % 3)
    found = {name: getattr(method, f"{name}_loss")(seen, video) for name in seen}
    halves = []
    for half, own in ((slice(4), 0), (slice(4, 8), 1)):
        part = {name: Seen(*(x[half] for x in head)) for name, head in seen.items()}
        for name in seen:
            kept = torch.arange(20) % 3 != own if other_videos else torch.full((20,), True)
            setattr(method, f"{name}_queue", whole[name][kept])
            setattr(method, f"{name}_videos", torch.full((int(kept.sum()),), -1))
        halves.append({name: getattr(method, f"{name}_loss")(part, video[half]) for name in seen})
    for name, loss in found.items():
        torch.testing.assert_close(loss, (halves[0][name] + halves[1][name]) / 2)


def test_a_queue_of_the_own_video_alone_teaches_nothing_and_breaks_nothing():
    method, source = cacl(pixel_shuffle=False), pairs()
    batch, video = source[source.keys(0, range(8))], torch.zeros(8, dtype=torch.long)
    seen = method.embed(batch.views())
    for name in seen:
        getattr(method, f"{name}_videos").zero_()
    assert method.global_loss(seen, video).item() == 0
    sum(getattr(method, f"{name}_loss")(seen, video) for name in seen).backward()
    assert all(p.grad.isfinite().all() for p in method.encoder.backbone.parameters())


def test_no_gradient_flows_through_the_copy_the_matching_or_the_target():
    method, source = cacl(), pairs()
    batch = source[source.keys(0, range(8))]
    seen = method.embed(batch.views())
    assert not any(head.later.requires_grad or head.later_mean.requires_grad for head in seen.values())
    method.cycle_loss(seen, batch.index).backward(retain_graph=True)
    assert learning(method) == {"cycle"}
    method.zero_grad()
    method.pixel_loss(seen, batch.index).backward(retain_graph=True)
    assert learning(method) == {"pixel"}
    method.zero_grad()
    method.global_loss(seen, batch.index).backward()
    assert learning(method) == {"global"}
    assert all(p.grad.abs().max() > 0 for p in method.encoder.backbone.parameters())


def learning(method: CACL) -> set[str]:
    """Heads that a gradient reaches."""
    return {name for name, head in method.heads.items() if any(p.grad.any() for p in head.parameters())}


def test_shuffled_pixels_come_back_to_their_places():
    """Behind a network without padding the maps are those of images that were not rolled."""
    method, x = cacl(), torch.randn(4, 3, 24, 24)
    width = method.encoder.width
    method.encoder.backbone.forward = lambda images: (F.avg_pool2d(images, 8).repeat(1, width, 1, 1)[:, :width],)
    online, _ = method._maps([x, x])
    plain = method.heads["global"](method.encoder(x).output)
    torch.testing.assert_close(online[0], plain, rtol=1e-4, atol=1e-5)


def test_a_crop_that_does_not_divide_by_the_stride_cannot_be_shuffled():
    section = {"decoder": None, "attention": False, "method": {"name": "cacl"}}
    views = {"crops": [{"count": 2, "size": 44, "scale": [0.5, 1]}]}
    with pytest.raises(ValidationError, match=r"size 44 is no multiple of 8.*pixel_shuffle: false"):
        PretrainConfig.model_validate(section | {"views": views})
    section["method"] = {"name": "cacl", "pixel_shuffle": False}
    assert PretrainConfig.model_validate(section | {"views": views}).views.crops[0].size == 44


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"heads": ["pixel"]}, "positives: matched asks the global head.*add global, or set positives: position"),
        ({"heads": ["cycle"]}, "soft_cycle asks the global head.*add global, or set soft_cycle: false"),
        ({"heads": ["global", "global"]}, "names a head twice"),
    ],
)
def test_heads_that_need_each_other(settings, message):
    with pytest.raises(ValidationError, match=message):
        PretrainConfig.model_validate({"decoder": None, "attention": False, "method": {"name": "cacl", **settings}})


def test_cacl_learns_from_the_last_map_of_the_backbone():
    with pytest.raises(ValidationError, match="set decoder: null"):
        PretrainConfig.model_validate({"method": {"name": "cacl"}})


def test_the_state_of_the_copy_has_no_statistics():
    names = make("moco").state_dict().keys()
    assert not [name for name in names if name.startswith("target") and "running" in name]


def test_videos_are_no_categories():
    """Labels of pairs say which video they are from; only a method that is taught has category folders."""
    views = Views(Textures(), np.arange(IMAGES), views_of("cacl"), 0, labels=np.arange(IMAGES) % 3)
    plain = {"decoder": None, "attention": False}
    assert taught(PretrainConfig.model_validate(plain | {"method": {"name": "cacl"}}), views) == 0
    assert taught(PretrainConfig.model_validate(plain | {"method": {"name": "supervised"}}), views) == 3
