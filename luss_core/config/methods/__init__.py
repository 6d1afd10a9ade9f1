"""Methods of representation learning: what each can be told, and the registry. Imports no torch.

A family is a file here; a method is its settings and one entry in ``METHODS`` of its family.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import Discriminator, Tag

from luss_core.config.methods import clusters, foreground, instance, known, objects, swav, video
from luss_core.config.methods.base import MethodConfig, Need, Registered
from luss_core.config.methods.clusters import DeepClusterConfig, ODCConfig, PCLConfig
from luss_core.config.methods.foreground import ForegroundConfig
from luss_core.config.methods.instance import BYOLConfig, MoCoConfig, NPIDConfig, PixProConfig, SimCLRConfig
from luss_core.config.methods.known import RotationConfig, SupervisedConfig
from luss_core.config.methods.objects import MaskContrastConfig
from luss_core.config.methods.swav import ShapeConfig, SwAVConfig
from luss_core.config.methods.video import CACLConfig

__all__ = [
    "METHODS",
    "AnyMethod",
    "BYOLConfig",
    "CACLConfig",
    "DeepClusterConfig",
    "ForegroundConfig",
    "MaskContrastConfig",
    "MethodConfig",
    "MoCoConfig",
    "NPIDConfig",
    "Need",
    "ODCConfig",
    "PCLConfig",
    "PixProConfig",
    "Registered",
    "RotationConfig",
    "ShapeConfig",
    "SimCLRConfig",
    "SupervisedConfig",
    "SwAVConfig",
    "with_settings_of_method",
]

METHODS: dict[str, Registered] = {
    **swav.METHODS,
    **instance.METHODS,
    **clusters.METHODS,
    **objects.METHODS,
    **foreground.METHODS,
    **video.METHODS,
    **known.METHODS,
}
"""By name. Tests, stored losses, presets, config.yaml and `model-info` follow from it."""


def with_settings_of_method(pretrain: Any, methods: Mapping[str, Any]) -> Any:
    """The section pretrain with what ``methods`` says of its method below what it says itself."""
    own = (pretrain.get("method") or {}) if isinstance(pretrain, Mapping) else None
    if not isinstance(own, Mapping):  # refused later, with its place
        return pretrain
    return {**pretrain, "method": {**(methods.get(_name(own)) or {}), **own}}


def _name(method: Any) -> str:
    """The name that a method goes by; the default where it is left out."""
    return str(method.get("name", "shape") if isinstance(method, dict) else getattr(method, "name", method))


if TYPE_CHECKING:
    AnyMethod = MethodConfig
else:
    AnyMethod = Annotated[
        Union[tuple(Annotated[entry.config, Tag(name)] for name, entry in METHODS.items())],  # noqa: UP007 - made here
        Discriminator(_name),
    ]
