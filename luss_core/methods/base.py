"""What every method is: a module that maps a batch of views to a loss."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from torch import Tensor, nn

from luss_core.data.batch import Batch


@dataclass(frozen=True)
class Progress:
    """Where training stands; the only clock a method may read."""

    step: int
    total: int
    per_epoch: int

    @property
    def epoch(self) -> int:
        return self.step // self.per_epoch


@dataclass(frozen=True)
class Output:
    """Loss to minimise and scalars to log."""

    loss: Tensor
    logs: dict[str, Tensor] = field(default_factory=dict)


class Method(nn.Module):
    """Encoder plus heads. All state that must survive a restart is a parameter or buffer."""

    encoder: nn.Module
    lr_scale: Mapping[str, float] = MappingProxyType({})
    """Learning rates of parameters in multiples of that of the run, by the beginning of their names."""

    def forward(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        """Views are (B, 3, H, W), large crops first; the loss is a mean over this process's B."""
        raise NotImplementedError

    def before_step(self, progress: Progress) -> None:
        """Runs between backward and the optimiser step."""

    def after_step(self, progress: Progress) -> None:
        """Runs after the optimiser step."""

    def warning(self, logs: dict[str, Any], progress: Progress) -> str | None:
        """What looks wrong in the logs of a step, with remedies; None if all is well."""
        return None
