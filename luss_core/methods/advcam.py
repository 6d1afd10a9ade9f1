"""AdvCAM, Lee et al. 2021, arXiv:2103.08896: activation maps of an image that climbs the score of its category.

The maps of a 1x1 convolution that is pooled on average are those of Grad-CAM at the layer below it: the gradient of the
score is the same at every position, the weights of the category. So no gradient is taken for the maps themselves.

Departures from the published code: the category is the one that the network finds (images have no label); the maps of
all categories are averaged, and become masks as those of one pass do, which for SEAM is behind its refinement; the
mirrored image climbs on its own; scales count the same; the maps after the last step count too, as in the paper.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from luss_core.config.advcam import AdvCAMConfig
from luss_core.data.whole import nearest_multiple
from luss_core.methods.segmenter import Segmented, Segmenter
from luss_core.models.heads import global_average

TINY = 1e-12


class AdvCAM(nn.Module):
    """A segmenter whose maps are those of climbing images. Changes no weight; computes in float32."""

    def __init__(self, network: Segmenter, cfg: AdvCAMConfig):
        super().__init__()
        self.network, self.cfg = network.requires_grad_(False), cfg
        self.encoder = network.encoder

    def segment(self, images: Tensor) -> Segmented:
        """(B, 3, H, W) -> what masks are made of, as `Segmenter.segment`; each image is climbed on its own.

        Memory is that of one step, however many there are. Works inside `torch.inference_mode`.
        """
        with torch.inference_mode(False), torch.autocast(images.device.type, enabled=False):
            images, category, total = images.detach().clone().float(), None, None
            for scale in self.cfg.scales:
                views, steps = self._views(images, scale), self.cfg.steps if scale >= 1 else self.cfg.steps // 2
                if category is None:
                    category = self._category(views[: len(images)]).repeat(len(views) // len(images))
                maps = self._unflipped(climb(self._maps, views, category, steps, self.cfg))
                if total is None:
                    total = maps
                else:
                    total += F.interpolate(maps, total.shape[-2:], mode="bilinear", align_corners=False)
            assert total is not None
            with torch.no_grad():
                return self.network.segment(images, total / len(self.cfg.scales))

    def _maps(self, images: Tensor) -> Tensor:
        return self.network.activated(self.network.encoded(images)).maps.float()

    def _views(self, images: Tensor, scale: float) -> Tensor:
        """The images at a scale, and behind them mirrored."""
        multiple = self.encoder.backbone.multiple
        height, width = (nearest_multiple(round(side * scale), multiple) for side in images.shape[-2:])
        if (height, width) != images.shape[-2:]:
            images = F.interpolate(images, (height, width), mode="bilinear", align_corners=False, antialias=scale < 1)
        return torch.cat([images, images.flip(-1)]) if self.cfg.flip else images

    def _unflipped(self, maps: Tensor) -> Tensor:
        """Mean of the maps of both."""
        if not self.cfg.flip:
            return maps
        plain, mirrored = maps.chunk(2)
        return (plain + mirrored.flip(-1)) / 2

    def _category(self, images: Tensor) -> Tensor:
        """(B,) that of the greatest score."""
        with torch.no_grad():
            return global_average(self._maps(images)).argmax(dim=1)


def with_advcam(network: Segmenter, cfg: AdvCAMConfig | None) -> Segmenter | AdvCAM:
    """The segmenter, climbing if there are settings for that."""
    return network if cfg is None else AdvCAM(network, cfg)


def climb(
    maps_of: Callable[[Tensor], Tensor], images: Tensor, category: Tensor, steps: int, cfg: AdvCAMConfig
) -> Tensor:
    """(B, C, h, w) mean of the maps of the images and of all that they become in ``steps`` steps.

    Args:
        maps_of: (B, 3, H, W) -> (B, C, h, w), differentiable.
        images: normalised. Their values stay in the range that each has at first.
        category: (B,) which score each climbs.
    """
    x, lowest, highest = images.detach(), images.amin((1, 2, 3), keepdim=True), images.amax((1, 2, 3), keepdim=True)
    total = first = None
    for _ in range(steps):
        with torch.enable_grad():
            x.requires_grad_(True)
            maps = maps_of(x)
            first = maps.detach().clone() if first is None else first
            (gradient,) = torch.autograd.grad(objective(maps, first, category, cfg).sum(), x)
        total = maps.detach().clone() if total is None else total + maps.detach()
        gradient = gradient / (gradient.abs().amax((1, 2, 3), keepdim=True) + TINY)
        x = (x.detach() + cfg.step * gradient).clamp(lowest, highest)
    with torch.no_grad():
        last = maps_of(x.detach())
    return last if total is None else (total + last) / (steps + 1)


def objective(maps: Tensor, first: Tensor, category: Tensor, cfg: AdvCAMConfig) -> Tensor:
    """(B,) what each image climbs: y_c - sum_{k != c} y_k - weight * sum |A_c - A_c0| [A_c / max A_c > keep].

    A: the positive part of a map; y: its mean, as in the published code; the last sum is over positions, where the map
    of now is high.

    Args:
        maps, first: (B, C, h, w) of now, and of the image that it began with.
        category: (B,) c.
    """
    scores = maps.relu().mean(dim=(2, 3))
    own = scores.gather(1, category[:, None])[:, 0]
    now, before = _of(maps, category), _of(first, category)
    high = now.detach() > cfg.keep * now.detach().amax((1, 2), keepdim=True)
    change = ((now - before).abs() * high).sum(dim=(1, 2))
    return 2 * own - scores.sum(dim=1) - cfg.weight * change


def _of(maps: Tensor, category: Tensor) -> Tensor:
    """(B, h, w) the positive part of the map of a category."""
    return maps[torch.arange(len(maps), device=maps.device), category].relu()
