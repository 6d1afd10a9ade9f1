"""Step 2a: images and encoder -> features.h5, one vector a training image."""

import logging
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from luss_core.config import ExtractConfig
from luss_core.data.features import write_features
from luss_core.data.images import read_images
from luss_core.data.store import Store
from luss_core.data.whole import squares, to_network
from luss_core.io import provenance
from luss_core.models.encoder import load_encoder, pool
from luss_core.runtime import autocast

logger = logging.getLogger(__name__)

BINS = 8
"""Per colour channel, of the histogram control."""


def extract(cfg: ExtractConfig, *, images: Path, store: Path, encoder: Path, out: Path, device: torch.device) -> None:
    """Write the pooled features of every training image, Sec. 3.1 of the LUSS paper.

    Memory does not grow with the number of images: one batch at a time goes from the store to the file.
    """
    rows, pixels = read_images(images).rows("train"), Store(store)
    network = load_encoder(encoder).to(device)
    dim = BINS**3 if cfg.features == "colour_histogram" else network.width_of(cfg.features)
    about = provenance({"extract": cfg.model_dump(mode="json")})
    logger.info("extract: %d images, %d numbers each, %s", len(rows), dim, device)
    with write_features(out, len(rows), dim, about) as writer, torch.inference_mode(), autocast("auto", device):
        batches = squares(pixels, rows, cfg.size, cfg.crop, cfg.batch_size)
        for batch, part in tqdm(batches, total=-(-len(rows) // cfg.batch_size), unit="batch", disable=None):
            if cfg.features == "colour_histogram":
                vectors = colour_histogram(batch)
            else:
                vectors = pool(network(to_network(batch, device)), cfg.features, cfg.attend)
            writer.append(vectors.cpu().numpy().astype(np.float32), part)


def colour_histogram(images: Tensor) -> Tensor:
    """(B, 3, H, W) uint8 -> (B, 512) share of the pixels in each of 8x8x8 RGB bins; rows sum to 1."""
    bins = (images.long() * BINS) // 256
    code = ((bins[:, 0] * BINS + bins[:, 1]) * BINS + bins[:, 2]).flatten(1)
    counts = torch.zeros(len(images), BINS**3).scatter_add_(1, code, torch.ones(code.shape))
    return counts / code.shape[1]
