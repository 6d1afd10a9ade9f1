"""What makes PCL: MoCo alone at first, then prototypes of several clusterings as the copy sees the images."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from luss_core.config.methods import PCLConfig
from luss_core.errors import UserError
from luss_core.losses.prototypes import proto_nce
from luss_core.methods import Progress, build_method
from luss_core.methods.pcl import PCL
from luss_core.models.encoder import Encoder, pool
from tests.method.test_methods import IMAGES, PLAIN, TINY, batch_of, make, train

STEP = Progress(5, 15, 5)


def loss_of(name: str, **settings) -> tuple[torch.Tensor, dict]:
    method = make(name).train()
    method.cfg = method.cfg.model_copy(update=settings)
    batch = batch_of(8, "pcl")
    torch.manual_seed(0)
    out = method(batch.views(), batch, STEP)
    return out.loss, out.logs


def test_before_the_first_clustering_it_is_moco():
    moco, _ = loss_of("moco")
    (alone, logs), (whole, later) = loss_of("pcl", warmup_epochs=2), loss_of("pcl")
    assert torch.isfinite(alone)
    assert logs["prototype_loss"] == 0
    torch.testing.assert_close(alone, moco)
    torch.testing.assert_close(whole, moco + later["prototype_loss"])
    assert later["chance"] == logs["chance"]


def test_prototypes_are_a_mean_over_the_clusterings():
    method, batch = make("pcl").train(), batch_of(8, "pcl")
    method.cluster.copy_(torch.stack([torch.arange(IMAGES) % 4, 4 + torch.arange(IMAGES) % 6]))
    method.phi.copy_(torch.linspace(0.1, 0.5, 10))
    method.cfg = method.cfg.model_copy(update={"negatives": 9})  # more than there are
    with torch.no_grad():
        query, index = method.query(batch.views()), batch.index
        found = method(batch.views(), batch, STEP).logs["prototype_loss"]
    first = proto_nce(query, index % 4, torch.arange(4), method.centroids[:4], method.phi[:4])
    second = proto_nce(query, index % 6, torch.arange(6), method.centroids[4:], method.phi[4:])
    torch.testing.assert_close(found, (first + second) / 2)


def test_all_images_are_clustered_as_the_copy_sees_them(tmp_path, monkeypatch):
    seen = []

    def keep(self, features, m, seed):
        seen.append((torch.from_numpy(np.concatenate(list(features.blocks()))), m, clustered(self, features, m, seed)))
        return seen[-1][2]

    clustered = PCL._clustered
    monkeypatch.setattr(PCL, "_clustered", keep)
    method = train("pcl", tmp_path, stop=6)  # clustered before the first step and before the sixth
    assert [m for _, m, _ in seen] == [0, 1, 0, 1]
    vectors = seen[2][0]
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(IMAGES))
    for m, (start, count) in enumerate(((0, 4), (4, 6))):
        label = method.cluster[m] - start
        assert torch.equal(torch.bincount(label, minlength=count) > 0, torch.ones(count, dtype=torch.bool))
        for c in range(count):
            mean = F.normalize(vectors[label == c].mean(dim=0), dim=0)
            torch.testing.assert_close(method.centroids[start + c], mean, atol=1e-4, rtol=0)
        assert method.phi[start : start + count].mean().item() == pytest.approx(method.cfg.temperature, rel=1e-5)


def test_the_copy_normalises_with_the_statistics_of_the_network_that_learns():
    method = make("pcl")
    for parameter in method.target.parameters():
        parameter.data.mul_(1.5)
    method.train()
    batch = batch_of(8, "pcl")
    method.query(batch.views())  # moves the statistics
    method.eval()
    images = batch.views()[0]
    found = method._as_the_copy(images)
    alone = torch.cat([method._as_the_copy(image[None]) for image in images])
    torch.testing.assert_close(found, alone)  # whatever images it sees beside
    state = method.state_dict()
    method.encoder.load_state_dict(
        {n: state.get(f"target.network.encoder.{n}", v) for n, v in method.encoder.state_dict().items()}
    )
    method.projector.load_state_dict({n: state[f"target.network.projector.{n}"] for n in method.projector.state_dict()})
    torch.testing.assert_close(found, F.normalize(method.projector(pool(method.encoder(images))), dim=1))


@pytest.mark.parametrize(("warmup", "every", "calls"), [(0, 1, [0, 5, 10]), (1, 1, [5, 10]), (1, 2, [5]), (3, 1, [])])
def test_when_it_clusters(warmup, every, calls, tmp_path, monkeypatch):
    found = []

    def none(self, _, m, __):
        found.append(m)
        part = self.parts[m]
        return self.cluster[m], self.centroids[part], self.phi[part]

    monkeypatch.setattr("luss_core.methods.pcl.PCL._clustered", none)
    cfg = TINY["pcl"].model_copy(update={"warmup_epochs": warmup, "every_epochs": every})
    monkeypatch.setitem(TINY, "pcl", cfg)
    train("pcl", tmp_path)
    assert len(found) == 2 * len(calls)


def test_its_clusters_are_those_of_the_first_clustering():
    method, index = make("pcl"), torch.tensor([3, 5])
    assert method.clusters_of(None, index) is None
    method.cluster[0] = torch.arange(IMAGES) % 4
    found = method.clusters_of(None, index)
    assert (found.cluster.tolist(), found.number) == ([3, 1], 4)


def test_more_clusters_than_images():
    with pytest.raises(UserError, match=r"40 training images cannot form method\.clusters = 41; lower it"):
        build_method(PCLConfig(clusters=(4, 41)), Encoder(PLAIN), IMAGES)
