"""The self-supervised methods by the name in their config, each loaded only when it is asked for.

Naming modules instead of importing them keeps the source of one method out of what another method depends on.
"""

from importlib import import_module

from luss_core.config import METHODS, MethodConfig
from luss_core.methods.base import Method, Output, Progress
from luss_core.models.encoder import Encoder

__all__ = ["Method", "Output", "Progress", "build_method"]


def build_method(cfg: MethodConfig, encoder: Encoder, images: int, categories: int = 0) -> Method:
    """The method that settings belong to, with random weights.

    Args:
        images: how many are trained on: `Batch.index` is below.
        categories: of these images, for methods that need labels: `Batch.label` is below.
    """
    module, _, name = METHODS[cfg.name].implementation.partition(":")
    labels = {"categories": categories} if "labels" in cfg.needs else {}
    method: Method = getattr(import_module(module), name)(cfg, encoder, images, **labels)
    return method
