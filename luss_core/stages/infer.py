"""Step 4: images and segmenter -> masks, scored.h5 and threshold.json."""

import logging
import shutil
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from luss_core import group
from luss_core.config import InferConfig
from luss_core.data.images import ImageList, read_images
from luss_core.data.masks import at_threshold, write_mask
from luss_core.data.scored import ScoredWriter, join_scored, pack, write_scored
from luss_core.data.store import Store
from luss_core.data.whole import portion, resize_short, to_network
from luss_core.io import provenance, write_json
from luss_core.methods.advcam import AdvCAM, with_advcam
from luss_core.methods.cams import load_segmenter
from luss_core.methods.segmenter import Segmenter
from luss_core.methods.whole_images import foreground, segment_image, to_levels
from luss_core.metrics.threshold import THRESHOLDS, otsu
from luss_core.models.tensor_file import foreign, read_about
from luss_core.parallel import progress
from luss_core.runtime import autocast

logger = logging.getLogger(__name__)

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
    ``masks`` are final. Where objects vote, they do at this threshold: what another one adds or leaves out keeps the
    label it has. The threshold comes from the scores of the training images: no ground truth is used. Several
    processes share the images; each finds the threshold for itself.

    Args:
        part: which of how many parts of the images.
    """
    network, listing, pixels = load_segmenter(segmenter).to(device), read_images(images), Store(store)
    climbing = with_advcam(network, cfg.advcam)
    about = provenance({"infer": cfg.model_dump(mode="json")})
    splits = [split for split in listing.splits if split in cfg.splits] or listing.splits
    rows = portion(np.concatenate([listing.rows(split) for split in splits]), 1, *part)
    own_rows = rows[group.own_slice(len(rows))]
    with torch.inference_mode(), autocast("auto", device):
        scale = score_scale(climbing, pixels, listing.rows("train"), cfg, device)
        level = otsu(scale.histogram) if cfg.threshold == "otsu" else round(cfg.threshold * 100)
        logger.info(
            "infer: %d images of %s, threshold %.2f (%s)", len(rows), "+".join(splits), level / 100, cfg.threshold
        )
        vote_from = level if cfg.vote == "object" else None
        maps = segment(climbing, pixels, listing, own_rows, cfg.size, scale.greatest, vote_from)
        with group.folder_of_all(masks) as folder, _shared_scored(scored, about) as writer:
            _write_all(progress(maps, len(own_rows), "images"), folder, writer, listing, level, threads)
    if group.rank():
        return
    write_json(
        threshold,
        {
            "automatic": level,
            "rule": str(cfg.threshold),
            "histogram": scale.histogram.tolist(),
            "score_max": scale.greatest,
            "size": cfg.size,
            "vote": cfg.vote,
            **({} if cfg.advcam is None else {"advcam": cfg.advcam.model_dump(mode="json")}),
            "weights": foreign(read_about(segmenter, "finetune")),
            "provenance": about,
        },
    )


def score_scale(
    network: Segmenter | AdvCAM, pixels: Store, rows: np.ndarray, cfg: InferConfig, device: torch.device
) -> Scale:
    """The range and the histogram of the scores over an even sample of the training images, at map resolution."""
    sample, scores = sampled(rows, cfg.sample), []
    for row in progress(sample, len(sample), "training images for the threshold"):
        image = resize_short(pixels.read(int(row)), cfg.size, network.encoder.backbone.multiple)
        x = to_network(image[None], device)
        scores.append(foreground(network.segment(x)).flatten().cpu().numpy())
    return scale_of(np.concatenate(scores))


def sampled(rows: np.ndarray, count: int) -> np.ndarray:
    """At most ``count`` of the rows, evenly spread."""
    return rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)]


def scale_of(scores: np.ndarray) -> Scale:
    """The range and the histogram of (n,) scores."""
    greatest = max(float(scores.max()), 1e-6)
    return Scale(greatest, np.bincount(to_levels(scores / greatest), minlength=THRESHOLDS))


def segment(
    network: Segmenter | AdvCAM,
    pixels: Store,
    listing: ImageList,
    rows: np.ndarray,
    size: int,
    greatest: float,
    vote_from: int | None = None,
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """For each image its row, its labels (H, W) in 1..C and its levels (H, W), at original size."""
    for row in map(int, rows):
        shape = int(listing.height[row]), int(listing.width[row])
        yield row, *segment_image(network, pixels.read(row), size, shape, greatest, vote_from)


def _write_all(
    maps: Iterator[tuple[int, np.ndarray, np.ndarray]],
    folder: Path,
    writer: ScoredWriter,
    listing: ImageList,
    level: int,
    threads: int,
) -> None:
    """Write masks in several threads, and the scored maps, which these threads compress, one after the other."""
    waiting: deque[tuple[int, int, int, Future[bytes]]] = deque()

    def take() -> None:
        row, height, width, packed = waiting.popleft()
        writer.append(row, height, width, packed.result())

    with ThreadPoolExecutor(threads) as pool:
        for row, label, levels in maps:
            path = folder / listing.split[row] / f"{listing.id[row]}.png"
            height, width = label.shape
            waiting.append((row, height, width, pool.submit(_write, path, label, levels, level)))
            if len(waiting) > WAITING * threads:
                take()
        while waiting:
            take()


def _write(mask: Path, label: np.ndarray, levels: np.ndarray, level: int) -> bytes:
    """Write the mask, and pack the scored map."""
    mask.parent.mkdir(parents=True, exist_ok=True)
    write_mask(mask, at_threshold(label, levels, level))
    return pack(label, levels)


@contextmanager
def _shared_scored(path: Path, about: dict[str, Any]) -> Iterator[ScoredWriter]:
    """A writer of the scored maps of this process. Where there are several, the first joins what they wrote."""
    if group.world_size() == 1:
        with write_scored(path, about) as writer:
            yield writer
        return
    parts = path.with_suffix(".parts")
    with group.folder_of_all(parts) as folder, write_scored(folder / f"{group.rank():04d}.h5", about) as writer:
        yield writer
    if group.rank() == 0:
        try:
            join_scored(sorted(parts.iterdir()), path)
        finally:
            shutil.rmtree(parts)
