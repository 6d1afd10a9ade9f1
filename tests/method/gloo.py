"""Two processes that train together: started once, they do everything that the tests of this folder compare."""

import json
import os
import shutil
import socket
import warnings
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from lightly.loss import NTXentLoss
from torch import multiprocessing

from luss_core import group
from luss_core.config import METHODS, TrainConfig
from luss_core.losses.clustering import sinkhorn, soft_cross_entropy
from luss_core.losses.contrast import nt_xent
from luss_core.methods import Method
from luss_core.models.batchnorm import synchronized
from luss_core.train.diagnostics import WORDS, Diagnostics
from luss_core.train.folder import TrainingFolder
from luss_core.train.loop import Resources, fit
from tests.method.test_methods import CAMS, CPU, TRAIN, make, views, views_of

NAMES = (*METHODS, "segmenter", "attended", *CAMS)
STEPS, STOP = 6, 3
"""The queue of two batches is full after two steps, and so takes part in the last four."""
CFG = TRAIN.model_copy(update={"optimizer": "sgd", "lr": 3e-6})
"""Small steps of plain SGD: through normalisation over a few samples rounding grows a hundredfold with every step that
moves the weights (1e-5 is too much for six), and AdamW makes whole steps of it where gradients are near zero."""
PARTS = (slice(0, 5), slice(5, 12))
"""Unequal parts of twelve samples: as pixels of views that overlap are."""


def train(
    name: str,
    folder: Path,
    *,
    stop: int = STEPS,
    device: torch.device = CPU,
    cfg: TrainConfig = CFG,
    workers: int = 0,
    diagnose: bool = False,
) -> Method:
    """A method after some steps, whose queue is used from the first epoch on; the first process looks at it."""
    method = make(name)
    if hasattr(method.cfg, "queue_start_epoch"):
        method.cfg = method.cfg.model_copy(update={"queue_start_epoch": 0})
    resources = Resources(device, workers, checkpoint_minutes=0)
    seen = views(cfg=views_of(name))
    diagnostics = Diagnostics(seen, 1, device, cfg.precision) if diagnose and group.rank() == 0 else None
    fit(method, seen, cfg, TrainingFolder(folder, {"name": name}), resources, stop, diagnostics)
    return method


def found_in(log: Path) -> list[list[float]]:
    """What was found in the features, each time."""
    lines = [json.loads(line) for line in log.open()]
    return [[line[name] for name in WORDS if name in line] for line in lines if "deviation" in line]


def state(method: Method) -> dict[str, torch.Tensor]:
    return {name: value.cpu() for name, value in method.state_dict().items()}


def start(folder: Path, kind: str = "cpu") -> dict[str, Any]:
    """What the first of two processes found, on processors or on a GPU each."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    multiprocessing.spawn(_work, (folder, port, kind), nprocs=2)
    return torch.load(folder / "found.pt", weights_only=True)


def samples() -> dict[str, torch.Tensor]:
    """Scores, targets and a map to normalise: twelve of each, float64."""
    draw = torch.Generator().manual_seed(3)
    scores, logits = (torch.randn(12, 7, generator=draw, dtype=torch.float64) for _ in range(2))
    return {"scores": scores, "logits": logits, "x": torch.randn(12, 3, 4, 4, generator=draw)}


def _work(rank: int, folder: Path, port: int, kind: str) -> None:
    os.environ.update(RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.set_num_threads(1)
    warnings.simplefilter("error", FutureWarning)
    device = torch.device(kind, rank) if kind == "cuda" else CPU
    if kind == "cuda":
        torch.cuda.set_device(device)
    with group.process_group(device):
        found: dict[str, Any] = {"parts": _parts(rank, device), "shares": [group.own_slice(n).stop for n in (1, 5, 8)]}
        for name in NAMES:
            found[name] = state(train(name, folder / name, device=device))
        found["looked at"] = state(train("shape", folder / "looked", device=device, diagnose=True))
        train("shape", folder / "grown", stop=STOP, device=device)
        torch.distributed.barrier()
        if rank == 0:
            shutil.copytree(folder / "grown", folder / "stopped")
            found["folder"] = str(folder / "stopped")
            found["features"] = found_in(folder / "looked" / "log.jsonl")
        torch.distributed.barrier()
        found["grown"] = state(train("shape", folder / "grown", device=device))
        if rank == 0:
            torch.save(found, folder / "found.pt")
        torch.distributed.barrier()


def _parts(rank: int, device: torch.device) -> dict[str, torch.Tensor]:
    """The pieces on their own, each process with its part of the samples."""
    own, all_of_them = PARTS[rank], {name: x.to(device) for name, x in samples().items()}
    codes = sinkhorn(all_of_them["scores"][own], 0.05, 3)
    logits = all_of_them["logits"][own].requires_grad_()
    soft_cross_entropy(logits, codes).backward()
    assert logits.grad is not None
    x = all_of_them["x"][own].requires_grad_()
    norm = synchronized(torch.nn.BatchNorm2d(3), device).to(device).train()
    norm(x).pow(3).sum().backward()
    row = torch.full((1, 2), float(rank + 1), device=device, requires_grad=True)
    (group.gather(row) * torch.tensor([[1.0], [10.0]], device=device)).sum().backward()
    empty = soft_cross_entropy(logits[:0] if rank else logits, codes[:0] if rank else codes)
    contrast = {name: _contrast(rank, device, name) for name in ("ours", "theirs")}
    assert x.grad is not None
    assert row.grad is not None
    assert norm.weight.grad is not None
    found = {
        "codes": _together(codes, 7),
        "gradient": _together(logits.grad, 7),
        "x": _together(x.grad.flatten(1), 48),
        "weight": group.total(norm.weight.grad),
        "variance": norm.running_var,
        "row": row.grad,
        "empty": group.total(empty.detach()) / 2,
    }
    found |= {f"contrast_{name}": value for name, value in contrast.items()}
    return {name: value.cpu() for name, value in found.items()}


def pairs() -> torch.Tensor:
    """(2, 6, 5): two views of six images."""
    return torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(4))


def _contrast(rank: int, device: torch.device, whose: str) -> torch.Tensor:
    """(2, 6, 5 + 1): gradients of the loss of SimCLR into the pairs of both processes, and the loss."""
    own = pairs()[:, 3 * rank : 3 * rank + 3].to(device).requires_grad_()
    if whose == "ours":
        loss = nt_xent(*F.normalize(own, dim=2), 0.2).mean()
    else:
        loss = NTXentLoss(temperature=0.2, gather_distributed=True)(own[0], own[1])
    loss.backward()
    assert own.grad is not None
    found = torch.cat([own.grad, loss.detach().expand(2, 3, 1)], dim=2)
    return group.gather(found.transpose(0, 1).contiguous()).transpose(0, 1)


def _together(rows: torch.Tensor, width: int) -> torch.Tensor:
    """(12, width): the rows of both processes in order; `gather` wants equal numbers."""
    padded = rows.new_zeros(8, width)
    padded[: len(rows)] = rows
    both = group.gather(padded)
    return torch.cat([both[:5], both[8 : 8 + 7]])
