"""Devices, precision and random seeds."""

import contextlib
from contextlib import AbstractContextManager
from typing import Literal

import numpy as np
import torch

from luss_core.errors import UserError


def derive_seed(*parts: int) -> int:
    """A 63-bit seed that differs whenever any part differs, the same on every machine."""
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> np.uint64(1))


def make_device(name: str, threads: int) -> torch.device:
    """The device to compute on: ``auto`` takes the GPU if there is one; CPU work uses ``threads`` cores.

    Raises:
        UserError: a device was asked for that is not there.
    """
    torch.set_num_threads(max(1, threads))
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"--device {name}: cannot be used here ({error}); use auto or cpu") from error
    return device


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
        found = torch.cpu.get_capabilities()
        return any(found.get(key, False) for key in ("avx512_bf16", "amx_bf16", "bf16"))
    return False
