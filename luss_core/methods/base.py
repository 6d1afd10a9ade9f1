"""What every method is: a module that maps a batch of views to a loss."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import torch.nn.functional as F
from torch import Tensor, nn

from luss_core.data.batch import Batch
from luss_core.data.ordered import TrainingImages
from luss_core.models.encoder import Encoder, Maps, pool
from luss_core.models.heads import Prototypes


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


class Clustered(NamedTuple):
    """To which of its clusters a method gives images."""

    cluster: Tensor
    """(B,) int64."""
    number: int
    """How many clusters there are."""


class Method(nn.Module):
    """Encoder plus heads, made of (its settings, the encoder, the number of training images), and of the number of
    ``categories`` if it needs labels.

    All state that must survive a restart is a parameter or buffer.
    """

    encoder: Encoder
    lr_scale: Mapping[str, float] = MappingProxyType({})
    """Learning rates of parameters in multiples of that of the run, by the beginning of their names."""

    def forward(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        """Views are (B, 3, H, W), large crops first; the loss is a mean over this process's B."""
        raise NotImplementedError

    def before_epoch(self, progress: Progress, images: TrainingImages) -> Iterable[nn.Parameter]:
        """Runs before the first step of every epoch, in evaluation mode and without gradients; not after a restart.

        Override it to look at the training images as they are. Several processes must end up with the same buffers:
        see `group.from_first`.

        Returns:
            Parameters that begin anew, of which the optimiser is to remember nothing.
        """
        raise NotImplementedError

    def order(self, epoch: int, random: np.random.Generator) -> np.ndarray | None:
        """Positions of the training images in the order of an epoch, at least as many as there are images; repeats are
        seen in other views. None takes each once, shuffled.

        Asked after `before_epoch`, and again after a restart within the epoch: a function of buffers and ``random``.
        """
        return None

    @property
    def works_between_epochs(self) -> bool:
        """Whether it overrides `before_epoch`: then no batch is prepared before the epoch begins."""
        return type(self).before_epoch is not Method.before_epoch

    @property
    def position_heads(self) -> nn.ModuleDict:
        """Heads on the last map whose vectors are compared position by position, (B, C, h, w) -> (B, D, h, w) each.

        They are kept beside the encoder, and pages show what they find alike.
        """
        return nn.ModuleDict()

    def before_step(self, progress: Progress) -> None:
        """Runs between backward and the optimiser step."""

    def after_step(self, progress: Progress) -> None:
        """Runs after the optimiser step."""

    def clusters_of(self, maps: Maps, index: Tensor) -> Clustered | None:
        """The clusters of (B,) training images, for `train.diagnostics`; None of a method without.

        As it is, for methods that have ``prototypes`` behind a ``projector``, or a buffer ``label`` with the cluster of
        each training image, one of ``cfg.clusters``. Override it where they are called otherwise.
        """
        prototypes, label = getattr(self, "prototypes", None), getattr(self, "label", None)
        if isinstance(prototypes, Prototypes):
            scores = prototypes(F.normalize(self.get_submodule("projector")(pool(maps)).float(), dim=1))
            return Clustered(scores.argmax(dim=1), prototypes.out_features)
        clusters = getattr(getattr(self, "cfg", None), "clusters", None)
        return None if label is None or clusters is None else Clustered(label[index], clusters)

    def warning(self, logs: dict[str, Any], progress: Progress) -> str | None:
        """What looks wrong in the logs of a step, with remedies; None if all is well."""
        return None
