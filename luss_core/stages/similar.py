"""Where the heads of an encoder find the like of a marked point in a later frame, Fig. 3 of the CACL paper."""

import logging
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from luss_core.config import ExamineConfig, PretrainConfig
from luss_core.data.frame_pairs import pairs_of, videos_of
from luss_core.data.images import ImageList
from luss_core.data.shown_frames import ShownPair, marked_point, shown_pairs
from luss_core.data.store import Store
from luss_core.data.whole import resize_short, to_network
from luss_core.io import write_json
from luss_core.models.encoder import Encoder

logger = logging.getLogger(__name__)

NAME = "similarity.json"
SHOWN = 8
"""Pairs of frames."""


def write_similarity(
    cfg: ExamineConfig,
    trained: PretrainConfig,
    network: Encoder,
    heads: nn.ModuleDict,
    *,
    images: Path,
    listing: ImageList,
    pixels: Store,
    folder: Path,
) -> None:
    """Write similarity.json and <pair>/<head>.png: cosines, each map from its least (0) to its greatest (255).

    Nothing where there are no heads. The pairs are some of those that were learned from, the later frame seen by the
    same network as the first.
    """
    if not heads:
        return
    videos = videos_of(trained, images)
    pairs = shown_pairs(videos, pairs_of(trained, videos, listing.rows("train")), SHOWN)
    device = next(network.parameters()).device
    found = []
    for number, pair in enumerate(pairs):
        point = marked_point(pixels.read(pair.first))
        maps = [_map(network, pixels.read(row), cfg.size, device) for row in (pair.first, pair.second)]
        ranges = {}
        for name, head in heads.items():
            cosines = similarity(head(maps[0])[0], head(maps[1])[0], point).cpu().numpy()
            ranges[name] = [float(cosines.min()), float(cosines.max())]
            _write(folder / str(number) / f"{name}.png", cosines)
        found.append(_about(pair, point) | {"cosines": ranges})
    write_json(folder / NAME, {"heads": list(heads), "pairs": found})
    logger.info("examine: what %s find alike in %d pairs of frames", ", ".join(heads), len(found))


def similarity(first: Tensor, second: Tensor, point: tuple[float, float]) -> Tensor:
    """(h, w) cosines of the vector at a point of one map with those of another one.

    Args:
        first, second: (D, h, w).
        point: fractions of height and width, below 1.
    """
    row, column = (int(part * length) for part, length in zip(point, first.shape[1:], strict=True))
    vector = F.normalize(first[:, row, column], dim=0)
    return (vector[:, None, None] * F.normalize(second, dim=0)).sum(dim=0)


def _map(network: Encoder, image: np.ndarray, size: int, device: torch.device) -> Tensor:
    found: Tensor = network(to_network(resize_short(image, size, network.backbone.multiple)[None], device)).output
    return found


def _about(pair: ShownPair, point: tuple[float, float]) -> dict[str, object]:
    return pair._asdict() | {"y": point[0], "x": point[1]}


def _write(path: Path, cosines: np.ndarray) -> None:
    low, high = float(cosines.min()), float(cosines.max())
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.rint((cosines - low) / max(high - low, 1e-12) * 255).astype(np.uint8)).save(path, "PNG")
