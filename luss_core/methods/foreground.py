"""What is foreground, learned for an encoder that stays as it is: one linear layer on its maps, taught by cues."""

from typing import Self

import torch.nn.functional as F
from torch import Tensor

from luss_core import group
from luss_core.config.methods import ForegroundConfig
from luss_core.data.batch import Batch
from luss_core.errors import UserError
from luss_core.losses.attention import attention_loss, otsu
from luss_core.losses.cues import CUES, CUES_OF_HEADS, together
from luss_core.methods.base import Method, Output, Progress
from luss_core.models.encoder import Encoder, Maps


class Foreground(Method):
    """Teaches the attention alone.

    Where cues agree is foreground, and Otsu's threshold over the batch says how far they must. The layer sees what
    positions of all images that were called foreground have in common, which the cues of one image do not: what it
    says is better than what it was taught. As FOUND, arXiv:2212.07834, and the self-training of many others.
    """

    def __init__(self, cfg: ForegroundConfig, encoder: Encoder, images: int):
        super().__init__()
        if encoder.attention is None:
            raise UserError("the method foreground teaches the attention; set pretrain.attention: true")
        if cfg.stage is not None and cfg.stage > len(encoder.backbone.widths):
            raise UserError(
                f"pretrain.method.stage {cfg.stage}, but the backbone has {len(encoder.backbone.widths)} stages; lower"
                " it, or set it to null for the last"
            )
        if "heads" in cfg.needs:
            encoder.backbone.require_heads()
        self.cfg, self.encoder = cfg, encoder
        encoder.requires_grad_(False)
        encoder.attention.requires_grad_(True)

    def forward(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        maps = self.encoder(views[0], heads="heads" in self.cfg.needs)
        assert maps.attention is not None
        cue = self.cue(maps, batch)
        everywhere = group.gather(cue).view(1, 1, 1, -1)
        target = (cue >= otsu(everywhere)).float()
        attended = maps.attention.detach() > 0
        agree = (attended == (target > 0.5)).float().mean()
        loss = attention_loss(maps.attention, target) + self.cfg.penalty * self._weight().square().sum()
        return Output(loss, {"foreground": target.mean(), "agreement": agree, "attended": attended.float().mean()})

    def _weight(self) -> Tensor:
        """Of the layer, without its bias."""
        assert self.encoder.attention is not None
        return next(p for name, p in self.encoder.attention.named_parameters() if name.endswith("weight"))

    def cue(self, maps: Maps, batch: Batch) -> Tensor:
        """(B, 1, h, w) in [0, 1] at the resolution of the attention: the product of the cues."""
        assert maps.attention is not None
        found, size = [self._one(cue, maps, batch) for cue in self.cfg.cues], maps.attention.shape[-2:]
        return together([F.interpolate(cue, size, mode="bilinear", antialias=True) for cue in found]).clamp(0, 1)

    def _one(self, cue: str, maps: Maps, batch: Batch) -> Tensor:
        """(B, 1, h, w), each of its own range and resolution."""
        if cue == "saliency":
            return batch.planes["saliency"][0].float() / 255
        if maps.heads is not None and cue in CUES_OF_HEADS:
            return CUES_OF_HEADS[cue](*maps.heads)
        stage = maps.stages[-1 if self.cfg.stage is None else self.cfg.stage - 1]
        return CUES[cue](stage.float())

    def train(self, mode: bool = True) -> Self:
        """What does not learn stays in evaluation mode."""
        super().train(mode)
        for part in (self.encoder.backbone, self.encoder.decoder):
            if part is not None:
                part.eval()
        return self
