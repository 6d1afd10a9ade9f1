"""Step 1: images -> encoder.safetensors, heads.safetensors and log.jsonl."""

import logging
from pathlib import Path
from typing import Any

import torch

from luss_core import group, sources
from luss_core.config import PretrainConfig
from luss_core.data.beside import TrueMasks, folder_labels
from luss_core.data.frame_pairs import pairs_of, videos_of
from luss_core.data.images import ImageList, read_images
from luss_core.data.judged import categories_of
from luss_core.data.loader import Images, Plane, Views
from luss_core.data.overlap import overlapping
from luss_core.data.sequences import Sequences
from luss_core.data.store import Store
from luss_core.data.whole import nearest_multiple
from luss_core.errors import UserError
from luss_core.io import provenance
from luss_core.methods import build_method
from luss_core.methods.kept_heads import save_heads
from luss_core.models.encoder import Encoder
from luss_core.models.frozen import freeze
from luss_core.models.initial import load_initial
from luss_core.models.tensor_file import foreign, read_about
from luss_core.models.weights import save_weights
from luss_core.runtime import derive_seed
from luss_core.signs import NOTHING, sign_of
from luss_core.train.diagnostics import Diagnostics
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
    begin: Path | None = None,
    folders: bool | None = None,
) -> None:
    """Learn a representation of the training images of ``images.csv`` and export the encoder.

    Goes on from ``state`` after an interruption; a run interrupted any number of times gives the same weights as one
    that was not.

    Args:
        begin: encoder.safetensors of the preset that ``cfg.weights_of`` names.
        folders: whether the folders of the images are categories, as evaluate.folders; None to judge. Diagnostics count
            by them, nothing else.
    """
    settings = {"pretrain": cfg.model_dump(mode="json"), "seed": seed}
    pixels, listing = Store(store), read_images(images)
    views = training_views(cfg, listing, pixels, _saliency(cfg, prior, pixels), seed, videos_of(cfg, images))
    torch.manual_seed(derive_seed(seed, 1))
    encoder, weights = initial_encoder(cfg, begin)
    first = weights["digest"] if weights else None
    if begin is not None:  # of its own weights, those of others that they began from are told
        weights, settings = foreign(read_about(begin, "pretrain")), settings | {"begin": first}
    seen = {**settings, "pretrain": trained_by(cfg)} | inputs(views) | ({"weights": first} if first else {})
    folder = TrainingFolder(state, seen, sources.of_training("pretrain", cfg.method.name))
    with folder.locked():
        method = build_method(cfg.method, encoder, len(views), taught(cfg, views))
        method.lr_scale = {**method.lr_scale, **lr_scale(cfg)}
        check_overlap(cfg, views)
        shown = f"{len(views)} images" + (f" in {n} category folders" if (n := taught(cfg, views)) else "")
        logger.info("pretrain: %s on %s, %s", cfg.method.name, shown, group.described(resources.device))
        fit(
            method,
            views,
            cfg.method_train,
            folder,
            resources,
            diagnostics=diagnostics(cfg, views, listing, folders, resources),
        )
        if group.rank():
            return
        about = {
            "encoder": cfg.encoder.model_dump(mode="json"),
            "weights": weights,
            "provenance": provenance(settings | ({"weights": weights} if weights else {})),
        }
        save_weights(out, method.encoder, about)
        save_heads(out, method.position_heads, about)
        folder.hand_over(log)
    if sign := sign_of(log):
        logger.warning("pretrain: %s %s", NOTHING, sign)


def taught(cfg: PretrainConfig, views: Views) -> int:
    """How many category folders are learned from as labels; those of pairs of frames are their videos."""
    return views.categories if "labels" in cfg.method.needs else 0


def trained_by(cfg: PretrainConfig) -> dict[str, Any]:
    """The settings that decide what is trained: not how often it is looked at."""
    return cfg.model_dump(mode="json", exclude={"diagnose_every_epochs"})


def diagnostics(
    cfg: PretrainConfig, views: Views, listing: ImageList, folders: bool | None, resources: Resources
) -> Diagnostics | None:
    """What looks at the training, in the first process; None if it is not to be looked at."""
    if not cfg.diagnose_every_epochs or not cfg.train.epochs or group.rank():
        return None
    category = categories_of(listing, views.rows, folders)
    return Diagnostics(views, cfg.diagnose_every_epochs, resources.device, cfg.train.precision, category)


def initial_encoder(cfg: PretrainConfig, begin: Path | None = None) -> tuple[Encoder, dict[str, Any] | None]:
    """The encoder as training begins with it, and what its weights are, see ``foreign``; None where they are random.

    Args:
        begin: as ``pretrain``.

    Raises:
        UserError: weights that cannot be had or do not fit, or a network that does not suit the views.
    """
    encoder = Encoder(cfg.encoder)
    if "heads" in cfg.method.needs:
        encoder.backbone.require_heads()
    try:
        cfg.check_strides(encoder.backbone.strides)
    except ValueError as error:
        raise UserError(f"pretrain: {error}") from error
    _note_resizing(cfg, encoder.backbone.multiple)
    weights = load_initial(encoder, cfg, begin)
    if weights:
        logger.info("pretrain: begins with %s, %s (%s)", weights["source"], weights["layout"], weights["digest"][:8])
    freeze(encoder.backbone, cfg.frozen_stages)
    return encoder, weights


def _note_resizing(cfg: PretrainConfig, multiple: int) -> None:
    seen = cfg.seen_views.crops if cfg.train.epochs else ()
    for size in sorted({crop.size for crop in seen if crop.size % multiple}):
        logger.warning(
            "pretrain.views.crops.size %d is no multiple of %d: the network resizes such views to %d",
            size,
            multiple,
            nearest_multiple(size, multiple),
        )


def lr_scale(cfg: PretrainConfig) -> dict[str, float]:
    """Learning rates in multiples of that of the run: a backbone that begins with weights is to keep what they know."""
    return {"encoder.backbone.": cfg.backbone_lr} if cfg.begun else {}


def training_views(
    cfg: PretrainConfig,
    listing: ImageList,
    pixels: Images,
    saliency: Images | None,
    seed: int,
    videos: Sequences | None = None,
) -> Views:
    """Views of the training images, with all that the method needs beside them.

    Args:
        videos: which images are frames of one, where the method pairs frames.

    Raises:
        UserError: it is not there.
    """
    rows, needs = listing.rows("train"), cfg.method.needs
    pairs = pairs_of(cfg, videos, rows)
    rows = pairs.first
    planes = {} if saliency is None else {"saliency": Plane(saliency)}
    if "masks" in needs:
        planes["masks"] = Plane(TrueMasks(listing, rows), nearest=True)
    return Views(
        pixels,
        rows,
        cfg.seen_views,
        seed,
        labels=folder_labels(listing, rows) if "labels" in needs else pairs.video,
        planes=planes,
        partners=pairs.second if "pairs" in needs else None,
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
            f" be aligned; raise the scale {list(cfg.views.crops[0].scale)} of the first entry, or"
            f" {cfg.method.aligned_by}"
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
