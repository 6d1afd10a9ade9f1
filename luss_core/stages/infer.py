"""Step 4: images and segmenter -> masks, scored maps and threshold.json."""

import logging
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from luss_core import group
from luss_core.config import InferConfig
from luss_core.data.images import ImageList, read_images
from luss_core.data.masks import write_mask, write_scored
from luss_core.data.store import Store
from luss_core.data.whole import portion, resize_short, to_network
from luss_core.io import provenance, write_json
from luss_core.methods.segmenter import Segmented, Segmenter, load_segmenter
from luss_core.metrics.threshold import LEVELS, otsu
from luss_core.parallel import progress
from luss_core.runtime import autocast

logger = logging.getLogger(__name__)

SAMPLE = 2000
"""Training images whose scores decide the threshold; more do not move it."""
MAX_SIDE = 1000
"""Images of more than MAX_SIDE squared pixels are labelled at this longer side and enlarged by nearest neighbour."""
CLASS_CHUNK = 64
"""Maps enlarged at a time: memory stays flat in the number of categories."""
WAITING = 4
"""Images a thread that wait to be written, at the most."""


class Scale(NamedTuple):
    """How scores become levels 0..80."""

    greatest: float
    """The largest score of the training images: level 100."""
    histogram: np.ndarray
    """(81,) pixels of the training images at each level."""


def infer(
    cfg: InferConfig,
    *,
    images: Path,
    store: Path,
    segmenter: Path,
    masks: Path,
    scored: Path,
    threshold: Path,
    device: torch.device,
    threads: int,
    part: tuple[int, int] = (0, 1),
) -> None:
    """Segment the images of cfg.splits: arg-max of the activation maps where their maximum reaches the threshold.

    ``scored`` keeps the label and the score of every pixel, so that any other threshold can be evaluated later;
    ``masks`` are final. The threshold comes from the scores of the training images: no ground truth is used. Several
    processes share the images; each finds the threshold for itself.

    Args:
        part: which of how many parts of the images.
    """
    network, listing, pixels = load_segmenter(segmenter).to(device), read_images(images), Store(store)
    splits = [split for split in listing.splits if split in cfg.splits] or listing.splits
    rows = portion(np.concatenate([listing.rows(split) for split in splits]), 1, *part)
    own = rows[group.share(len(rows))]
    with torch.inference_mode(), autocast("auto", device):
        scale = score_scale(network, pixels, listing.rows("train"), cfg.size, device)
        level = otsu(scale.histogram) if cfg.threshold == "otsu" else min(round(cfg.threshold * 100), LEVELS - 1)
        logger.info(
            "infer: %d images of %s, threshold %.2f (%s)", len(rows), "+".join(splits), level / 100, cfg.threshold
        )
        with group.shared_folder(masks) as mask_folder, group.shared_folder(scored) as scored_folder:
            found = segment(network, pixels, listing, own, cfg.size, scale.greatest, device)
            pending: deque[Future[None]] = deque()
            with ThreadPoolExecutor(threads) as pool:
                for name, label, bins in progress(found, len(own), "images"):
                    pending.append(pool.submit(_write, mask_folder / name, scored_folder / name, label, bins, level))
                    if len(pending) > WAITING * threads:
                        pending.popleft().result()
                for job in pending:
                    job.result()
    if group.rank():
        return
    write_json(
        threshold,
        {
            "automatic": level,
            "rule": str(cfg.threshold),
            "histogram": scale.histogram.tolist(),
            "score_max": scale.greatest,
            "provenance": provenance({"infer": cfg.model_dump(mode="json")}),
        },
    )


def score_scale(network: Segmenter, pixels: Store, rows: np.ndarray, size: int, device: torch.device) -> Scale:
    """The range and the histogram of the scores over an even sample of the training images, at map resolution."""
    sample = rows[np.linspace(0, len(rows) - 1, min(SAMPLE, len(rows))).astype(int)]
    scores = []
    for row in sample:
        x = to_network(resize_short(pixels.read(int(row)), size)[None], device)
        scores.append(foreground(network.segment(x)).flatten().cpu().numpy())
    flat = np.concatenate(scores)
    greatest = max(float(flat.max()), 1e-6)
    return Scale(greatest, np.bincount(to_levels(flat / greatest), minlength=LEVELS))


def to_levels(score: np.ndarray) -> np.ndarray:
    """Scores as a fraction of the greatest -> levels 0..80, the hundredths at which the official sweep cuts."""
    return np.clip(np.floor(score * 100), 0, LEVELS - 1).astype(np.uint8)


def segment(
    network: Segmenter,
    pixels: Store,
    listing: ImageList,
    rows: np.ndarray,
    size: int,
    greatest: float,
    device: torch.device,
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """For each image its file name, its labels (H, W) in 1..C and its levels (H, W), at original size."""
    for row in rows:
        x = to_network(resize_short(pixels.read(int(row)), size)[None], device)
        label, score = labels_and_scores(network.segment(x), int(listing.height[row]), int(listing.width[row]))
        name = f"{listing.split[row]}/{listing.id[row]}.png"
        yield name, label.cpu().numpy(), to_levels(score.cpu().numpy() / greatest)


def foreground(found: Segmented) -> Tensor:
    """(B, h, w) scores: the attention, or the maximum of the activation maps where there is none."""
    if found.attention is not None:
        return found.attention.float().sigmoid()[:, 0]
    return found.maps.float().amax(dim=1)


def labels_and_scores(found: Segmented, height: int, width: int) -> tuple[Tensor, Tensor]:
    """(1, C, h, w) maps -> (H, W) arg-max + 1 of the maps enlarged bilinearly to H x W, and scores of the foreground.

    Images above a megapixel are handled as the official code does: longer side 1000, then nearest neighbour.
    """
    maps, shape = found.maps, (height, width)
    if height * width > MAX_SIDE**2:
        shrink = MAX_SIDE / max(height, width)
        shape = (int(height * shrink), int(width * shrink))
    score = maps.new_full(shape, -torch.inf, dtype=torch.float32)
    label = torch.zeros(shape, dtype=torch.int32, device=maps.device)
    for start in range(0, maps.shape[1], CLASS_CHUNK):
        part = F.interpolate(maps[:, start : start + CLASS_CHUNK].float(), shape, mode="bilinear", align_corners=False)
        top, index = part[0].max(dim=0)
        better = top > score
        score, label = torch.where(better, top, score), torch.where(better, index.int() + start + 1, label)
    if found.attention is not None:
        score = F.interpolate(foreground(found)[None], shape, mode="bilinear", align_corners=False)[0, 0]
    if shape != (height, width):
        score = F.interpolate(score[None, None], (height, width), mode="nearest")[0, 0]
        label = F.interpolate(label[None, None].float(), (height, width), mode="nearest")[0, 0].int()
    return label, score


def _write(mask: Path, scored: Path, label: np.ndarray, bins: np.ndarray, level: int) -> None:
    for path in (mask, scored):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_mask(mask, np.where(bins >= level, label, 0))
    write_scored(scored, label, bins)
