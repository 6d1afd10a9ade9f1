"""Rotation, Gidaris et al. 2018, arXiv:1803.07728."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from luss_core.config.methods import RotationConfig
from luss_core.data.batch import Batch
from luss_core.methods.base import Method, Output, Progress
from luss_core.models.encoder import Encoder, pool

TURNS = 4
"""Rotations by 0, 90, 180 and 270 degrees, Sec. 2.2 of the paper: of a square view they only move pixels, so that
nothing but what is shown tells them apart."""


class Rotation(Method):
    """Classifies by how many quarter turns an image was turned; Eq. 2 and 3 of the paper.

    As in the paper each image is in the batch in all four rotations, and views are cropped and flipped left to right
    alone: an image that was flipped so still stands upright, and colours are not jittered. Departures: the paper looks
    at crops of nearly the whole image and takes its features from a layer in the middle; here crops are those of the
    other methods, and features are pooled before one linear layer, as in later code with ResNet.
    """

    def __init__(self, cfg: RotationConfig, encoder: Encoder, images: int):
        super().__init__()
        self.cfg, self.encoder = cfg, encoder
        self.head = nn.Linear(encoder.width, TURNS)

    def forward(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        turned = torch.cat([torch.rot90(views[0], turns, dims=(2, 3)) for turns in range(TURNS)])
        label = torch.arange(TURNS, device=turned.device).repeat_interleave(len(views[0]))
        logits = self.head(pool(self.encoder(turned))).float()
        loss, accuracy = F.cross_entropy(logits, label), (logits.argmax(dim=1) == label).float().mean()
        return Output(loss, {"accuracy": accuracy, "chance": loss.detach() / math.log(TURNS)})
