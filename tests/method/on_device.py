"""What a GPU waits for or cannot do, seen on the processor: operators as PyTorch dispatches them."""

import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

PACKAGE = str(Path(__file__).parents[2] / "luss_core")
WAITING = {"nonzero", "_local_scalar_dense", "_unique2", "unique_dim", "masked_select", "bincount", "equal"}
"""The size or value of what they give is known on the host only when all before it is done."""


class Watched(TorchDispatchMode):
    """Collects where operators wait for the device, and where numbers are float64."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: set[str] = set()
        self.doubles: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if name in WAITING or (name.startswith(("index", "_index_put")) and any(map(_mask, tree_leaves(args[1])))):
            self.waits.add(f"{_line()} {name}")
        if any(isinstance(x, Tensor) and x.dtype == torch.float64 for x in tree_leaves(out)):
            self.doubles.add(f"{_line()} {name}")
        return out


def _mask(x: Any) -> bool:
    return isinstance(x, Tensor) and x.dtype in (torch.bool, torch.uint8)


def _line() -> str:
    """The line of the package that called the operator."""
    own = [frame for frame in traceback.extract_stack() if frame.filename.startswith(PACKAGE)]
    return f"{Path(own[-1].filename).relative_to(PACKAGE)}:{own[-1].lineno}" if own else "backward"


class Device(Tensor):
    """A tensor of the processor that behaves as one of a device without float64, until it is taken to the host."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        out = super().__torch_function__(func, types, args, kwargs)
        if func is Tensor.cpu:
            return out.as_subclass(Tensor)
        assert not any(_double(x) for x in _flat(out)), f"float64 on the device: {func.__name__}"
        return out


def _flat(out: Any) -> Iterable[Any]:
    return out if isinstance(out, list | tuple) else (out,)


def _double(x: Any) -> bool:
    return isinstance(x, Tensor) and x.dtype == torch.float64
