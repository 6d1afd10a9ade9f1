"""Annotated images and an encoder -> probe.safetensors, scores.json and per_class.csv of a linear probe."""

import json
import logging
from functools import partial
from pathlib import Path

import numpy as np
import torch

from luss_core.config import ProbesConfig
from luss_core.data.cells import Cells, ComputedCells, remove_cells, space, store_cells
from luss_core.digests import content
from luss_core.methods.pixels import PixelClassifier, Source, features_of, seen
from luss_core.models.encoder import Encoder, load_encoder
from luss_core.parallel import progress
from luss_core.runtime import autocast, derive_seed
from luss_core.sources import of_training
from luss_core.stages.probing import Outputs, Probed, annotated, write_results
from luss_core.train.folder import TrainingFolder
from luss_core.train.linear import LinearHead, fit_linear, standardize
from luss_core.train.loop import Resources

logger = logging.getLogger(__name__)


def linear(
    cfg: ProbesConfig, *, root: Path, encoder: Path, seed: int, state: Path, outputs: Outputs, resources: Resources
) -> None:
    """Train a 1x1 convolution on the map of a frozen encoder and score it; Sec. "Linear Protocol" of the CACL paper.

    The features of each image are computed once, where they fit on the disk.

    Raises:
        UserError: images or labels that cannot be used; a loss that is not finite.
        Interrupted: SIGTERM or SIGINT came; the state is saved.
    """
    part, data = cfg.linear, annotated(cfg.data, root, resources.threads)
    weights, images = content(encoder), data.fingerprint
    settings = {"linear": part.model_dump(mode="json"), "data": images, "seed": seed}
    folder = TrainingFolder(state, settings | {"encoder": weights}, of_training("linear"))
    network = load_encoder(encoder).to(resources.device)
    encode = partial(encoded, network, part.features, part.size, part.train.precision, resources.device)
    with folder.locked():
        cells: Cells = ComputedCells(data.train, part.size, encode)
        logger.info("linear: %d images, %d classes, %s", len(cells), len(data.train.classes), resources.device)
        files, needed = state / "cells", space(cells)
        if needed <= part.cache_gb * 1e9:
            key = json.dumps([weights, images, part.features, part.size, part.train.precision])
            cells = store_cells(files, cells, key, progress(range(len(cells)), len(cells), "images encoded"))
        else:
            logger.info("linear: %.1f GB of features, more than cache_gb: computed in every epoch", needed / 1e9)
        torch.manual_seed(derive_seed(seed, 3))
        head = LinearHead(network.width_of(part.features), len(data.train.classes))
        if part.standardize:
            standardize(head, cells)
        fit_linear(head, cells, part, seed, folder, resources)
        classifier = PixelClassifier(network, part.features, len(data.train.classes)).to(resources.device).eval()
        classifier.set_head(*head.folded())
        probed = Probed("linear", 100.0, len(data.train), data.learned, part.size)
        write_results(outputs, classifier, data, probed, encoder, settings)
        folder.hand_over(outputs.log)
        remove_cells(files)


@torch.inference_mode()
def encoded(
    network: Encoder, features: Source, size: int | None, precision: str, device: torch.device, image: np.ndarray
) -> np.ndarray:
    """(h, w, D) float16, the map of an image."""
    with autocast(precision, device):  # type: ignore[arg-type]
        found = features_of(network, features, seen(network, image, size, device))[0]
    limit = torch.finfo(torch.float16).max
    cells: np.ndarray = found.float().clamp(-limit, limit).half().movedim(0, -1).contiguous().cpu().numpy()
    return cells
