"""A few annotated images and an encoder -> probe.safetensors, scores.json and per_class.csv of a network that learned
from them."""

import logging
from pathlib import Path

import torch

from luss_core import group
from luss_core.config import ProbesConfig
from luss_core.data.annotated.check import without_sample
from luss_core.data.annotated.read import Labels, Photographs, few
from luss_core.data.loader import Plane, Views
from luss_core.digests import content
from luss_core.methods.pixels import PixelClassifier
from luss_core.models.encoder import load_encoder
from luss_core.runtime import derive_seed
from luss_core.sources import of_training
from luss_core.stages.probing import Outputs, Probed, annotated, write_results
from luss_core.train.folder import TrainingFolder, inputs
from luss_core.train.loop import Resources, fit

logger = logging.getLogger(__name__)


def limited(
    cfg: ProbesConfig,
    *,
    root: Path,
    encoder: Path,
    percent: float,
    seed: int,
    state: Path,
    outputs: Outputs,
    resources: Resources,
) -> None:
    """Train the whole network with ``percent`` of the labels and score it; "Limited Sample Supervision" of the paper.

    Raises:
        UserError: images or labels that cannot be used, or less than one image.
        Interrupted: SIGTERM or SIGINT came; the state is saved.
    """
    part, data = cfg.limited, annotated(cfg.data, root, resources.threads)
    chosen = few(len(data.train), percent, seed)
    learned = data.learned[chosen]
    if missing := without_sample(learned, data.train.classes):
        logger.warning("%g %% are %d images, without a sample of %s", percent, len(chosen), ", ".join(missing))
    store = Photographs(data.train, part.size)
    views = Views(store, chosen, part.views, seed, planes={"masks": Plane(Labels(data.train), nearest=True)})
    train = part.train.model_copy(update={"batch_size": min(part.train.batch_size, len(chosen))})
    settings = {
        "limited": part.model_dump(mode="json", exclude={"percents"}),
        "percent": percent,
        "seed": seed,
        "data": data.fingerprint,
        **inputs(views),
    }
    folder = TrainingFolder(state, settings | {"encoder": content(encoder)}, of_training("limited"))
    torch.manual_seed(derive_seed(seed, 4))
    network = load_encoder(encoder)
    with folder.locked():
        method = PixelClassifier(network, part.features, len(data.train.classes))
        logger.info("limited: %d images, %s", len(views), group.described(resources.device))
        fit(method, views, train, folder, resources)
        if group.rank():
            return
        probed = Probed("limited", percent, len(chosen), learned, part.size)
        write_results(outputs, method.eval(), data, probed, encoder, settings)
        folder.hand_over(outputs.log)
