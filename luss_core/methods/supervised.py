"""Supervised classification: the upper bound of Table 2 of the LUSS paper, arXiv:2106.03149v1."""

import math

import torch.nn.functional as F
from torch import Tensor, nn

from luss_core.config.methods import SupervisedConfig
from luss_core.data.batch import Batch
from luss_core.methods.base import Method, Output, Progress
from luss_core.models.encoder import Encoder, pool


class Supervised(Method):
    """Classifies images by their category folders: one linear layer on pooled features, cross-entropy.

    Only the encoder is passed on, and later steps cluster its vectors as those of any method: the labels teach
    nothing else. The paper names no settings; views and optimiser are those of the other methods here.
    """

    def __init__(self, cfg: SupervisedConfig, encoder: Encoder, images: int, categories: int):
        super().__init__()
        self.cfg, self.encoder = cfg, encoder
        self.head = nn.Linear(encoder.width, categories)

    def forward(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        assert batch.label is not None
        logits = self.head(pool(self.encoder(views[0]))).float()
        loss, accuracy = F.cross_entropy(logits, batch.label), (logits.argmax(dim=1) == batch.label).float().mean()
        return Output(loss, {"accuracy": accuracy, "chance": loss.detach() / math.log(self.head.out_features)})
