"""How names of backbones are spelled, and renaming into torchvision's and timm's."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor

Tensors = dict[str, Tensor]


def _as_they_are(tensors: Mapping[str, Tensor]) -> Tensors:
    return dict(tensors)


CHILDREN = {"0": "conv1", "1": "bn1", **{str(3 + stage): f"layer{stage}" for stage in (1, 2, 3, 4)}}
"""Children of torchvision's ResNet by number: 2 and 3 are ReLU and pooling."""


def of_a_sequence(tensors: Mapping[str, Tensor]) -> Tensors:
    """``Sequential(*resnet.children())`` -> the names of torchvision; what follows layer4 keeps its number."""
    found = {}
    for name, tensor in tensors.items():
        first, dot, rest = name.partition(".")
        found[CHILDREN.get(first, first) + dot + rest] = tensor
    return found


FIRST_STAGE = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
"""A block that does not expand: depthwise, then pointwise."""
LATER_STAGES = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
AROUND = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
"""What is not in a block."""
LITE_BLOCK = re.compile(r"_blocks\.(\d+)\.(\w+)(.*)")


def of_efficientnet_lite(tensors: Mapping[str, Tensor]) -> Tensors:
    """efficientnet-lite-pytorch -> timm's ``tf_efficientnet_lite0`` to ``4``: the same network, padding included."""
    places, found = _places(tensors), {}
    for name, tensor in tensors.items():
        block = LITE_BLOCK.fullmatch(name)
        if block is None:
            first, dot, rest = name.partition(".")
            found[AROUND.get(first, first) + dot + rest] = tensor
        elif int(block[1]) in places:
            stage, place = places[int(block[1])]
            layer = (FIRST_STAGE if stage == 0 else LATER_STAGES).get(block[2], block[2])
            found[f"blocks.{stage}.{place}.{layer}{block[3]}"] = tensor
        else:
            found[name] = tensor
    return found


def _places(tensors: Mapping[str, Tensor]) -> dict[int, tuple[int, int]]:
    """Stage of a block and its place there, by its number; a stage begins where the channels that come out change."""
    places: dict[int, tuple[int, int]] = {}
    stage, place, before = -1, 0, None
    while (last := tensors.get(f"_blocks.{len(places)}._project_conv.weight")) is not None:
        stage, place = (stage, place + 1) if len(last) == before else (stage + 1, 0)
        before = len(last)
        places[len(places)] = stage, place
    return places


@dataclass(frozen=True)
class Spelling:
    """One way to name the layers of a backbone."""

    name: str
    pattern: re.Pattern[str]
    """A name that only this spelling has, whatever stands before it."""
    rename: Callable[[Mapping[str, Tensor]], Tensors] = _as_they_are
    """Into the names of torchvision or timm."""

    def prefixes(self, names: Iterable[str]) -> Counter[str]:
        """What stands before backbones in this spelling, "" for nothing, and before how many layers."""
        found = (self.pattern.search(name) for name in names)
        return Counter(match.string[: match.start()] for match in found if match)


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(r"(?:^|(?<=\.))" + text)


RESNET = Spelling("ResNet", _pattern(r"layer[1-4]\.\d+\.(conv1|bn1)\.weight$"))
SEQUENCE = Spelling("sequence", _pattern(r"[4-7]\.\d+\.(conv1|bn1)\.weight$"), of_a_sequence)
VIT = Spelling("ViT", _pattern(r"blocks\.\d+\.(norm1|attn\.qkv)\.weight$"))
LITE = Spelling(
    "EfficientNet-Lite", _pattern(r"_blocks\.\d+\._(depthwise|project)_conv\.weight$"), of_efficientnet_lite
)
SAME = Spelling("same", re.compile("(?!)"))
"""The names of the network that is to be filled."""
SPELLINGS = (RESNET, SEQUENCE, VIT, LITE)
