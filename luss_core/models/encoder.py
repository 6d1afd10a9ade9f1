"""What representation learning trains and every later stage uses: backbone, decoder and pixel attention."""

from pathlib import Path
from typing import Literal, NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from luss_core.config import EncoderConfig
from luss_core.models.attention import make_attention
from luss_core.models.backbone import Heads, make_backbone
from luss_core.models.deeplab import DeepLabHead
from luss_core.models.heads import global_average
from luss_core.models.weights import load_network


class Maps(NamedTuple):
    """What the encoder makes of a batch of images."""

    output: Tensor
    """z, (B, D, h, w): the map of the decoder, or of stage 4 where there is none."""
    stages: tuple[Tensor, ...]
    """Of the backbone, from fine to coarse, (B, L, h_i, w_i) each."""
    attention: Tensor | None
    """(B, 1, h', w') logits of the pixel attention, at the resolution of what it is a function of."""
    heads: Heads | None = None
    """Of the last attention of a ViT, where they are asked for."""

    @property
    def stage4(self) -> Tensor:
        """(B, L, h4, w4): the last of them."""
        return self.stages[-1]


class Encoder(nn.Module):
    """A backbone, with a DeepLabV3+ head and pixel attention where the settings ask for them.

    Attributes:
        width: channels of the output map.
    """

    def __init__(self, cfg: EncoderConfig):
        super().__init__()
        self.cfg = cfg
        self.backbone = make_backbone(cfg.backbone)
        self.decoder = None if cfg.decoder is None else DeepLabHead(cfg.decoder, self.backbone.widths)
        self.width = self.backbone.widths[-1] if self.decoder is None else self.decoder.width
        self.attention = make_attention(cfg, self.backbone.widths, self.width) if cfg.attention else None

    def forward(self, images: Tensor, heads: bool = False) -> Maps:
        """(B, 3, H, W) normalised images -> maps.

        Args:
            heads: with those of the last attention, for which the backbone must not be ``headless``.
        """
        stages, found = self.backbone.with_heads(images) if heads else (self.backbone(images), None)
        z = stages[-1] if self.decoder is None else self.decoder(stages, images.shape[-2:])
        if self.attention is None:
            return Maps(z, stages, None, found)
        return Maps(z, stages, self.attention([stages[k - 1] for k in self.cfg.attention_stages] or [z]), found)

    def width_of(self, source: Literal["output", "stage4"]) -> int:
        """Channels of one of the maps."""
        return self.width if source == "output" else self.backbone.widths[-1]


def pool(maps: Maps, source: Literal["output", "stage4"] = "output", attend: bool = True) -> Tensor:
    """(B, D) image-level vectors: Pooling[c(z) z] of Sec. 4 of the LUSS paper, without c where there is no attention.

    Args:
        source: the map to pool. The attention is resized to stage 4, whose cells are larger.
        attend: False for the plain average.
    """
    z = getattr(maps, source).float()
    if maps.attention is None or not attend:
        return global_average(z)
    return global_average(attention_weights(maps.attention, z) * z)


def attention_weights(logits: Tensor, z: Tensor) -> Tensor:
    """(B, 1, h, w) weights in 0..1 at the resolution of a map z."""
    c = logits.float().sigmoid()
    return c if c.shape[-2:] == z.shape[-2:] else F.interpolate(c, z.shape[-2:], mode="bilinear", antialias=True)


def split(maps: Maps, parts: int) -> list[Maps]:
    """The maps of as many equal parts of the batch."""
    attention = [None] * parts if maps.attention is None else maps.attention.chunk(parts)
    stages = zip(*(stage.chunk(parts) for stage in maps.stages), strict=True)
    heads = [None] * parts if maps.heads is None else map(Heads, *(part.chunk(parts) for part in maps.heads))
    return [Maps(*part) for part in zip(maps.output.chunk(parts), stages, attention, heads, strict=True)]


def load_encoder(path: Path) -> Encoder:
    """The encoder that ``pretrain`` exported, in evaluation mode.

    Raises:
        UserError: as ``load_network``.
    """
    return load_network(
        path, "encoder", "pretrain", lambda about: Encoder(EncoderConfig.model_validate(about["encoder"]))
    )
