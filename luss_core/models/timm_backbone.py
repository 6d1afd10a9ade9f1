"""A network of timm, CNN or ViT, as a backbone."""

import difflib
from typing import Any

import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from luss_core.config import TimmConfig
from luss_core.data.normalization import MEAN, STD
from luss_core.data.whole import nearest_multiple
from luss_core.errors import UserError
from luss_core.models.backbone import Backbone, Heads
from luss_core.models.frozen import reached
from luss_core.models.timm_heads import Watch, headless

STAGES = 4
TRIED = (3, 4)
"""Positions of the coarsest map of the image on which a new network is tried: not square, and not what it was made for.
"""
REASON = 200
"""Letters of the reason why a network cannot be used."""
FAILS = (AssertionError, AttributeError, IndexError, NotImplementedError, RuntimeError, TypeError, ValueError)
"""What networks of timm answer to what they cannot do."""


class TimmBackbone(Backbone):
    """The last four stages of a CNN, or the outputs of a ViT at the quarters of its depth, as maps.

    The last map is what timm's ``forward_features`` gives: of a ViT the patch tokens after the last normalisation,
    without class and register tokens; of a CNN that ends with a 1x1 convolution to other channels the map after it,
    which is a fifth. The other maps of a ViT are normalised likewise.

    Images whose sides are no multiples of the coarsest stride, the patch size of a ViT, are resized to the nearest
    ones: then every map covers the whole image and no more, and positions of two views match. Position embeddings are
    resampled by timm. What no map depends on, such as a head on pooled features, does not learn.

    Attributes:
        model: the plain network of timm, without classifier.
        continues: whether its last map is made after the last stage.
    """

    model: Any
    scale: Tensor  # (1, 3, 1, 1), with shift: from the normalisation of images here to that of the network
    shift: Tensor

    def __init__(self, cfg: TimmConfig):
        super().__init__()
        self.cfg = cfg
        self.model = create(cfg)
        mean, std = (torch.tensor(self.model.pretrained_cfg[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
        self.register_buffer("scale", torch.tensor(STD).view(1, 3, 1, 1) / std)
        self.register_buffer("shift", (torch.tensor(MEAN).view(1, 3, 1, 1) - mean) / std)
        reductions = [int(stage["reduction"]) for stage in self.model.feature_info]
        self.indices = chosen(reductions)
        self.multiple = max(reductions)
        self.widths, self.strides = self._try()
        self.multiple = self.strides[-1]
        self.headless = headless(self.model)

    @property
    def name(self) -> str:
        return self.cfg.name

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """(B, 3, H, W) images, normalised as everywhere here -> up to five maps, from fine to coarse."""
        return self._maps(images, norm=True)

    def passed_on(self, images: Tensor) -> tuple[Tensor, ...]:
        """The same, without the normalisation of the output but in the last."""
        return *self._maps(images, norm=False)[:-1], self._maps(images, norm=True)[-1]

    def with_heads(self, images: Tensor) -> tuple[tuple[Tensor, ...], Heads]:
        """The same as forward, and the heads of the last block of a ViT."""
        with Watch(self.model) as watch:
            maps = self(images)
        return maps, watch.heads(*maps[-1].shape[-2:])

    def _maps(self, images: Tensor, norm: bool) -> tuple[Tensor, ...]:
        x = self._fitted(images) * self.scale + self.shift
        if not self.continues:
            return tuple(self.model.forward_intermediates(x, self.indices, norm=norm, intermediates_only=True))
        last, maps = self.model.forward_intermediates(x, self.indices, norm=norm)
        return (*maps, last) if last.shape[1] != maps[-1].shape[1] else (*maps[:-1], last)

    def _fitted(self, images: Tensor) -> Tensor:
        if not self.resizes:
            return images
        height, width = (nearest_multiple(side, self.multiple) for side in images.shape[-2:])
        if (height, width) == images.shape[-2:]:
            return images
        return F.interpolate(images, (height, width), mode="bilinear", antialias=True)

    def _try(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Widths and strides, found on a small image, and whether the network goes on after its last stage.

        Parameters that no map depends on stop learning.

        Raises:
            UserError: the network gives no maps of such an image, or maps that do not cover it.
        """
        height, width = (positions * self.multiple for positions in TRIED)
        self.eval()
        try:
            with torch.enable_grad():
                image = torch.zeros(1, 3, height, width)
                last, maps = self.model.forward_intermediates(image, self.indices)
                # Others end with tokens, with channels last, or with several stages fused.
                self.continues = last.ndim == 4 and last.shape[-2:] == maps[-1].shape[-2:]
                maps = self(image)
        except FAILS as error:
            reason = " ".join(str(error).split())[:REASON]
            raise refused(self.cfg, f"gives no maps of an image of {height} x {width} pixels ({reason})") from error
        learning = set[int]().union(*map(reached, maps))
        for parameter in self.model.parameters():
            parameter.requires_grad_(id(parameter) in learning)
        self.train()
        strides = tuple(height // found.shape[-2] for found in maps)
        for stride, found in zip(strides, maps, strict=True):
            if (found.shape[-2] * stride, found.shape[-1] * stride) != (height, width):
                raise refused(self.cfg, "gives maps that do not cover the whole image")
        return tuple(found.shape[1] for found in maps), strides


def create(cfg: TimmConfig, **weights: Any) -> nn.Module:
    """The plain network of timm, without classifier, for images of any size.

    Args:
        weights: ``pretrained`` and what belongs to it; random weights without.

    Raises:
        UserError: unknown name, or a network that cannot be used as a backbone.
    """
    fixed = published(cfg.name).fixed_input_size
    options: dict[str, Any] = {"num_classes": 0, **weights}
    if cfg.output_stride is not None:
        options["output_stride"] = cfg.output_stride
    try:
        model = _dynamic(cfg.name, options) if fixed else timm.create_model(cfg.name, **options)
    except FAILS as error:
        if weights:
            raise
        reason = " ".join(str(error).split())[:REASON]
        stride = f" with output_stride {cfg.output_stride}, set it to null" if cfg.output_stride else ""
        raise refused(cfg, f"cannot be made{stride} ({reason})") from error
    if not hasattr(model, "forward_intermediates") or not hasattr(model, "feature_info"):
        raise refused(cfg, "gives no maps of its stages (it has no forward_intermediates)")
    return model


def _dynamic(name: str, options: dict[str, Any]) -> nn.Module:
    """A network that was made for one size of images, for any; networks with windows and ViTs say it differently."""
    kinds: tuple[dict[str, Any], ...] = ({"strict_img_size": False}, {"dynamic_img_size": True})
    for kind in kinds:
        try:
            return timm.create_model(name, **kind, **options)
        except TypeError:
            continue
    return timm.create_model(name, **options)


def chosen(reductions: list[int]) -> list[int]:
    """Which of the maps that a network offers are the stages: the last four, or, where all are as coarse, those at each
    quarter of the depth."""
    count = len(reductions)
    if len(set(reductions)) > 1 or count < STAGES:
        return list(range(max(0, count - STAGES), count))
    return [count * quarter // STAGES - 1 for quarter in range(1, STAGES + 1)]


def published(name: str) -> Any:
    """What timm knows of a network and of its weights, by its name with or without a tag.

    Raises:
        UserError: it has no such network; names the nearest.
    """
    plain, _, tag = name.partition(".")
    if not timm.is_model(plain):
        known = timm.list_models()
        near = difflib.get_close_matches(plain, known, n=3, cutoff=0.5)
        near = [found for found in known if found.startswith(plain)][:3] or near
        raise UserError(
            f"pretrain.backbone.name: timm {timm.__version__} has no network {name!r}; "
            + (f"did you mean {', '.join(near)}? " if near else "")
            + "All names: python -c 'import timm; print(*timm.list_models())'"
        )
    tags = timm.list_pretrained(f"{plain}.*")
    if tag and name not in tags:
        here = ", ".join(tags) or f"none, so name it {plain}"
        raise UserError(f"pretrain.backbone.name: timm {timm.__version__} has no {name!r}; of {plain} it has {here}")
    return timm.get_pretrained_cfg(name)


def refused(cfg: TimmConfig, reason: str) -> UserError:
    """Why a network of timm cannot be used."""
    return UserError(
        f"pretrain.backbone.name: {cfg.name} {reason}; take another network of timm {timm.__version__}, for instance"
        " vit_small_patch14_dinov2.lvd142m, resnet50 or tf_efficientnet_lite0"
    )
