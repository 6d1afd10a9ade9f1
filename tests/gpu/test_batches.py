"""Batches for a GPU lie in pinned memory and arrive as they were."""

import pytest
import torch

from luss_core.data.batch import Batch
from luss_core.data.loader import make_loader
from tests.gpu.test_training import devices
from tests.method.test_methods import CPU, views


def tensors(batch: Batch) -> list[torch.Tensor]:
    return [*batch.crops, batch.small, *(part for plane in batch.planes.values() for part in plane)]


@devices
@pytest.mark.parametrize("workers", [0, 1])
def test_batches_are_pinned_for_a_gpu(device, workers):
    here, there = (next(iter(make_loader(views(), 8, 0, 1, workers, torch.device(d)))) for d in ("cpu", device))
    assert {part.is_pinned() for part in tensors(there)} == {device == "cuda"}
    moved = there.to(torch.device(device))
    assert all(part.device.type == device for part in tensors(moved))
    assert all(torch.equal(a, b) for a, b in zip(tensors(here), tensors(moved.to(CPU)), strict=True))


@devices
def test_colour_is_that_of_the_processor(device):
    batch = next(iter(make_loader(views(), 8, 0, 1, 0, torch.device(device))))
    for here, there in zip(batch.views(), batch.to(torch.device(device)).views(), strict=True):
        torch.testing.assert_close(there.cpu(), here, rtol=0, atol=2e-5)
