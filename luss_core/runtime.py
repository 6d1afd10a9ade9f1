"""Devices, precision and random seeds.

The same settings give the same bits on one kind of processor. On a GPU they give the same views and batches, but not
the same bits: gradients of sampling and indexing are sums whose order differs from call to call, and deterministic
kernels, which not every operation has, are not asked for. TF32 is switched off: float32 means float32, and `auto`
computes in bfloat16 where a GPU has TF32.
"""

import contextlib
import ctypes
import os
import sys
from contextlib import AbstractContextManager
from typing import Literal

import numpy as np
import torch

from luss_core.errors import UserError


def derive_seed(*parts: int) -> int:
    """A 63-bit seed that differs whenever any part differs, the same on every machine."""
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> np.uint64(1))


def make_device(name: str, threads: int, number: int = 0, processes: int = 1) -> torch.device:
    """The device to compute on: ``auto`` takes the GPU if there is one; CPU work uses ``threads`` cores.

    Args:
        number: of this process among the ``processes`` of this machine, each of which takes a GPU of its own.

    Raises:
        UserError: a device was asked for that is not there, or there are fewer GPUs than processes. Apple GPUs are for
            one process: nothing carries gradients between them.
    """
    torch.set_num_threads(max(1, threads))
    _keep_freed_memory()
    if name == "auto":
        name = _best()
    if name == "mps" and processes > 1:
        raise UserError(f"{processes} processes cannot share an Apple GPU; start one, or use --device cpu")
    if name == "cuda" and processes > 1:
        if torch.cuda.device_count() < processes:
            raise UserError(
                f"{processes} processes need a GPU each, but there are {torch.cuda.device_count()}; start fewer, or use"
                " --device cpu"
            )
        name = f"cuda:{number}"
        torch.cuda.set_device(number)
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"--device {name}: cannot be used here ({error}); use auto or cpu") from error
    torch.backends.cudnn.allow_tf32 = False  # On by default for convolutions, and for nothing else.
    return device


def try_kernels(device: torch.device) -> None:
    """Let cuDNN try its kernels on each size that it meets, and keep the fastest.

    For training, whose views have few sizes. Images that are segmented have hundreds, each of which would be tried.
    """
    torch.backends.cudnn.benchmark = device.type == "cuda"


def _best() -> str:
    """The GPU if there is one.

    Raises:
        UserError: a cluster gave this job a GPU that torch cannot use; a hundred times slower is no answer.
    """
    if torch.cuda.is_available():
        return "cuda"
    given = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    if given not in ("", "-1", "NoDevFiles"):
        raise UserError(
            f"this job was given a GPU (CUDA_VISIBLE_DEVICES = {given}), which torch {torch.__version__} cannot use;"
            " install torch for the CUDA of its driver, or set device: cpu"
        )
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _keep_freed_memory() -> None:
    """Let glibc reuse the memory of large tensors instead of returning it: page faults are 10 % of a training step."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        # M_MMAP_THRESHOLD, of which old versions refuse more than the first, and M_TRIM_THRESHOLD
        for option, value in ((-3, 32 << 20), (-3, 1 << 30), (-1, 1 << 30)):
            mallopt(option, value)


def autocast(precision: Literal["auto", "float32", "bfloat16"], device: torch.device) -> AbstractContextManager[object]:
    """Mixed precision for the forward pass; a no-op for float32."""
    if precision == "float32" or (precision == "auto" and not has_bfloat16(device)):
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies in bfloat16. A processor without it emulates, about 15 times slower."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        # torch 2.6 cannot say it, and computes in float32.
        found: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
        return any(found.get(key, False) for key in ("avx512_bf16", "amx_bf16", "bf16"))
    return False
