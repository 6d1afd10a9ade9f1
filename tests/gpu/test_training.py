"""A GPU trains as a processor does, in float32 and bfloat16, and is never waited for within a step."""

import json
from pathlib import Path

import pytest
import torch

from luss_core.config import TrainConfig
from luss_core.methods import Progress
from luss_core.train.loop import train_step
from luss_core.train.optim import make_optimizer
from tests.method.gloo import CFG, NAMES, state, train
from tests.method.test_group import differing
from tests.method.test_methods import TRAIN, batch_of, make

STEPS = 10
LATE = Progress(5, 15, 5)
FIRST, ALL = 1e-4, 2e-3
"""Relative differences of the first loss, and of all ten. On a processor they are 1e-5 and 5e-4 between weights as they
are and with 2e-6 of each added or taken away, which is more than another order of sums does."""
ROUNDED = 0.05
"""The same for bfloat16, which has three digits; 0.02 on a processor."""
BARS = 0.2, 1e-2
"""Of the way that a weight went, and of what is in the queue."""

devices = pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
cases = pytest.mark.parametrize(
    ("name", "device"), [("shape", "cpu"), *(pytest.param(name, "cuda", marks=pytest.mark.gpu) for name in NAMES)]
)
"""Every method on a GPU, and one on the processor, so that the tests themselves are tested without one."""


def losses(folder: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]


def trained(
    name: str, folder: Path, device: str, cfg: TrainConfig = CFG
) -> tuple[list[float], dict[str, torch.Tensor]]:
    """Losses and state after ten steps by the loop itself, with batches from a process of their own."""
    method = train(name, folder, stop=STEPS, device=torch.device(device), cfg=cfg, workers=1)
    return losses(folder), state(method)


@cases
def test_ten_steps_are_those_of_the_processor(name, device, tmp_path):
    wanted, there = trained(name, tmp_path / "cpu", "cpu")
    found, here = trained(name, tmp_path / "device", device)
    assert found[0] == pytest.approx(wanted[0], rel=FIRST)
    assert found == pytest.approx(wanted, rel=ALL)
    assert differing(there, here, name, *BARS) == {}


@cases
def test_bfloat16_is_float32_but_for_rounding(name, device, tmp_path):
    rounded = CFG.model_copy(update={"precision": "bfloat16"})
    wanted, _ = trained(name, tmp_path / "float32", device)
    found, weights = trained(name, tmp_path / "bfloat16", device, rounded)
    assert found == pytest.approx(wanted, rel=ROUNDED)
    assert found != wanted
    assert {value.dtype for value in weights.values()} <= {torch.float32, torch.int64}


@cases
def test_the_host_never_waits_within_a_step(name, device):
    method = make(name).to(device).to(memory_format=torch.channels_last).train()
    cfg = TRAIN.model_copy(update={"precision": "auto"})
    optimizer, batch = make_optimizer(method, cfg, method.lr_scale), batch_of(8, name)
    batch = batch.pin_memory() if device == "cuda" else batch
    for _ in range(3):  # the queue fills, and libraries choose their kernels
        train_step(method, optimizer, batch.to(torch.device(device)), cfg, LATE)
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.set_sync_debug_mode("error")
    try:
        train_step(method, optimizer, batch.to(torch.device(device)), cfg, LATE)
    finally:
        if device == "cuda":
            torch.cuda.set_sync_debug_mode("default")


@devices
def test_the_log_says_how_much_of_a_gpu_was_held(device, tmp_path):
    trained("swav", tmp_path, device)
    record = json.loads((tmp_path / "log.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    assert ("gpu_mb" in record) == (device == "cuda")
