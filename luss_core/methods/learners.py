"""The segmenter of a method of `finetune`, to be trained: what segments needs none of what is imported here."""

import numpy as np
from torch import nn

from luss_core.config import FinetuneConfig
from luss_core.config.cams import SCCamConfig, SeamConfig
from luss_core.data.image_labels import check_loss
from luss_core.methods.sc_cam import SCCam
from luss_core.methods.seam import Seam
from luss_core.methods.segmenter import Segmenter
from luss_core.models.encoder import Encoder


def build_segmenter(
    cfg: FinetuneConfig, encoder: Encoder, classes: int, labels: np.ndarray, head: nn.Module | None = None
) -> Segmenter:
    """A segmenter to be trained, with a head of random weights.

    Args:
        labels: (n,) category of each training image, 0-based; or (n, K), -1 behind the last, where images have several.
        head: in place of a 1x1 convolution, where cfg.segmenter.head says so.

    Raises:
        UserError: the encoder does not suit the settings, or several labels the loss.
    """
    several = labels if labels.ndim == 2 else None
    if several is not None and cfg.train.epochs:
        check_loss(cfg.method.classification, int((several >= 0)[:, 1:].any(axis=1).sum()), len(several))
    if isinstance(cfg.method, SeamConfig):
        sizes = [crop.size for crop in cfg.views.crops] if cfg.train.epochs else []
        return Seam(cfg.segmenter, encoder, classes, method=cfg.method, sizes=sizes, several=several)
    if isinstance(cfg.method, SCCamConfig):
        return SCCam(cfg.segmenter, encoder, classes, labels, cfg.method)
    return Segmenter(cfg.segmenter, encoder, classes, head, cfg.method, several)
