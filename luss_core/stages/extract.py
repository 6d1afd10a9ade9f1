"""Step 2a: images and encoder -> features.h5, one vector a training image."""

import logging
from contextlib import nullcontext
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from luss_core import group
from luss_core.config import ExtractConfig
from luss_core.data.features import write_features
from luss_core.data.images import read_images
from luss_core.data.store import Store
from luss_core.data.whole import portion, squares, to_network
from luss_core.io import provenance
from luss_core.models.encoder import Encoder, load_encoder, pool
from luss_core.parallel import progress
from luss_core.runtime import autocast

logger = logging.getLogger(__name__)

BINS = 8
"""Per colour channel, of the histogram control."""


def extract(
    cfg: ExtractConfig,
    *,
    images: Path,
    store: Path,
    encoder: Path,
    out: Path,
    device: torch.device,
    part: tuple[int, int] = (0, 1),
) -> None:
    """Write the pooled features of every training image, Sec. 3.1 of the LUSS paper.

    Memory does not grow with the number of images: one batch at a time goes from the store to the file. Several
    processes take turns with the batches, and the first of them writes.

    Args:
        part: which of how many parts of the images. Batches are those of the whole, and so is every bit of the vectors.
    """
    rows, pixels = portion(read_images(images).rows("train"), cfg.batch_size, *part), Store(store)
    network = load_encoder(encoder).to(device)
    dim = BINS**3 if cfg.features == "colour_histogram" else network.width_of(cfg.features)
    about = provenance({"extract": cfg.model_dump(mode="json")})
    logger.info("extract: %d images, %d numbers each, %s", len(rows), dim, device)
    at_once = cfg.batch_size * group.world_size()
    first = write_features(out, len(rows), dim, about) if group.rank() == 0 else nullcontext()
    with first as writer, torch.inference_mode(), autocast("auto", device):
        batches = squares(pixels, own_batches(rows, cfg.batch_size), cfg.size, cfg.crop, cfg.batch_size)
        for start in progress(range(0, len(rows), at_once), -(-len(rows) // at_once), "batches"):
            vectors = torch.empty(0, dim, device=device)
            for batch in islice(batches, 1):
                vectors = vectors_of(cfg, network, batch, device)
            vectors = group.in_order(vectors, cfg.batch_size)
            if writer is not None:
                writer.append(vectors.cpu().numpy(), rows[start : start + at_once])


def own_batches(rows: np.ndarray, batch_size: int) -> np.ndarray:
    """The rows of every batch that is this process's turn."""
    return rows[np.arange(len(rows)) // batch_size % group.world_size() == group.rank()]


def vectors_of(cfg: ExtractConfig, network: Encoder, batch: Tensor, device: torch.device) -> Tensor:
    """(B, 3, H, W) uint8 -> (B, D) float32."""
    if cfg.features == "colour_histogram":
        return colour_histogram(batch).to(device)
    return pool(network(to_network(batch, device)), cfg.features, cfg.attend).float()


def colour_histogram(images: Tensor) -> Tensor:
    """(B, 3, H, W) uint8 -> (B, 512) share of the pixels in each of 8x8x8 RGB bins; rows sum to 1."""
    bins = (images.long() * BINS) // 256
    code = ((bins[:, 0] * BINS + bins[:, 1]) * BINS + bins[:, 2]).flatten(1)
    counts = torch.zeros(len(images), BINS**3).scatter_add_(1, code, torch.ones(code.shape))
    return counts / code.shape[1]
