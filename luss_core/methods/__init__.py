"""The self-supervised methods by the name in their config, each loaded only when it is asked for.

Naming modules instead of importing them keeps the source of one method out of what another method depends on.
"""

from importlib import import_module

from luss_core.config import METHODS, MethodConfig
from luss_core.methods.base import Method, Output, Progress
from luss_core.models.encoder import Encoder

__all__ = ["Method", "Output", "Progress", "build_method"]


def build_method(cfg: MethodConfig, encoder: Encoder, images: int) -> Method:
    """The method that settings belong to, with random weights.

    Args:
        images: how many are trained on: `Batch.index` is below.
    """
    module, _, name = METHODS[cfg.name].implementation.partition(":")
    method: Method = getattr(import_module(module), name)(cfg, encoder, images)
    return method
