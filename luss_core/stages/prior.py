"""images.h5 -> prior.h5 and summary.json: a saliency map of every image, computed or taken from a folder."""

import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from threadpoolctl import threadpool_limits

from luss_core import changed, io
from luss_core.config import PriorConfig
from luss_core.data.baselines import centre_prior, spectral_residual
from luss_core.data.check import attempt
from luss_core.data.contents import contents
from luss_core.data.images import ImageList, read_images
from luss_core.data.masks import MaskFile
from luss_core.data.packing import Packed, Packing, digest_of_files, digest_of_source, packed
from luss_core.data.saliency import region_contrast
from luss_core.data.saliency_folder import find_maps, raise_unusable, read_map
from luss_core.data.store import Store
from luss_core.errors import UserError
from luss_core.metrics.saliency import RULE, foreground_f, salient
from luss_core.parallel import batches

log = logging.getLogger(__name__)

BATCH = 32
"""Images that a process hands over at once: what is in memory does not grow with the data set."""
SCORED = ("prior", "centre", "spectral_residual")
SCORED_SPLITS = ("validation", "test", "train")
"""The first of these that has masks is scored."""
OUTPUTS = ("summary.json", "prior.h5", changed.NAME)
SOURCE = (
    *("data/baselines.py", "data/decode.py", "data/coding.py", "data/masks.py", "data/palette.py", "data/saliency.py"),
    *("data/saliency_folder.py", "metrics/saliency.py", "stages/prior.py"),
)
"""What decides the maps and their scores, besides settings, files and libraries."""
FEWEST_LEVELS = 2
"""A set of maps that never reaches this value was written in 0..1 instead of 0..255."""


class Job(NamedTuple):
    """One image: its row, its map below the folder ('' to compute it), its mask (None for no score)."""

    row: int
    map: str
    mask: MaskFile | None


@dataclass
class PriorSums:
    """Sums over the batches so far."""

    images: int = 0
    empty: int = 0
    statistics: np.ndarray = field(default_factory=lambda: np.zeros(3))
    largest: float = 0.0
    scored: int = 0
    scores: np.ndarray = field(default_factory=lambda: np.zeros(len(SCORED)))
    problems: list[str] = field(default_factory=list)

    def add(self, notes: dict[str, Any]) -> None:
        """What ``_make`` notes of a batch."""
        statistics = np.array(notes["statistics"])
        self.images += len(statistics)
        self.empty += int((statistics[:, 2] == 0).sum())
        self.statistics += statistics.sum(axis=0)
        self.largest = max(self.largest, float(statistics[:, 2].max()))
        self.scored += len(notes["scores"])
        self.scores += np.array(notes["scores"]).reshape(-1, len(SCORED)).sum(axis=0)
        self.problems += notes["problems"]


def prior(cfg: PriorConfig, *, images: Path, store: Path, out: Path, state: Path, threads: int, mark: str = "") -> None:
    """Write ``out``/prior.h5, a ``Store`` of one channel whose row i belongs to row i of images.csv, and summary.json.

    The pixels are those of images.h5, so no file is decoded again. A map has the size of the stored image, reduced to
    ``cfg.size``; 255 stands out most. summary.json, written last, holds how much of the images is salient, and where
    there are masks the F of the maps beside two baselines. Goes on from ``state`` after an interruption, to the same
    files. files.jsonl is the record that changes of the folder are found by.

    Args:
        mark: what the folder goes by in the workflow, see ``changed``.

    Raises:
        UserError: the inputs do not belong together, maps in the folder cannot be used, or ``out`` cannot be written.
    """
    with io.locked(state, "making saliency maps"):
        for name in OUTPUTS:
            io.remove(out / name)
        listing, pixels = read_images(images), Store(store)
        if len(listing) != len(pixels):
            counts = f"{images} has {len(listing)} images, {store} has {len(pixels)}"
            raise UserError(f"{counts}; run the stage prepare again")
        folder = None if cfg.folder is None else Path(cfg.folder).expanduser()
        seen: changed.Seen = changed.look(folder) if folder is not None and folder.is_dir() else {}
        maps = None if folder is None else find_maps(folder, listing, threads)
        split = next((split for split in SCORED_SPLITS if any(listing.mask[row] for row in listing.rows(split))), "")
        settings = {"prior": cfg.model_dump(mode="json"), "images": pixels.fingerprint}
        truth = (listing.mask[row] for row in listing.rows(split)) if split else ()
        masks = digest_of_files(listing.root, truth, threads), listing.coding.to_json(), dict(listing.turned)
        own = digest_of_files(folder, maps, threads) if folder and maps else ""
        size = int(map_shapes(pixels.shapes, cfg.size).prod(axis=1).sum())
        key = [settings, str(listing.root), masks, own, digest_of_source(SOURCE)]
        packing = Packing(state, out / "prior.h5", size, key, channels=1)
        sums, work = PriorSums(), partial(_make, cfg, pixels, folder)
        for batch in packing.run(work, batches(_jobs(listing, maps, split), BATCH), threads, len(listing), "maps"):
            sums.add(batch.notes)
        if folder is not None:
            _stop_if_unusable(folder, sums, state)
        about = io.provenance(settings)
        packing.complete(about)
        packing.hand_over()
        known = dict(zip(seen, contents(folder, seen), strict=True)) if folder else {}
        changed.write(out / changed.NAME, seen, known, mark)
        io.write_json(out / "summary.json", _summary(cfg, sums, split, about))
        shutil.rmtree(state)


def map_shapes(shapes: np.ndarray, size: int) -> np.ndarray:
    """(n, 2) int64 height and width of the maps: those of the stored images, the longer side at most ``size``."""
    scale = np.minimum(1, size / shapes.max(axis=1, keepdims=True))
    return np.maximum(1, np.rint(shapes * scale)).astype(np.int64)


def _jobs(listing: ImageList, maps: list[str] | None, split: str) -> Iterator[Job]:
    for row in range(len(listing)):
        yield Job(row, maps[row] if maps else "", listing.truth(row) if listing.split[row] == split else None)


def _make(cfg: PriorConfig, store: Store, folder: Path | None, jobs: list[Job]) -> Packed:
    """The maps of one batch. One thread of BLAS a process: the processes share the cores already.

    Returns:
        As notes
        statistics: for each map its mean, the share of its pixels that are salient, and its greatest value, in [0, 1];
        scores: F of the map and of the two baselines, for the images with a mask;
        problems: maps of the folder that cannot be used.
    """
    shapes = map_shapes(np.array([store.read(job.row).shape[:2] for job in jobs]), cfg.size).tolist()
    maps: list[bytes] = []
    notes: dict[str, list[Any]] = {"statistics": [], "scores": [], "problems": []}
    with threadpool_limits(1):
        for job, (height, width) in zip(jobs, shapes, strict=True):
            image = _reduced(store.read(job.row), height, width)
            saliency = _computed(cfg, image) if folder is None else attempt(read_map, folder / job.map, height, width)
            if isinstance(saliency, str):
                notes["problems"].append(f"{job.map!r}: {saliency}")
                saliency = np.zeros((height, width), np.uint8)
            maps.append(saliency.tobytes())
            values = saliency.mean() / 255, salient(saliency / 255).mean(), saliency.max() / 255
            notes["statistics"].append([float(value) for value in values])
            if job.mask:
                notes["scores"].append([float(f) for f in _scores(image, saliency, job.mask.read())])
    return packed(len(jobs), maps, shapes, notes)


def _reduced(image: np.ndarray, height: int, width: int) -> np.ndarray:
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))


def _computed(cfg: PriorConfig, image: np.ndarray) -> np.ndarray:
    return np.rint(255 * region_contrast(image, cfg)).astype(np.uint8)


def _scores(image: np.ndarray, saliency: np.ndarray, truth: np.ndarray) -> list[float]:
    """F of the map and of the baselines at the size of the truth."""
    height, width = truth.shape
    maps = saliency.astype(np.float32) / 255, centre_prior(image.shape[:2]), spectral_residual(image)
    whole = (Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR) for plane in maps)
    return [foreground_f(salient(np.asarray(plane)), truth) for plane in whole]


def _stop_if_unusable(folder: Path, sums: PriorSums, state: Path) -> None:
    """The work is of no use then: other maps must be read."""
    unusable = bool(sums.problems) or sums.largest * 255 < FEWEST_LEVELS
    if unusable:
        shutil.rmtree(state)
    if sums.problems:
        raise_unusable(folder, [("maps that cannot be used", sums.problems)])
    if unusable:
        raise UserError(
            f"prior.folder {folder}: all maps are black; the greatest value is {sums.largest * 255:.0f} of 255."
            " Write 255, not 1, for what stands out"
        )


def _summary(cfg: PriorConfig, sums: PriorSums, split: str, about: dict[str, Any]) -> dict[str, Any]:
    mean, salient_share, _ = (sums.statistics / max(sums.images, 1)).tolist()
    summary: dict[str, Any] = {
        "source": cfg.folder or "region contrast",
        "images": sums.images,
        "empty": sums.empty,
        "mean": mean,
        "salient": salient_share,
        "rule": RULE,
        "F": None,
    }
    if sums.scored:
        percent = (100 * sums.scores / sums.scored).tolist()
        summary["F"] = {"split": split, "images": sums.scored, **dict(zip(SCORED, percent, strict=True))}
        log.info("F on %d %s images: %.1f; centre %.1f, spectral residual %.1f", sums.scored, split, *percent)
    log.info("%d maps, %.0f %% of the pixels salient, %d empty", sums.images, 100 * salient_share, sums.empty)
    return {**summary, "provenance": about}
