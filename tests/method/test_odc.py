"""What makes ODC: its two memories, the clusters that are given up, the weights in the loss."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from luss_core.config.methods import ODCConfig
from luss_core.errors import UserError
from luss_core.methods import Progress, build_method
from luss_core.methods.odc import means, nearest, second_half
from luss_core.models.encoder import Encoder, pool
from tests.method.test_methods import IMAGES, PLAIN, batch_of, make, train

STEP = Progress(5, 15, 5)


def test_the_memories_are_filled_by_k_means_before_the_first_step(tmp_path, monkeypatch):
    seen = {}
    monkeypatch.setattr("luss_core.methods.odc.ODC.remember", lambda self, *_: seen.update(self.state_dict()) or 0)
    monkeypatch.setattr("luss_core.methods.odc.ODC.after_step", lambda *_: None)
    monkeypatch.setattr("luss_core.methods.odc.Output", lambda loss, _: _Plain(loss))
    method = train("odc", tmp_path, stop=1)
    bank, label, centroids = method.bank, method.label, method.centroids
    torch.testing.assert_close(bank.norm(dim=1), torch.ones(IMAGES))
    assert set(label.tolist()) == set(range(5))
    for c in range(5):
        torch.testing.assert_close(centroids[c], bank[label == c].mean(dim=0))
    # k-means ends near where each image has the nearest mean
    assert (torch.cdist(bank, centroids).argmin(dim=1) == label).float().mean() > 0.9


class _Plain:
    def __init__(self, loss: torch.Tensor):
        self.loss, self.logs = loss, {}


def test_what_was_seen_moves_the_memory_and_takes_the_nearest_cluster():
    method = make("odc")
    before, z = method.bank.clone(), torch.randn(3, 8)
    rows = torch.tensor([4, 0, 9])
    method.remember(z, rows)
    for i, row in enumerate(rows.tolist()):
        moved = 0.5 * before[row] + 0.5 * z[i] / z[i].norm()
        torch.testing.assert_close(method.bank[row], moved / moved.norm())
        apart = [(method.bank[row] - c).square().sum().item() for c in method.centroids]
        assert method.label[row] == int(np.argmin(apart))
    others = [row for row in range(IMAGES) if row not in rows.tolist()]
    assert torch.equal(method.bank[others], before[others])


def test_clusters_weigh_one_by_the_root_of_their_size():
    method = make("odc").eval()
    method.cfg = method.cfg.model_copy(update={"dropout": 0.0})
    method.label.copy_(torch.tensor([0] * 20 + [1] * 10 + [2] * 7 + [3] * 2 + [4]))
    batch = batch_of(8, "odc")
    batch = type(batch)(**{**vars(batch), "small": batch.small.clone()})
    rows = torch.tensor([0, 1, 2, 22, 31, 38, 39, 5])
    method.label[:8] = method.label[rows]
    sizes = torch.bincount(method.label, minlength=5)
    logits = method.head(method.outer(method.inner(pool(method.encoder(batch.views()[0])))))
    losses, weights = F.cross_entropy(logits, method.label[:8], reduction="none"), sizes[method.label[:8]] ** -0.5
    expected = (losses * weights).sum() / weights.sum()
    torch.testing.assert_close(method(batch.views(), batch, STEP).loss, expected)


def test_centroids_are_calculated_anew_every_few_steps_alone():
    method = make("odc")
    method.cfg = method.cfg.model_copy(update={"smallest": 1, "refresh_steps": 3})
    before = method.centroids.clone()
    method.bank.copy_(F.normalize(torch.randn(IMAGES, 8), dim=1))
    for step in (3, 4):
        method.after_step(Progress(step, 15, 5))
        assert torch.equal(method.centroids, before)
    method.after_step(Progress(5, 15, 5))
    for c in range(5):
        torch.testing.assert_close(method.centroids[c], method.bank[method.label == c].mean(dim=0))


def test_a_cluster_that_is_too_small_is_given_up_and_the_largest_split():
    method, angle = make("odc"), torch.arange(IMAGES)
    sizes = [3, 20, 9, 8, 0]
    label = torch.repeat_interleave(torch.arange(5), torch.tensor(sizes))
    places = torch.tensor([0.0, 2.0, 0.5, 4.0])[label.clamp(max=3)] + 0.001 * angle
    places[3:10] += 0.6  # a part of the largest cluster
    method.bank.zero_()
    method.bank[:, 0], method.bank[:, 1] = places.cos(), places.sin()
    method.label.copy_(label)
    method.centroids.copy_(means(method.bank, label, 5))
    method.give_up_smallest()  # cluster 4 has none
    assert method.label[3:10].unique().tolist() in ([1], [4])
    assert method.label[10:23].unique().tolist() in ([1], [4])
    assert method.sizes().tolist()[:4:2] == [3, 9]
    method.give_up_smallest()  # cluster 0 has three, nearest to cluster 2; then the largest is split
    assert method.label[:3].tolist() == [2] * 3
    assert sorted(method.sizes().tolist()) == [6, 7, 7, 8, 12]
    for c in (0, 1, 3, 4):  # that of cluster 2, which has grown, when all are calculated anew
        torch.testing.assert_close(method.centroids[c], method.bank[method.label == c].mean(dim=0))


def test_clusters_that_are_large_enough_stay():
    method = make("odc")
    before = {name: value.clone() for name, value in method.named_buffers()}
    method.give_up_smallest()
    assert all(torch.equal(before[name], value) for name, value in method.named_buffers())


def test_halves_of_members_that_are_all_the_same():
    vectors, member = torch.ones(9, 3), torch.arange(9) > 2
    half = second_half(vectors, member) & member
    assert half.sum() == 3
    assert not half[:3].any()


def test_halves_are_two_groups():
    torch.manual_seed(0)
    vectors = torch.cat([torch.randn(5, 3) / 9 + 1, torch.randn(7, 3) / 9 - 1, torch.full((4, 3), 9.0)])
    member = torch.arange(16) < 12
    half = second_half(vectors, member)
    assert len(set(half[:5].tolist())) == len(set(half[5:12].tolist())) == 1
    assert half[0] != half[5]


def test_nearest_is_euclidean_and_may_be_told_what_is_allowed():
    vectors, centroids = torch.randn(20, 4), torch.randn(6, 4) * torch.arange(1, 7)[:, None]
    expected = torch.cdist(vectors, centroids)
    assert torch.equal(nearest(vectors, centroids), expected.argmin(dim=1))
    assert torch.equal(nearest(vectors, centroids, torch.arange(6) > 2), expected[:, 3:].argmin(dim=1) + 3)


def test_more_clusters_than_images_can_form():
    with pytest.raises(
        UserError, match=r"40 training images cannot form method.clusters = 21 of at least .* = 2 images"
    ):
        build_method(ODCConfig(clusters=21, smallest=2), Encoder(PLAIN), IMAGES)
