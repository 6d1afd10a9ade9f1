"""Step 1: images -> backbone.safetensors and log.jsonl."""

import logging
from pathlib import Path

import torch

from luss_core.config import PretrainConfig
from luss_core.data.images import read_images
from luss_core.data.loader import Views
from luss_core.data.store import Store
from luss_core.io import provenance
from luss_core.methods import build_method
from luss_core.models.backbone import ResNet, save_weights
from luss_core.runtime import derive_seed
from luss_core.train.loop import Resources, fit
from luss_core.train.run import Run

logger = logging.getLogger(__name__)


def pretrain(
    cfg: PretrainConfig,
    *,
    images: Path,
    store: Path,
    seed: int,
    state: Path,
    out: Path,
    log: Path,
    resources: Resources,
) -> None:
    """Learn a representation of the training images of ``images.csv`` and export the backbone.

    Goes on from ``state`` after an interruption; a run interrupted any number of times gives the same weights as one
    that was not.
    """
    settings = {"pretrain": cfg.model_dump(mode="json"), "seed": seed}
    pixels = Store(store)
    run = Run(state, settings | {"data": pixels.fingerprint})
    with run.locked():
        torch.manual_seed(derive_seed(seed, 1))
        method = build_method(cfg.method, ResNet(cfg.backbone))
        views = Views(pixels, read_images(images).rows("train"), cfg.views, seed)
        logger.info("pretrain: %s on %d images, %s", cfg.method.name, len(views), resources.device)
        fit(method, views, cfg.train, run, resources)
        about = {"backbone": cfg.backbone.model_dump(mode="json"), "provenance": provenance(settings)}
        save_weights(out, method.backbone, about)
        run.finish(log)
