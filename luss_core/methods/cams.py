"""The segmenter of a method of `finetune`, to be trained or with the weights that it was trained to."""

from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter
from torch import nn

from luss_core.config import AnyCamMethod, EncoderConfig, FinetuneConfig, SCCamConfig, SeamConfig, SegmenterConfig
from luss_core.methods.sc_cam import SCCam
from luss_core.methods.seam import Seam
from luss_core.methods.segmenter import Segmenter
from luss_core.models.centroids import NearestCentroid, Shape
from luss_core.models.encoder import Encoder
from luss_core.models.weights import load_network


def build_segmenter(
    cfg: FinetuneConfig, encoder: Encoder, classes: int, labels: np.ndarray, head: nn.Module | None = None
) -> Segmenter:
    """A segmenter to be trained, with a head of random weights.

    Args:
        labels: (n,) category of each training image, 0-based.
        head: in place of a 1x1 convolution, where cfg.segmenter.head says so.

    Raises:
        UserError: the encoder does not suit the settings.
    """
    if isinstance(cfg.method, SeamConfig):
        sizes = [crop.size for crop in cfg.views.crops] if cfg.train.epochs else []
        return Seam(cfg.segmenter, encoder, classes, method=cfg.method, sizes=sizes)
    if isinstance(cfg.method, SCCamConfig):
        return SCCam(cfg.segmenter, encoder, classes, labels, cfg.method)
    return Segmenter(cfg.segmenter, encoder, classes, head, cfg.method)


def load_segmenter(path: Path) -> Segmenter:
    """The network that ``finetune`` exported, in evaluation mode.

    Raises:
        UserError: as ``load_network``.
    """
    return load_network(path, "segmenter", "finetune", make_segmenter)


def make_segmenter(about: dict[str, Any]) -> Segmenter:
    """A segmenter without weights from what its file says."""
    encoder = Encoder(EncoderConfig.model_validate(about["encoder"]))
    centroids, cfg = about.get("centroids"), SegmenterConfig.model_validate(about["segmenter"])
    head = NearestCentroid(Shape(**centroids), about["classes"]) if centroids else None
    method = TypeAdapter(AnyCamMethod).validate_python(about.get("method") or {"name": "cam"})
    if isinstance(method, SeamConfig):
        return Seam(cfg, encoder, about["classes"], method=method)
    return Segmenter(cfg, encoder, about["classes"], head, method)
