"""What the two probes share: the annotated images, looked at before anything is trained, and what is written."""

import hashlib
import logging
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from luss_core.config import AnnotatedConfig
from luss_core.data.annotated import AnnotatedImages, read_annotated
from luss_core.data.annotated.check import pixels_of_classes, without_sample
from luss_core.data.images import write_csv
from luss_core.data.masks import write_mask
from luss_core.data.spread import shown_positions
from luss_core.io import atomic_folder, provenance, write_json
from luss_core.methods.pixels import PixelClassifier, confusion
from luss_core.metrics.probe import COLUMNS, class_rows, scores_of_confusion
from luss_core.models.tensor_file import foreign, read_about
from luss_core.models.weights import save_weights
from luss_core.parallel import progress

logger = logging.getLogger(__name__)


class Annotated(NamedTuple):
    """What is learned from and what is scored."""

    train: AnnotatedImages
    test: AnnotatedImages
    learned: np.ndarray
    """(N, C) pixels of each class in each of the first."""

    @property
    def fingerprint(self) -> str:
        """Of what is learned from: names and contents of the files, and what their labels mean."""
        return hashlib.sha256(self.train.fingerprint.encode() + self.learned.tobytes()).hexdigest()


class Outputs(NamedTuple):
    """What a probe writes."""

    scores: Path
    table: Path
    probe: Path
    log: Path
    masks: Path | None = None
    """Folder of what is found in the images that pages show."""


class Probed(NamedTuple):
    """How a network learned."""

    protocol: str
    percent: float
    """Of the labels."""
    images: int
    learned: np.ndarray
    """(n, C) pixels of each class in each image that it learned from."""
    size: int | None
    """Shorter side in pixels of the images that it is shown."""


def annotated(cfg: AnnotatedConfig, root: Path, threads: int) -> Annotated:
    """The data set, every file of it looked at.

    Raises:
        UserError: as ``read_annotated`` and ``pixels_of_classes``.
    """
    train, test = read_annotated(cfg, root)
    learned, scored = (pixels_of_classes(images, threads) for images in (train, test))
    for images, pixels in ((train, learned), (test, scored)):
        if missing := without_sample(pixels, images.classes):
            logger.warning("%s, %s: no pixel of %s", images.root, images.split, ", ".join(missing))
    return Annotated(train, test, learned)


def write_results(
    outputs: Outputs,
    classifier: PixelClassifier,
    data: Annotated,
    probed: Probed,
    encoder: Path,
    settings: dict[str, Any],
) -> None:
    """Score a network and write scores.json, per_class.csv and its weights."""
    train, test = data.train, data.test
    over = progress(range(len(test)), len(test), "images scored")
    counts = confusion(classifier, test, probed.size, over)
    scores = scores_of_confusion(counts, test.classes)
    if outputs.masks is not None:
        write_shown(outputs.masks, classifier, test, probed.size)
    about = read_about(encoder, "pretrain")
    content = {
        "protocol": probed.protocol,
        "percent": probed.percent,
        "data": {"root": str(train.root), "train": train.split, "test": test.split},
        "learned": probed.images,
        "images": len(test),
        "classes": list(test.classes),
        "untrained": without_sample(probed.learned, train.classes),
        **scores,
        "weights": foreign(about),
        "provenance": provenance(settings),
    }
    made = {"encoder": about["encoder"], "features": classifier.features, "classes": list(test.classes)}
    save_weights(outputs.probe, classifier, made | {"weights": foreign(about), "provenance": provenance(settings)})
    rows = class_rows(scores, counts, probed.learned.sum(axis=0), test.classes)
    write_csv(outputs.table, COLUMNS, rows)
    write_json(outputs.scores, content)
    logger.info(
        "%s, %s, %d images: mIoU %.2f, mean accuracy %.2f, pixels %.2f %%; %d of %d classes occur",
        *(probed.protocol, test.split, len(test), scores["mIoU"], scores["mAcc"], scores["accuracy"]),
        *(len(test.classes) - len(scores["absent"]), len(test.classes)),
    )


def write_shown(masks: Path, classifier: PixelClassifier, images: AnnotatedImages, size: int | None) -> None:
    """<position>.png of each image that pages show: its classes at the size of its label."""
    with atomic_folder(masks) as folder:
        for i in shown_positions(len(images)):
            height, width = images.mask(i).shape
            write_mask(folder / f"{i}.png", classifier.segment(images.image(i, size), size, (height, width)))
