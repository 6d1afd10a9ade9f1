"""The segmenter of a method of `finetune`, with the weights that it was trained to."""

from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from luss_core.config import EncoderConfig, SegmenterConfig
from luss_core.config.cams import AnyCamMethod, SeamConfig
from luss_core.methods.seam import Seam
from luss_core.methods.segmenter import Segmenter
from luss_core.models.centroids import NearestCentroid, Shape
from luss_core.models.encoder import Encoder
from luss_core.models.weights import load_network


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
