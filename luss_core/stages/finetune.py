"""Step 3: images and pseudo labels -> segmenter.safetensors and log.jsonl."""

import logging
from pathlib import Path
from typing import Any

import torch

from luss_core import group, sources
from luss_core.config import FinetuneConfig
from luss_core.config.cams import CamConfig
from luss_core.data.features import read_clusters
from luss_core.data.loader import Views
from luss_core.data.store import Store
from luss_core.digests import content
from luss_core.edits import Edits
from luss_core.io import provenance
from luss_core.methods.learners import build_segmenter
from luss_core.methods.segmenter import Segmenter
from luss_core.models.centroids import NearestCentroid, of_clusters
from luss_core.models.encoder import load_encoder
from luss_core.models.tensor_file import foreign, read_about
from luss_core.models.weights import save_weights
from luss_core.runtime import derive_seed
from luss_core.stages.corrected import given, teach
from luss_core.train.folder import TrainingFolder, inputs
from luss_core.train.loop import Resources, fit

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
    images: Path | None = None,
    size: int = 0,
    edits: Edits | None = None,
) -> None:
    """Train the encoder and a 1x1 convolution to predict the cluster of each image; Sec. 3.1 of the LUSS paper.

    How, cfg.method says.

    Args:
        images, size, edits: only with corrected masks: images.csv, the shorter side in pixels at which images will be
            segmented, and what is merged or split in the run.
    """
    unsaid = {"corrected"} | ({"method"} if cfg.method.name == "cam" else set())  # which decides nothing of a training
    settings = {"finetune": cfg.model_dump(mode="json", exclude=unsaid), "seed": seed, "classes": classes}
    found = read_clusters(clusters)
    masks = None
    if cfg.corrected is not None:
        assert images is not None
        folder_of_masks = Path(cfg.corrected)
        masks = given(folder_of_masks, images, found, edits or Edits(), classes, size, resources.threads)
    torch.manual_seed(derive_seed(seed, 2))
    network = load_encoder(encoder)
    views = Views(Store(store), found.row, cfg.views, seed, found.label)
    seen = inputs(views) | {"encoder": content(encoder)}
    seen |= {} if found.several is None else {"several": found.fingerprint}
    folder = TrainingFolder(state, settings | seen, sources.of_training("finetune"))
    last = folder
    with folder.locked():
        centroids = of_clusters(found) if cfg.segmenter.head == "centroids" else None
        method = build_segmenter(cfg, network, classes, found.labels, centroids)
        logger.info(
            "finetune: %d images, %d pseudo categories, %s", len(views), classes, group.described(resources.device)
        )
        fit(method, views, cfg.train, folder, resources)
        if masks is not None:
            last = teach(method, masks, Store(store), seed, state / "corrected", resources)
            settings |= {"corrected": {"masks": len(masks.masks.rows), "size": size}}
        if group.rank():
            return
        own = {"weights": foreign(read_about(encoder, "pretrain")), "provenance": provenance(settings)}
        save_weights(out, method.trained, described(method, centroids) | own)
        last.hand_over(log)


def described(method: Segmenter, centroids: NearestCentroid | None) -> dict[str, Any]:
    """What a file of its weights says so that the segmenter can be made; see ``make_segmenter``."""
    about = {
        "encoder": method.encoder.cfg.model_dump(mode="json"),
        "segmenter": method.cfg.model_dump(mode="json"),
        "classes": method.classes,
        "centroids": centroids and centroids.shape._asdict(),
    }
    return about if method.method == CamConfig() else about | {"method": method.method.model_dump(mode="json")}
