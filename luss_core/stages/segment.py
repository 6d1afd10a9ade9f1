"""Labelled images and an encoder -> network.safetensors, scores.json and per_class.csv of a segmentation network that
learned from a share of the labels."""

import hashlib
import json
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from luss_core import group
from luss_core.config import AnnotatedConfig, EncoderConfig, SegmentConfig, TrainConfig
from luss_core.data.annotated import AnnotatedImages, packed
from luss_core.data.annotated.check import without_sample
from luss_core.data.annotated.crops import ScaledCrops, filled
from luss_core.data.annotated.share import share_of
from luss_core.data.images import write_csv
from luss_core.data.masks import write_mask
from luss_core.data.spread import shown_positions
from luss_core.digests import content
from luss_core.io import atomic_folder, provenance, write_json
from luss_core.methods.segmentation import Segmentation, segment_image, training_of
from luss_core.methods.whole_masks import confusion_of
from luss_core.metrics.probe import COLUMNS, class_rows, scores_of_confusion
from luss_core.models.deeplab_v3plus import DeepLabV3Plus
from luss_core.models.encoder import load_encoder
from luss_core.models.restride import restrided
from luss_core.models.tensor_file import foreign, read_about
from luss_core.models.weights import save_weights
from luss_core.parallel import progress
from luss_core.runtime import derive_seed
from luss_core.sources import of_training
from luss_core.stages.probing import Annotated, annotated
from luss_core.train.folder import TrainingFolder, inputs
from luss_core.train.loop import Resources, fit

logger = logging.getLogger(__name__)


HALF = 0.5
"""Of the crops that is image, below which a warning says so."""

Find = Callable[[np.ndarray, tuple[int, int]], np.ndarray]
"""(H, W, 3) uint8 and a size -> classes at that size."""


class SegmentOutputs(NamedTuple):
    """What the stage writes."""

    scores: Path
    table: Path
    network: Path
    masks: Path
    """Folder of what is found in the images that pages show."""
    log: Path


def segment(
    cfg: SegmentConfig,
    *,
    data: AnnotatedConfig,
    root: Path,
    encoder: Path,
    percent: float,
    seed: int,
    state: Path,
    outputs: SegmentOutputs,
    resources: Resources,
) -> None:
    """Train DeepLabV3+, whose backbone begins from an encoder, with ``percent`` of the labels, and score it.

    "Transfer Learning" in Sec. 4 of the LUSS paper. Sizes, labels and the encoder are looked at before.

    Raises:
        UserError: images, labels or an encoder that cannot be used, or less than two images.
        Interrupted: SIGTERM or SIGINT came; the state is saved.
    """
    torch.manual_seed(derive_seed(seed, 5))
    backbone = restrided(load_encoder(encoder), cfg.network.output_stride, str(encoder))
    found = annotated(data, root, resources.threads)
    chosen = share_of(len(found.train), percent, seed)
    missing = without_sample(found.learned[chosen], found.train.classes)
    if missing:
        logger.warning("%g %% are %d images, without a sample of %s", percent, len(chosen), ", ".join(missing))
    method = Segmentation(DeepLabV3Plus(cfg.network, backbone, len(found.train.classes)), cfg.head_lr)
    about: dict[str, Any] = {"data": {"root": str(root), "train": found.train.split, "test": found.test.split}}
    with TrainingFolder(state, {}).locked():
        views, folder, settings = prepared(cfg, found, chosen, state, encoder, percent, seed, resources)
        logger.info("segment: %d images, %s", len(views), group.described(resources.device))
        fit(method, views, trained_with(cfg, len(chosen)), folder, resources)
        if group.rank():
            return
        about |= {"protocol": "segment", "percent": percent, "learned": len(chosen), "untrained": missing}
        write_results(cfg, outputs, method.network.eval(), found, found.learned[chosen], encoder, about, settings)
        folder.hand_over(outputs.log)
        packed.remove(state / "images")


def trained_with(cfg: SegmentConfig, images: int) -> TrainConfig:
    """How it is trained; says where a share is seen more often than the settings have it."""
    train = training_of(cfg, images)
    if train.epochs > cfg.train.epochs:
        logger.info("%d epochs of %d images, for segment.least_steps %d", train.epochs, images, cfg.least_steps)
    return train


def prepared(
    cfg: SegmentConfig,
    data: Annotated,
    chosen: np.ndarray,
    state: Path,
    encoder: Path,
    percent: float,
    seed: int,
    resources: Resources,
) -> tuple[ScaledCrops, TrainingFolder, dict[str, Any]]:
    """What is learned from, where its checkpoints lie, and what decides them."""
    images = data.train.take(chosen.tolist())
    shapes, annotations = packed.sample_shapes(images, cfg.size), packed.unpacked(images, cfg.size)
    say_what_is_padded(cfg, shapes)
    if packed.space(shapes, len(images)) <= cfg.cache_gb * 1e9:
        fingerprint = hashlib.sha256(f"{data.fingerprint} {chosen.tolist()}".encode()).hexdigest()
        if group.rank() == 0:
            packed.pack(state / "images", images, cfg.size, json.dumps([fingerprint, cfg.size]), resources.threads)
        group.agreed(False, resources.device)  # all wait until the files are there
        annotations = packed.opened(state / "images", fingerprint)
    else:
        logger.info("segment.cache_gb %g is less than the decoded images: decoded in every epoch", cfg.cache_gb)
    views = ScaledCrops(annotations, np.arange(len(chosen)), cfg, seed)
    settings = {
        "segment": cfg.model_dump(mode="json", exclude={"cache_gb", "whole"}),
        "percent": percent,
        "seed": seed,
        "data": data.fingerprint,
        **inputs(views),
    }
    folder = TrainingFolder(state, settings | {"encoder": content(encoder)}, of_training("segment"))
    return views, folder, settings | {"whole": cfg.whole.model_dump(mode="json")}


def say_what_is_padded(cfg: SegmentConfig, shapes: np.ndarray) -> None:
    """How much of the crops is image, and whether the network has to enlarge them.

    Args:
        shapes: (n, 2) heights and widths of some of the images.
    """
    part, (height, width) = filled(cfg, shapes), np.median(shapes, axis=0).astype(int).tolist()
    logger.log(
        logging.WARNING if part < HALF else logging.INFO,
        "crops of %d pixels from images of about %d x %d: %.0f %% of them is image, the rest is padding, which is not"
        " learned from%s",
        *(cfg.crop, height, width, 100 * part),
        "; a smaller segment.crop computes less" if part < HALF else "",
    )
    stride = cfg.network.output_stride
    if cfg.crop % stride:
        fits = cfg.crop // stride * stride
        logger.info(
            "segment.crop %d is no multiple of the output stride %d: the network pads it to %d; %d would be less work",
            *(cfg.crop, stride, fits + stride, fits),
        )


def write_results(
    cfg: SegmentConfig,
    outputs: SegmentOutputs,
    network: DeepLabV3Plus,
    data: Annotated,
    learned: np.ndarray,
    encoder: Path,
    about: dict[str, Any],
    settings: dict[str, Any],
) -> None:
    """Score a network and write scores.json, per_class.csv, its weights and the masks that pages show.

    Args:
        learned: (n, C) pixels of each class in each image that it learned from.
        about: what else scores.json says.
    """
    test, made = data.test, read_about(encoder, "pretrain")
    find = partial(segment_image, network, cfg.whole, precision=cfg.train.precision)
    counts = confusion_of(find, test, cfg.size, progress(range(len(test)), len(test), "images scored"))
    scores = scores_of_confusion(counts, test.classes)
    write_shown(outputs.masks, find, test, cfg.size)
    origin = {"weights": foreign(made), "provenance": provenance(settings)}
    parts = {"encoder": network_settings(network), "network": cfg.network.model_dump(mode="json")}
    save_weights(outputs.network, network, parts | {"classes": list(test.classes)} | origin)
    write_csv(outputs.table, COLUMNS, class_rows(scores, counts, learned.sum(axis=0), test.classes))
    write_json(outputs.scores, about | {"images": len(test), "classes": list(test.classes), **scores} | origin)
    logger.info(
        "segment, %s, %d images: mIoU %.2f, mean accuracy %.2f, pixels %.2f %%; %d of %d classes occur",
        *(test.split, len(test), scores["mIoU"], scores["mAcc"], scores["accuracy"]),
        *(len(test.classes) - len(scores["absent"]), len(test.classes)),
    )


def network_settings(network: DeepLabV3Plus) -> dict[str, Any]:
    """The backbone as it was trained, as ``load_segmentation`` makes it again."""
    return EncoderConfig(backbone=network.backbone.cfg).model_dump(mode="json")


def write_shown(masks: Path, find: Find, images: AnnotatedImages, size: int | None) -> None:
    """<position>.png of each image that pages show: its classes at the size of its label."""
    with atomic_folder(masks) as folder:
        for i in shown_positions(len(images)):
            height, width = images.mask(i).shape
            write_mask(folder / f"{i}.png", find(images.image(i, size), (height, width)))
