"""Fine-tuning on image-level pseudo labels and class activation maps: steps 3 and 4 of the LUSS pipeline, Sec. 3.1."""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from luss_core.config import EncoderConfig, SegmenterConfig
from luss_core.data.batch import Batch
from luss_core.methods.base import Method, Output, Progress
from luss_core.models.backbone import read_weights
from luss_core.models.encoder import Encoder
from luss_core.models.heads import global_average


class Segmenter(Method):
    """Encoder, 1x1 convolution to C maps, global average pooling, cross-entropy."""

    def __init__(self, cfg: SegmenterConfig, encoder: Encoder, classes: int):
        super().__init__()
        self.cfg, self.encoder = cfg, encoder
        self.head = nn.Conv2d(encoder.width_of(cfg.features), classes, 1)
        nn.init.normal_(self.head.weight, std=0.01)

    def forward(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        assert batch.label is not None
        logits = torch.cat([global_average(self.activation_map(view)) for view in views])
        label = batch.label.repeat(len(views))
        accuracy = (logits.argmax(dim=1) == label).float().mean()
        return Output(F.cross_entropy(logits, label), {"accuracy": accuracy})

    def activation_map(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, C, h, w) class activation maps: the head with its pooling removed."""
        maps = self.encoder(images)
        z = maps.output if self.cfg.features == "output" else maps.stage4
        if not self.cfg.attend or maps.attention is None:
            found: Tensor = self.head(z)
            return found
        c = maps.attention.sigmoid()
        if c.shape[-2:] != z.shape[-2:]:
            c = F.interpolate(c, z.shape[-2:], mode="bilinear", antialias=True)
        attended: Tensor = self.head(c * z)
        return attended


def load_segmenter(path: Path) -> Segmenter:
    """The network that ``finetune`` exported, in evaluation mode."""
    weights, about = read_weights(path)
    encoder = Encoder(EncoderConfig.model_validate(about["encoder"]))
    network = Segmenter(SegmenterConfig.model_validate(about["segmenter"]), encoder, about["classes"])
    network.load_state_dict(weights)
    return network.eval().to(memory_format=torch.channels_last)
