"""What network a state dict is of, in words, and the settings that would take it."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from luss_core.config import BackboneConfig
from luss_core.models.backbone import ARCHITECTURES

Shapes = Mapping[str, tuple[int, ...]]

DEPTHS: dict[tuple[str, tuple[int, ...]], str] = {
    ("basic", (2, 2, 2, 2)): "resnet18",
    ("basic", (3, 4, 6, 3)): "resnet34",
    ("bottleneck", (3, 4, 6, 3)): "resnet50",
    ("bottleneck", (3, 4, 23, 3)): "resnet101",
    ("bottleneck", (3, 8, 36, 3)): "resnet152",
}
"""Kind of block and blocks of a stage -> name in torchvision."""


WIDE = {"resnet50": "wide_resnet50_2", "resnet101": "wide_resnet101_2"}
"""What they are called with bottlenecks of twice the width."""


class ResNetShape(NamedTuple):
    """What tells ResNets apart."""

    arch: str
    """Name in torchvision, or the blocks of the stages."""
    width: int
    stem: int
    """Side of the first convolution in pixels."""
    wide: bool
    """Bottlenecks wider than published."""

    def __str__(self) -> str:
        kind = "wide " if self.wide else ""
        return f"a {kind}{self.arch} of width {self.width} with a stem of {self.stem}x{self.stem} pixels"


def resnet_shape(shapes: Shapes) -> ResNetShape | None:
    """Of a state dict in torchvision's names; None if it is of no whole ResNet."""
    stem, middle = shapes.get("conv1.weight"), shapes.get("layer1.0.conv2.weight")
    blocks = {(m[1], m[2]) for name in shapes if (m := re.match(r"layer([1-4])\.(\d+)\.conv1\.weight", name))}
    counts = Counter(stage for stage, _ in blocks)
    if stem is None or middle is None or len(stem) != 4 or len(counts) != 4:
        return None
    kind = "bottleneck" if "layer1.0.conv3.weight" in shapes else "basic"
    depths = tuple(counts[stage] for stage in "1234")
    arch = DEPTHS.get((kind, depths), f"ResNet of {'-'.join(map(str, depths))} {kind} blocks")
    if middle[0] != middle[1]:
        arch = f"ResNeXt of {'-'.join(map(str, depths))} blocks"
    return ResNetShape(arch, stem[0], stem[-1], middle[0] != stem[0])


def describe(shapes: Shapes) -> str:
    """A ResNet or a ViT with its sizes; "" for any other network."""
    resnet = resnet_shape(shapes)
    if resnet is not None:
        return str(resnet)
    patches = shapes.get("patch_embed.proj.weight")
    blocks = {m[1] for name in shapes if (m := re.match(r"blocks\.(\d+)\.norm1\.weight", name))}
    if patches is None or len(patches) != 4 or not blocks:
        return ""
    return f"a ViT of width {patches[0]} with {len(blocks)} blocks and patches of {patches[-1]} pixels"


def advice(cfg: BackboneConfig, shapes: Shapes) -> str:
    """What to set so that this project's ResNet takes the weights; "" where the shape is the same."""
    found = resnet_shape(shapes)
    if found is None:
        what = describe(shapes)
        return f"it is {what}, no ResNet: set pretrain.backbone: {{family: timm, name: its model}}" if what else ""
    if found.stem != 7:
        return (
            f"it is {found}, made for images of some 32 pixels (CIFAR): there is no such network here; give weights"
            " that were trained on photographs"
        )
    if not found.wide and found.arch.startswith("ResNet of"):
        return f"it is {found}, as no published network: the file may hold a part of one"
    if found.wide or found.arch not in ARCHITECTURES:
        name = WIDE.get(found.arch) if found.wide else found.arch if found.arch in DEPTHS.values() else None
        return f"it is {found}, which only timm has: set pretrain.backbone: {{family: timm, name: {name or '...'}}}"
    wanted = {"arch": found.arch, "width": found.width, "stem": "imagenet"}
    wrong = [f"pretrain.backbone.{key}: {value}" for key, value in wanted.items() if getattr(cfg, key) != value]
    mine = f"a {cfg.arch} of width {cfg.width} with the stem {cfg.stem}"
    return f"it is {found}, and the settings have {mine}: set {', '.join(wrong)}" if wrong else ""
