"""Step 1: images -> encoder.safetensors and log.jsonl."""

import logging
from pathlib import Path

import torch

from luss_core import group, sources
from luss_core.config import PretrainConfig
from luss_core.data.beside import TrueMasks, folder_labels, frame_partners
from luss_core.data.images import ImageList, read_images
from luss_core.data.loader import Images, Plane, Views
from luss_core.data.overlap import overlapping
from luss_core.data.store import Store
from luss_core.errors import UserError
from luss_core.io import provenance
from luss_core.methods import build_method
from luss_core.models.encoder import Encoder
from luss_core.models.weights import save_weights
from luss_core.runtime import derive_seed
from luss_core.train.folder import TrainingFolder, inputs
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
    pixels, listing = Store(store), read_images(images)
    views = training_views(cfg, listing, pixels, _saliency(cfg, prior, pixels), seed)
    folder = TrainingFolder(state, settings | inputs(views), sources.of_training("pretrain", cfg.method.name))
    with folder.locked():
        torch.manual_seed(derive_seed(seed, 1))
        method = build_method(cfg.method, Encoder(cfg.encoder), len(views))
        check_overlap(cfg, views)
        logger.info("pretrain: %s on %d images, %s", cfg.method.name, len(views), group.described(resources.device))
        fit(method, views, cfg.train, folder, resources)
        if group.rank():
            return
        about = {"encoder": cfg.encoder.model_dump(mode="json"), "provenance": provenance(settings)}
        save_weights(out, method.encoder, about)
        folder.hand_over(log)


def training_views(
    cfg: PretrainConfig, listing: ImageList, pixels: Images, saliency: Images | None, seed: int
) -> Views:
    """Views of the training images, with all that the method needs beside them.

    Raises:
        UserError: it is not there.
    """
    rows, needs = listing.rows("train"), cfg.method.needs
    planes = {} if saliency is None else {"saliency": Plane(saliency)}
    if "masks" in needs:
        planes["masks"] = Plane(TrueMasks(listing, rows), nearest=True)
    return Views(
        pixels,
        rows,
        cfg.seen_views,
        seed,
        labels=folder_labels(listing, rows) if "labels" in needs else None,
        planes=planes,
        partners=frame_partners(listing, rows, cfg.method.frame_stride) if "pairs" in needs else None,
    )


def check_overlap(cfg: PretrainConfig, views: Views) -> None:
    """Stop unless the large views overlap often enough to be aligned.

    Raises:
        UserError: fewer than OVERLAPPING of the pairs do.
    """
    if not cfg.method.aligned_by:
        return
    _, parameters = views.draw(views.keys(0, range(min(DRAWN, len(views)))))
    share = float(overlapping(*parameters[:2]).float().mean())
    if share < OVERLAPPING:
        raise UserError(
            f"pretrain.views.crops: only {100 * share:.0f} % of the pairs of large views overlap, so that pixels cannot"
            f" be aligned; raise the scale {list(cfg.views.crops[0].scale)} of the first entry, or switch alignment"
            f" off: {cfg.method.aligned_by} 0"
        )


def _saliency(cfg: PretrainConfig, prior: Path | None, pixels: Store) -> Store | None:
    """The maps of the stage prior, if the method asks for them."""
    if "saliency" not in cfg.method.needs:
        return None
    if prior is None:
        raise UserError(f"{cfg.method.name} needs the saliency maps of the stage prior: give --prior prior.h5")
    maps = Store(prior, "prior")
    if len(maps) != len(pixels) or maps.about["settings"]["images"] != pixels.fingerprint:
        raise UserError(f"{prior} was made of other images than those in {pixels.path}; run the stage prior again")
    return maps
