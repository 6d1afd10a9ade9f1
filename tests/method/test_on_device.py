"""A step keeps a GPU busy and asks nothing of it that some cannot: waits and float64, seen on the processor."""

import numpy as np
import pytest
import torch

from luss_core.config import CropConfig, ExamineConfig, ViewsConfig
from luss_core.data.batch import Batch
from luss_core.data.loader import Views
from luss_core.methods import Method, Progress
from luss_core.models.encoder import Encoder
from luss_core.stages.examine import view_cosine
from tests.method.gloo import NAMES
from tests.method.on_device import Device, Watched
from tests.method.test_methods import CPU, FULL, Textures, batch_of, make

LATE = Progress(5, 15, 5)


def watched_step(name: str) -> Watched:
    """A step but for the optimiser, whose counters are on the host; the queue is full."""
    method, batch = make(name).train(), batch_of(8, name).to(CPU)
    for _ in range(2):
        step(method, batch)
    with Watched() as watched:
        step(method, batch)
    return watched


def step(method: Method, batch: Batch) -> None:
    method.zero_grad()
    method(batch.views(), batch, LATE).loss.backward()
    method.before_step(LATE)
    method.after_step(LATE)


@pytest.mark.parametrize("name", NAMES)
def test_a_step_does_not_wait_for_the_device(name):
    assert watched_step(name).waits == set()


@pytest.mark.parametrize("name", NAMES)
def test_a_step_has_no_float64_on_the_device(name):
    assert watched_step(name).doubles == set()


def test_the_watch_sees_waits_and_float64():
    with Watched() as watched:
        x = torch.zeros(3)
        x[x > 0], x.nonzero(), x.sum().item(), x.double()
    assert {wait.split()[1] for wait in watched.waits} == {"index", "nonzero", "_local_scalar_dense"}
    assert len(watched.doubles) == 1


class OnDevice(Views):
    """Views whose crops are on a device that has no float64."""

    def __getitem__(self, keys):
        batch = super().__getitem__(keys)
        batch.crops[:] = [crop.as_subclass(Device) for crop in batch.crops]
        return batch


def test_examine_has_no_float64_on_the_device():
    cfg = ViewsConfig(crops=(CropConfig(count=2, size=24, scale=(0.6, 1)),))
    with torch.inference_mode():
        found = [
            view_cosine(ExamineConfig(draws=1), Encoder(FULL).eval(), kind(Textures(), np.arange(8), cfg, 0), CPU)[1]
            for kind in (Views, OnDevice)
        ]
    assert found[0] == found[1] > 0
    with pytest.raises(AssertionError, match="float64 on the device: double"):
        torch.zeros(1).as_subclass(Device).double()
