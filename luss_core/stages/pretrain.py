"""Step 1: images -> encoder.safetensors and log.jsonl."""

import logging
from pathlib import Path

import torch

from luss_core import group, sources
from luss_core.config import PretrainConfig, ShapeConfig
from luss_core.data.images import read_images
from luss_core.data.loader import Views
from luss_core.data.overlap import overlap_grids
from luss_core.data.store import Store
from luss_core.errors import UserError
from luss_core.io import provenance
from luss_core.methods import build_method
from luss_core.models.encoder import Encoder
from luss_core.models.weights import save_weights
from luss_core.runtime import derive_seed
from luss_core.train.folder import TrainingFolder, images_digest
from luss_core.train.loop import Resources, fit

logger = logging.getLogger(__name__)

DRAWN = 256
"""Pairs of views that tell how often views overlap."""
OVERLAPPING = 0.1
"""Fewer pairs than this cannot teach alignment."""


def pretrain(
    cfg: PretrainConfig,
    *,
    images: Path,
    store: Path,
    prior: Path | None,
    seed: int,
    state: Path,
    out: Path,
    log: Path,
    resources: Resources,
) -> None:
    """Learn a representation of the training images of ``images.csv`` and export the encoder.

    Goes on from ``state`` after an interruption; a run interrupted any number of times gives the same weights as one
    that was not.
    """
    settings = {"pretrain": cfg.model_dump(mode="json"), "seed": seed}
    pixels, rows = Store(store), read_images(images).rows("train")
    saliency = _saliency(cfg, prior, pixels)
    inputs = {"images": images_digest(pixels, rows)} | ({"prior": images_digest(saliency, rows)} if saliency else {})
    folder = TrainingFolder(state, settings | inputs, sources.of_training("pretrain", cfg.method.name))
    with folder.locked():
        torch.manual_seed(derive_seed(seed, 1))
        method = build_method(cfg.method, Encoder(cfg.encoder))
        views = Views(pixels, rows, cfg.views, seed, prior=saliency)
        check_overlap(cfg, views)
        logger.info("pretrain: %s on %d images, %s", cfg.method.name, len(views), group.described(resources.device))
        fit(method, views, cfg.train, folder, resources)
        if group.rank():
            return
        about = {"encoder": cfg.encoder.model_dump(mode="json"), "provenance": provenance(settings)}
        save_weights(out, method.encoder, about)
        folder.hand_over(log)


def check_overlap(cfg: PretrainConfig, views: Views) -> None:
    """Stop unless the large views overlap often enough to be aligned.

    Raises:
        UserError: fewer than OVERLAPPING of the pairs do.
    """
    if not isinstance(cfg.method, ShapeConfig) or not (cfg.method.i2p_weight or cfg.method.p2p_weight):
        return
    epoch, drawn = 0, range(min(DRAWN, len(views)))
    _, parameters = views.draw(epoch, list(drawn))
    share = float(overlap_grids(parameters[0], parameters[1], 1, "centre")[2].float().mean())
    if share < OVERLAPPING:
        raise UserError(
            f"pretrain.views.crops: only {100 * share:.0f} % of the pairs of large views overlap, so that pixels cannot"
            f" be aligned; raise the scale {list(cfg.views.crops[0].scale)} of the first entry, or switch alignment off"
            " with method.i2p_weight: 0 and method.p2p_weight: 0"
        )


def _saliency(cfg: PretrainConfig, prior: Path | None, pixels: Store) -> Store | None:
    """The maps of the stage prior, if the method asks for them."""
    if not cfg.prior:
        return None
    if prior is None:
        raise UserError("method.prior needs the saliency maps: give --prior prior.h5, or set method.prior: none")
    maps = Store(prior, "prior")
    if len(maps) != len(pixels) or maps.about["settings"]["images"] != pixels.fingerprint:
        raise UserError(f"{prior} was made of other images than those in {pixels.path}; run the stage prior again")
    return maps
