"""Two processes train what one would: the same batches, codes, statistics, queue and weights."""

import shutil

import pytest
import torch
import torch.nn.functional as F

from luss_core import group
from luss_core.errors import UserError
from luss_core.losses.clustering import sinkhorn, soft_cross_entropy
from luss_core.losses.contrast import nt_xent
from luss_core.train.folder import TrainingFolder
from tests.method import gloo
from tests.method.test_methods import TINY, TRAIN, make


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    return gloo.start(tmp_path_factory.mktemp("two"))


@pytest.fixture(scope="module")
def parts(two):
    return two["parts"]


def differing(
    one: dict[str, torch.Tensor], two: dict[str, torch.Tensor], name: str, part: float = 0.02, most: float = 1e-4
) -> dict[str, float]:
    """What differs by more than ``most``, or for weights by more than ``part`` of the way that they went.

    But a weight of 1 has no place finer than 1.2e-7.
    """
    assert one.keys() == two.keys()
    weights, found = dict(make(name).named_parameters()), {}
    for key in filter(lambda key: one[key].numel(), one):
        distance = float((one[key].double() - two[key].double()).abs().max())
        moved = float((one[key] - weights[key].detach()).abs().max()) if key in weights else 1.0
        if distance > min(most, part * moved + 1.2e-7):
            found[key] = distance
    return found


@pytest.mark.parametrize("name", gloo.NAMES)
def test_two_processes_equal_one(name, two, tmp_path):
    one = gloo.state(gloo.train(name, tmp_path))
    assert differing(one, two[name], name) == {}


def test_queues_took_part(two):
    with_queue = {name for name in gloo.NAMES if "queue" in two[name]}
    assert with_queue >= {"swav", "shape", "moco", "pcl", "maskcontrast"}
    for queue in (two[name]["queue"] for name in with_queue):  # full before the last steps, of rows of unit length
        assert 0 < queue.shape[-2] <= gloo.STOP * TRAIN.batch_size
        torch.testing.assert_close(queue.norm(dim=-1), torch.ones(queue.shape[:-1]))


@pytest.mark.parametrize(
    ("name", "idle"), [("odc", {"smallest": 1}), ("odc", {"refresh_steps": 99}), ("pcl", {"warmup_epochs": 9})]
)
def test_memories_took_part(two, name, idle, monkeypatch, tmp_path):
    """Clusters were given up, centroids calculated and prototypes used: without these, another end is reached."""
    monkeypatch.setitem(TINY, name, TINY[name].model_copy(update=idle))
    assert differing(gloo.state(gloo.train(name, tmp_path)), two[name], name)


def test_a_run_of_two_that_was_stopped_ends_bit_for_bit_as_one_that_was_not(two):
    assert [key for key, value in two["shape"].items() if not torch.equal(value, two["grown"][key])] == []


def test_the_first_process_looks_at_what_both_train(two, tmp_path):
    assert [key for key, value in two["shape"].items() if not torch.equal(value, two["looked at"][key])] == []
    gloo.train("shape", tmp_path, diagnose=True)
    one = gloo.found_in(tmp_path / "log.jsonl")
    assert [len(found) for found in one] == [3, 3]
    assert one[0] == two["features"][0]
    torch.testing.assert_close(torch.tensor(one[1]), torch.tensor(two["features"][1]), rtol=1e-3, atol=1e-3)


def test_one_process_goes_on_where_two_stopped(two, tmp_path):
    shutil.copytree(two["folder"], tmp_path, dirs_exist_ok=True)
    assert TrainingFolder(tmp_path, {"name": "shape"}).load(gloo.CPU)["step"] == gloo.STOP
    one = gloo.state(gloo.train("shape", tmp_path))
    assert differing(one, two["shape"], "shape") == {}


def test_codes_balance_the_samples_of_all_processes(parts):
    torch.testing.assert_close(parts["codes"], sinkhorn(gloo.samples()["scores"], 0.05, 3))


def test_gradients_are_those_of_the_mean_over_all_samples(parts):
    samples = gloo.samples()
    logits = samples["logits"].requires_grad_()
    soft_cross_entropy(logits, sinkhorn(samples["scores"], 0.05, 3)).backward()
    torch.testing.assert_close(parts["gradient"] / 2, logits.grad)  # what averaging over two processes leaves


@pytest.mark.parametrize("whose", ["ours", "theirs"])
def test_contrast_is_with_all_processes_in_gradients_too(parts, whose):
    """That of lightly as well, which gathers by itself."""
    views = gloo.pairs().requires_grad_()
    loss = nt_xent(*F.normalize(views, dim=2), 0.2).mean()
    loss.backward()
    found = parts[f"contrast_{whose}"]
    torch.testing.assert_close(found[..., :5] / 2, views.grad)
    torch.testing.assert_close(found[0, ::3, 5].mean(), loss)  # each process has the mean over its own images


def test_a_process_without_samples_adds_nothing(parts):
    samples = gloo.samples()
    codes = sinkhorn(samples["scores"], 0.05, 3)
    first = gloo.PARTS[0]
    torch.testing.assert_close(parts["empty"], soft_cross_entropy(samples["logits"][first], codes[first]))


def test_normalisation_over_unequal_parts(parts):
    x = gloo.samples()["x"].requires_grad_()
    norm = torch.nn.BatchNorm2d(3).train()
    norm(x).pow(3).sum().backward()
    torch.testing.assert_close(parts["x"], x.grad.flatten(1), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(parts["weight"], norm.weight.grad)
    torch.testing.assert_close(parts["variance"], norm.running_var)


def test_gathered_rows_take_their_gradients_home(parts):
    torch.testing.assert_close(parts["row"], torch.tensor([[2.0, 2.0]]))  # both processes multiply row 0 with 1


def test_a_module_of_which_nothing_learns_has_no_gradients_to_average(monkeypatch):
    monkeypatch.setattr(group, "world_size", lambda: 2)
    module = torch.nn.Linear(2, 2).requires_grad_(False)
    assert group.parallel(module, gloo.CPU) is module


def test_shares_are_contiguous(two):
    assert two["shares"] == [0, 2, 4]


def test_a_batch_that_cannot_be_shared_evenly(tmp_path, monkeypatch):
    monkeypatch.setattr("luss_core.group.world_size", lambda: 3)
    with pytest.raises(UserError, match=r"train\.batch_size = 8 images cannot be shared evenly by 3.*multiple of 3"):
        gloo.train("swav", tmp_path)
