"""Every method is looked at while it trains: what is found, what is said, and that nothing depends on it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from luss_core.config import METHODS
from luss_core.methods import Method, Progress
from luss_core.models.heads import Prototypes
from luss_core.signs import sign_of
from luss_core.train.diagnostics import Diagnostics
from luss_core.train.folder import TrainingFolder
from luss_core.train.loop import Resources, fit
from tests.method.test_methods import CPU, IMAGES, TRAIN, make, train, views, views_of

CATEGORY = np.arange(IMAGES) % 4
ALWAYS = {"deviation", "effective_rank"}


def diagnostics(name: str = "byol", category: np.ndarray | None = CATEGORY, every: int = 1) -> Diagnostics:
    return Diagnostics(views(cfg=views_of(name)), every, CPU, "float32", category)


def records(log: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in log.open()]


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_looked_at_and_nothing_of_it_changes(name):
    method = make(name).train()
    before = {key: value.clone() for key, value in method.state_dict().items()}
    modes, draws = [m.training for m in method.modules()], (torch.get_rng_state(), np.random.get_state()[1].copy())  # noqa: NPY002
    found = diagnostics(name).measure(method)
    assert all(torch.equal(value, before[key]) for key, value in method.state_dict().items())
    assert [m.training for m in method.modules()] == modes
    assert torch.equal(torch.get_rng_state(), draws[0])
    assert np.array_equal(np.random.get_state()[1], draws[1])  # noqa: NPY002
    assert all(p.grad is None for p in method.parameters())
    clustered = isinstance(getattr(method, "prototypes", None), Prototypes) or hasattr(method, "label")
    assert found.keys() >= ALWAYS | {"knn", "knn_guess"} | ({"cluster_use"} if clustered else set())
    assert 0 <= found["deviation"] <= 1
    assert 1 <= found["effective_rank"] <= IMAGES
    assert found["knn_guess"] == 0.25
    assert name not in ("swav", "shape", "deepcluster") or 0 < found["cluster_use"] <= 1


def test_labels_change_nothing_but_what_is_counted_with_them(tmp_path):
    states, logs = [], []
    for k, category in enumerate((None, CATEGORY, CATEGORY[::-1].copy())):
        method, folder = make("byol"), TrainingFolder(tmp_path / str(k), {})
        fit(method, views(cfg=views_of("byol")), TRAIN, folder, Resources(CPU), 6, diagnostics("byol", category))
        states.append(method.state_dict())
        logs.append(records(folder.log))
    for state in states[1:]:
        assert all(torch.equal(value, states[0][key]) for key, value in state.items())
    assert "knn" not in logs[0][0]
    assert [line["deviation"] for line in logs[0][::5]] == [line["deviation"] for line in logs[1][::5]]


def test_it_is_looked_at_every_so_many_epochs_and_at_the_end(tmp_path):
    method, folder = make("byol"), TrainingFolder(tmp_path, {})
    cfg = TRAIN.model_copy(update={"epochs": 4})
    fit(method, views(cfg=views_of("byol")), cfg, folder, Resources(CPU), None, diagnostics(every=3))
    lines = records(folder.log)
    assert [line["step"] for line in lines if "deviation" in line] == [0, 15, 19]
    last = diagnostics().measure(method)  # of the weights that the training leaves
    assert {name: lines[-1][name] for name in last} == last


def test_steps_between_are_left_alone():
    assert diagnostics().before(None, Progress(3, 15, 5)) == {}
    assert diagnostics(every=2).before(None, Progress(5, 15, 5)) == {}


def test_features_that_are_not_finite_are_no_finding():
    method = make("byol")
    next(method.encoder.parameters()).data.fill_(float("nan"))
    assert diagnostics().measure(method) == {}


def test_the_use_of_clusters_is_that_of_the_method():
    method = make("deepcluster")
    method.label[:] = torch.arange(IMAGES) % 3
    assert diagnostics("deepcluster").measure(method)["cluster_use"] == pytest.approx(
        3 / min(method.cfg.clusters, IMAGES), abs=0.02
    )
    swav = make("swav")
    swav.prototypes.weight.data[:] = swav.prototypes.weight.data[:1]
    assert diagnostics("swav").measure(swav)["cluster_use"] == pytest.approx(1 / 12, abs=1e-6)


def bare_byol() -> Method:
    """Without its heads, and with a copy that is the network itself: all that keeps it from a collapse."""
    method = make("byol")
    method.cfg = method.cfg.model_copy(update={"momentum": 0.0})
    method.projector, method.predictor, method.target[1] = nn.Identity(), nn.Identity(), nn.Identity()
    return method


def trained(method: Method, folder: Path, **changes: float) -> TrainingFolder:
    training = TrainingFolder(folder, {})
    cfg = TRAIN.model_copy(update={"lr": 1e-2, "warmup_epochs": 0, **changes})
    fit(method, views(cfg=views_of("byol")), cfg, training, Resources(CPU), None, diagnostics(every=5))
    return training


def without_margin(log: Path) -> Path:
    """So that what shows is what was found in the features."""
    text = [json.dumps({key: value for key, value in line.items() if key != "margin"}) for line in records(log)]
    log.write_text("".join(line + "\n" for line in text))
    return log


def test_a_collapse_shows_in_the_features_and_is_said_while_it_trains(tmp_path, caplog):
    caplog.set_level("INFO")
    training = trained(bare_byol(), tmp_path, epochs=7)
    said = [record.getMessage() for record in caplog.records]
    assert [text.partition(":")[0] for text in said if text.startswith("features")] == [
        "features epoch 0",
        "features epoch 5",
        "features at the end",
    ]
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len([text for text in warned if text.startswith("epoch 5: so far the features of all images are")]) == 1
    sign = str(sign_of(without_margin(training.log)))
    assert "nearly the same, a collapse (deviation 0.0" in sign
    assert "a smaller pretrain.train.lr" in sign


def test_a_healthy_training_is_not_warned_of(tmp_path, caplog):
    training = trained(make("byol"), tmp_path, lr=1e-3, epochs=6)
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == []
    assert sign_of(without_margin(training.log)) is None


def test_a_constant_encoder_is_a_collapse():
    method = make("moco")
    for name, parameter in method.encoder.backbone.layer4.named_parameters():
        parameter.data.fill_(1.0 if name.endswith("bias") else 0.0)
    found = diagnostics("moco").measure(method)
    assert found["deviation"] == pytest.approx(0, abs=1e-5)
    assert found["effective_rank"] == pytest.approx(1, abs=1e-3)
    assert found["knn"] <= 0.25


def test_nothing_is_looked_at_without_a_training(tmp_path):
    train("byol", tmp_path, cfg=TRAIN.model_copy(update={"epochs": 0}), diagnose=True)
    assert (tmp_path / "log.jsonl").read_text() == ""
