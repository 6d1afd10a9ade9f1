"""A round of training behind all others, from masks that people corrected."""

import hashlib
import logging
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from luss_core import group, sources
from luss_core.config import CropConfig, FinetuneTrainConfig, FinetuneViewsConfig
from luss_core.corrected import mark
from luss_core.data.coding import IGNORE
from luss_core.data.corrected import CorrectedMasks, find_corrected
from luss_core.data.features import Clusters
from luss_core.data.images import ImageList, read_images
from luss_core.data.loader import Plane, Views
from luss_core.data.store import Store
from luss_core.data.whole import nearest_multiple
from luss_core.edits import Edits
from luss_core.edits_file import NAME
from luss_core.methods.corrected import PLANE, Corrected
from luss_core.methods.segmenter import Segmenter
from luss_core.train.folder import TrainingFolder, inputs
from luss_core.train.loop import Resources, fit

logger = logging.getLogger(__name__)

STEPS, BATCH = 60, 16
"""Updates of the round, about, and images of each, at the most."""
SCALE = (1.0, 1.0)
"""Views are whole images, as far as they are no longer than 4:3: crops of them gave a lower F, of 8 masks 72.9."""
LR = 0.1
"""Peak, in multiples of the size of what learns."""

READ, FEW, AGREEING = 200, 5, 0.3
"""Masks that are compared with the clusters, at the most and at the least, and the share that should agree."""


class Given(NamedTuple):
    """Corrected masks and what their ids mean."""

    folder: Path
    masks: CorrectedMasks
    members: np.ndarray
    """(T + 1, C) bool, which clusters are meant by each id."""
    size: int
    """Side of what the network sees, in pixels."""


def given(folder: Path, images: Path, found: Clusters, edits: Edits, classes: int, size: int, threads: int) -> Given:
    """Read the corrected masks; all that can be wrong with them shows here.

    Args:
        edits: what is merged or split in the run; of another clustering it does not count.

    Raises:
        UserError: as ``find_corrected``.
    """
    listing = read_images(images)
    if (edits.clustering or found.fingerprint) != found.fingerprint:
        logger.warning("%s beside the run belongs to another clustering: nothing of it is applied", NAME)
        edits = Edits()
    edits = Edits.model_validate(edits.model_dump() | {"categories": classes})
    masks = find_corrected(folder.expanduser(), listing, edits.total, threads)
    members = members_of(edits)
    _tell(folder, listing, masks, found, members)
    return Given(folder.expanduser(), masks, members, size)


def members_of(edits: Edits) -> np.ndarray:
    """(T + 1, C) bool, which clusters are meant by each id 0..T: those that are shown as it, and for a part of a split
    category that category. What is not shown stands for itself.
    """
    clusters = edits.categories
    table = edits.table
    found = np.zeros((edits.total + 1, clusters), bool)
    for number in range(1, edits.total + 1):
        found[number] = table[1 : clusters + 1] == number
        if not found[number].any():
            own = number
            while own > clusters:
                own = edits.split[own]
            found[number, own - 1] = True
    return found


def teach(
    segmenter: Segmenter, masks: Given, pixels: Store, seed: int, state: Path, resources: Resources
) -> TrainingFolder:
    """Train attention and head of a segmenter with the masks, in place; gives the folder of the training.

    Goes on after an interruption, as every training.
    """
    rows = masks.masks.rows
    size = nearest_multiple(masks.size, segmenter.encoder.backbone.multiple)
    cfg = FinetuneViewsConfig(crops=(CropConfig(count=1, size=size, scale=SCALE),))
    views = Views(pixels, rows, cfg, seed, planes={PLANE: Plane(masks.masks, nearest=True)})
    train = round_of(len(rows))
    settings = {
        "corrected": mark(masks.folder),
        "members": masks.members.astype(int).tolist(),
        "size": size,
        "seed": seed,
        "segmenter": segmenter.cfg.model_dump(mode="json"),
        "begun": _digest(segmenter),
    }
    folder = TrainingFolder(state, settings | inputs(views), sources.of_training("finetune"))
    with folder.locked():
        method = Corrected(segmenter, torch.from_numpy(masks.members), len(rows))
        logger.info("finetune: %d corrected masks, %s", len(rows), group.described(resources.device))
        fit(method, views, train, folder, resources)
    return folder


def round_of(masks: int) -> FinetuneTrainConfig:
    """The settings of the training with so many masks: about equally many updates for few and many, but each seen."""
    batch = max(1, min(BATCH, masks) // group.world_size()) * group.world_size()
    epochs = max(1, math.ceil(STEPS / max(1, masks // batch)))
    return FinetuneTrainConfig(epochs=epochs, batch_size=batch, lr=LR, weight_decay=0)


def _digest(segmenter: Segmenter) -> str:
    """Of all weights that the round begins with."""
    whole = hashlib.sha256()
    for name, value in sorted(segmenter.state_dict().items()):
        whole.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return whole.hexdigest()


def _tell(folder: Path, listing: ImageList, masks: CorrectedMasks, found: Clusters, members: np.ndarray) -> None:
    """What the user should know: whether scores are of what was learned from, and whether the masks are of this run."""
    judged = sum(listing.split[row] != "train" for row in masks.rows.tolist())
    if judged:
        logger.warning(
            "%s: %d of the images are validation or test images: scores of these are scores of what was learned from",
            folder,
            judged,
        )
    same = agreeing(masks, found, members)
    if len(same) >= FEW and same.mean() < AGREEING:
        logger.warning(
            "%s: in %d of %d images the largest category is another than the one that was found. If you did not correct"
            " that, the masks are of another run, whose categories have other numbers",
            folder,
            int((~same).sum()),
            len(same),
        )


def agreeing(masks: CorrectedMasks, found: Clusters, members: np.ndarray) -> np.ndarray:
    """(n,) bool of some images that were clustered: whether the largest category of the mask means their cluster."""
    label = dict(zip(found.row.tolist(), found.label.tolist(), strict=True))
    same = []
    for row in [row for row in masks.rows.tolist() if row in label][:READ]:
        ids = masks.read(row)
        counts = np.bincount(ids[(ids > 0) & (ids != IGNORE)], minlength=2)
        if counts.any():
            same.append(members[int(counts.argmax()), label[row]])
    return np.array(same, bool)
