"""Step 2a: images and encoder -> features.h5, one vector a training image."""

import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from luss_core.config import ExtractConfig
from luss_core.data.images import read_images
from luss_core.data.ordered import write_vectors
from luss_core.data.store import Store
from luss_core.data.whole import nearest_multiple, portion, squares, to_network, whole
from luss_core.io import provenance
from luss_core.models.encoder import Encoder, load_encoder, pool
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

    Args:
        part: which of how many parts of the images. Batches are those of the whole, and so is every bit of the vectors.
    """
    batch_size = cfg.batch_size if cfg.crop else 1
    rows, pixels = portion(read_images(images).rows("train"), batch_size, *part), Store(store)
    network = load_encoder(encoder).to(device)
    batches = partial(batches_of, cfg, pixels, 1 if cfg.features == "colour_histogram" else network.backbone.multiple)
    dim = BINS**3 if cfg.features == "colour_histogram" else network.width_of(cfg.features)
    about = provenance({"extract": cfg.model_dump(mode="json")})
    logger.info("extract: %d images, %d numbers each, %s", len(rows), dim, device)
    with autocast("auto", device):
        write_vectors(
            out, about, rows, batches, batch_size, dim, lambda images: vectors_of(cfg, network, images, device), device
        )


def batches_of(cfg: ExtractConfig, pixels: Store, multiple: int, rows: np.ndarray) -> Iterator[Tensor]:
    """What is looked at of the images, with sides that are multiples: (B, 3, h, w) uint8."""
    if cfg.crop is None:
        return whole(pixels, rows, cfg.size, multiple)
    crop = nearest_multiple(cfg.crop, multiple)
    return squares(pixels, rows, max(cfg.size, crop), crop, cfg.batch_size)


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
