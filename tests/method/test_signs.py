"""Every method logs a value that shows whether anything is learned, and near-identical photographs show in it."""

import math

import numpy as np
import pytest
import torch

from luss_core.config import METHODS
from luss_core.data.loader import Plane, Views
from luss_core.losses.instance import margin
from luss_core.methods.base import Progress
from luss_core.signs import SIGNS, sign_of
from luss_core.train.folder import TrainingFolder
from luss_core.train.loop import Resources, fit
from tests.method.test_methods import CPU, IMAGES, TRAIN, Maps, Textures, batch_of, make, views_of

PHOTOGRAPH = np.kron(np.random.default_rng(0).integers(40, 200, (5, 6, 3)), np.ones((6, 6, 1)))


class Alike(Textures):
    """One photograph, taken again and again: noise of two grey values."""

    def read(self, row: int) -> np.ndarray:
        noise = np.random.default_rng(row).integers(-2, 3, PHOTOGRAPH.shape)
        return np.clip(PHOTOGRAPH + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_logs_a_sign(name):
    method, batch = make(name).train(), batch_of(8, name)
    logs = method(batch.views(), batch, Progress(5, 15, 5)).logs
    found = [float(logs[sign.key]) for sign in SIGNS if sign.key in logs]
    assert found
    assert np.isfinite(found).all()


@pytest.mark.parametrize("name", ["swav", "byol", "npid", "deepcluster", "odc", "pcl", "vicreg", "maskcontrast"])
def test_nearly_the_same_photographs_show(name, tmp_path):
    training = TrainingFolder(tmp_path, {"name": name})
    views = Views(Alike(), np.arange(IMAGES), views_of(name), 0, np.arange(IMAGES) % 4, {"saliency": Plane(Maps())})
    cfg = TRAIN.model_copy(update={"epochs": 12, "batch_size": 20})
    fit(make(name), views, cfg, training, Resources(CPU, checkpoint_minutes=60))
    assert "If the photographs are nearly the same" in str(sign_of(training.log))


def test_margin_by_its_definition():
    one, two = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(0))
    cosine = [[float(torch.cosine_similarity(a, b, dim=0)) for b in two] for a in one]
    same = sum(cosine[i][i] for i in range(6)) / 6
    others = sum(cosine[i][j] for i in range(6) for j in range(6) if i != j) / 30
    assert float(margin(one, two)) == pytest.approx(same - others, abs=1e-6)
    assert float(margin(one[:1].expand(6, 5), one[:1].expand(6, 5))) == pytest.approx(0, abs=1e-6)
    assert float(margin(one[:1], two[:1])) == 0


def test_chance_of_deepcluster_counts_clusters_with_images():
    method = make("deepcluster")
    method.label[:] = torch.arange(IMAGES) % 3
    assert float(method._of_chance(torch.tensor(math.log(3)))) == pytest.approx(1, abs=1e-6)
    method.label.zero_()
    assert float(method._of_chance(torch.tensor(0.0))) == 1
