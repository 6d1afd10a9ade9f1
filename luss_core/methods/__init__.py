"""The self-supervised methods by the name in their config, each loaded only when it is asked for.

Naming modules instead of importing them keeps the source of one method out of what another method depends on.
"""

from importlib import import_module

from luss_core.config import MethodConfig
from luss_core.methods.base import Method, Output, Progress
from luss_core.models.encoder import Encoder

__all__ = ["METHODS", "Method", "Output", "Progress", "build_method"]

METHODS = {
    "swav": "luss_core.methods.swav:SwAV",
    "shape": "luss_core.methods.shape:Shape",
}


def build_method(cfg: MethodConfig, encoder: Encoder) -> Method:
    module, _, name = METHODS[cfg.name].partition(":")
    method: Method = getattr(import_module(module), name)(cfg, encoder)
    return method
