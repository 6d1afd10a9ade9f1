"""ResNet as a module that returns the maps of its four stages, made of torchvision's blocks."""

from typing import Any, NamedTuple, Self

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck

from luss_core.config import AnyBackbone, BackboneConfig
from luss_core.errors import UserError

ARCHITECTURES: dict[str, tuple[type[BasicBlock] | type[Bottleneck], tuple[int, int, int, int]]] = {
    "resnet18": (BasicBlock, (2, 2, 2, 2)),
    "resnet50": (Bottleneck, (3, 4, 6, 3)),
}


class Heads(NamedTuple):
    """The heads of the last attention of a ViT, at its patches alone; float32, without gradient."""

    attention: Tensor
    """(B, heads, h, w) share of its attention that the class token gives to each patch. Over all tokens a head sums to
    1, so over the patches to less."""
    keys: Tensor
    """(B, heads, d, h, w)."""


class Backbone(nn.Module):
    """What an encoder needs of a backbone, whatever its family.

    Attributes:
        widths: channels of the stage maps, from fine to coarse; at least one.
        strides: pixels of the image from one position to the next in each of them.
        multiple: of pixels, to which the sides of an image are best resized beforehand; others are resized within.
        resizes: false while the network is traced, where no code can ask for the size of an image.
        frozen: names of the modules that stay in evaluation mode, see ``freeze``.
        headless: why ``with_heads`` is not for it; empty where it is.
    """

    widths: tuple[int, ...]
    strides: tuple[int, ...]
    multiple: int = 1
    resizes: bool = True
    frozen: tuple[str, ...] = ()
    headless: str = "has no class token"

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """(B, 3, H, W) images, normalised by `luss_core.data.normalization` -> a map (B, width, h, w) of each stage."""
        raise NotImplementedError

    def passed_on(self, images: Tensor) -> tuple[Tensor, ...]:
        """The same, as each stage hands them to the next."""
        return self(images)

    def with_heads(self, images: Tensor) -> tuple[tuple[Tensor, ...], Heads]:
        """The same as forward, and the heads of the last attention."""
        raise NotImplementedError

    def require_heads(self) -> None:
        """Raises:
        UserError: it has none.
        """
        if self.headless:
            raise UserError(
                f"pretrain.method.cues: seed looks at what the class token of a ViT attends to, but {self.name}"
                f" {self.headless}; take other cues (saliency, norm, border, component), or another network, for"
                " instance vit_small_patch14_dinov2.lvd142m"
            )

    @property
    def name(self) -> str:
        """Of the architecture, for messages."""
        raise NotImplementedError

    def train(self, mode: bool = True) -> Self:
        """What is frozen keeps the statistics of its BatchNorm."""
        super().train(mode)
        for name in self.frozen:
            self.get_submodule(name).eval()
        return self


def make_backbone(cfg: AnyBackbone) -> Backbone:
    """The backbone of the settings: the one place that knows the families.

    Raises:
        UserError: timm has no such network, or none that gives maps.
    """
    if isinstance(cfg, BackboneConfig):
        return ResNet(cfg)
    from luss_core.models.timm_backbone import TimmBackbone  # timm takes a second to import

    return TimmBackbone(cfg)


class ResNet(Backbone):
    """ResNet, arXiv:1512.03385. Width 64, stem imagenet, strides 1, 2, 2, 2 give torchvision's network, names included.

    Attributes:
        widths: channels of the four stage maps.
        strides: of these.
    """

    def __init__(self, cfg: BackboneConfig):
        super().__init__()
        self.cfg, self.strides = cfg, cfg.pixels
        block, depths = ARCHITECTURES[cfg.arch]
        imagenet = cfg.stem == "imagenet"
        kernel = 7 if imagenet else 3
        self.conv1 = nn.Conv2d(3, cfg.width, kernel, 2, kernel // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(cfg.width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1) if imagenet else nn.Identity()
        planes = [cfg.width * 2**i for i in range(4)]
        self.widths = tuple(p * block.expansion for p in planes)
        inputs = (cfg.width, *self.widths[:3])
        before = (1, *cfg.dilations[:3])
        stages = [
            _stage(block, inputs[i], planes[i], depths[i], cfg.strides[i], (before[i], cfg.dilations[i]))
            for i in range(4)
        ]
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.apply(initialize)

    @property
    def name(self) -> str:
        return self.cfg.arch

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """(B, 3, H, W) normalised images -> the maps of stages 1 to 4."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        first = self.layer1(x)
        second = self.layer2(first)
        third = self.layer3(second)
        return first, second, third, self.layer4(third)


def _stage(block: Any, inputs: int, planes: int, depth: int, stride: int, dilations: tuple[int, int]) -> nn.Sequential:
    """Blocks whose first 3x3 convolution, the one with the stride, has the first dilation and the others the second.

    So a stride of 2 can become 1, with twice the dilation from there on, and the weights keep their meaning: every
    convolution looks at the same pixels. As arXiv:1706.05587 and torchvision's ``replace_stride_with_dilation``, which
    does not know the basic block; hence the dilation is set after construction.
    """
    outputs = planes * block.expansion
    shortcut = None
    if stride != 1 or inputs != outputs:
        shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
    stage = nn.Sequential(block(inputs, planes, stride, shortcut), *(block(outputs, planes) for _ in range(depth - 1)))
    spatial = [conv for conv in stage.modules() if isinstance(conv, nn.Conv2d) and conv.kernel_size == (3, 3)]
    for i, conv in enumerate(spatial):
        conv.dilation = conv.padding = (dilations[i > 0],) * 2
    return stage


def initialize(module: nn.Module) -> None:
    """He initialisation, arXiv:1502.01852, as torchvision's ResNet."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
