"""Step 3: images and pseudo labels -> segmenter.safetensors and log.jsonl."""

import hashlib
import logging
from pathlib import Path

import torch

from luss_core import group
from luss_core.config import FinetuneConfig
from luss_core.data.features import read_clusters
from luss_core.data.loader import Views
from luss_core.data.store import Store
from luss_core.io import provenance
from luss_core.methods.segmenter import Segmenter
from luss_core.models.encoder import load_encoder
from luss_core.models.weights import save_weights
from luss_core.runtime import derive_seed
from luss_core.train.loop import Resources, fit
from luss_core.train.run import Run

logger = logging.getLogger(__name__)


def finetune(
    cfg: FinetuneConfig,
    *,
    store: Path,
    encoder: Path,
    clusters: Path,
    classes: int,
    seed: int,
    state: Path,
    out: Path,
    log: Path,
    resources: Resources,
) -> None:
    """Train the encoder and a 1x1 convolution to predict the cluster of each image; Sec. 3.1 of the LUSS paper."""
    settings = {"finetune": cfg.model_dump(mode="json"), "seed": seed, "classes": classes}
    found = read_clusters(clusters)
    pixels = Store(store)
    inputs = {"data": pixels.fingerprint, "labels": found.fingerprint, "encoder": _digest(encoder)}
    run = Run(state, settings | inputs)
    with run.locked():
        torch.manual_seed(derive_seed(seed, 2))
        network = load_encoder(encoder)
        method = Segmenter(cfg.segmenter, network, classes)
        views = Views(pixels, found.row, cfg.views, seed, found.label)
        logger.info(
            "finetune: %d images, %d pseudo categories, %s", len(views), classes, group.described(resources.device)
        )
        fit(method, views, cfg.train, run, resources)
        if group.rank():
            return
        about = {
            "encoder": network.cfg.model_dump(mode="json"),
            "segmenter": cfg.segmenter.model_dump(mode="json"),
            "classes": classes,
            "provenance": provenance(settings),
        }
        save_weights(out, method, about)
        run.hand_over(log)


def _digest(path: Path) -> str:
    """Of the encoder; empty where there is none, which load_encoder says better."""
    if not path.exists():
        return ""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
