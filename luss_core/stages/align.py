"""Several runs of one data set -> which of their categories mean the same, where seeds disagree, and their masks."""

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from luss_core.config import ReportConfig
from luss_core.data.features import read_clusters
from luss_core.data.images import ImageList, read_images
from luss_core.data.masks import resize_nearest
from luss_core.data.spread import evenly
from luss_core.errors import UserError
from luss_core.io import atomic_folder, read_json
from luss_core.metrics.agreement import by_class, disagreement, mean_disagreement, partners, shared, summed, weighed
from luss_core.report.aligned import AlignedRun, mask_text, masks_file, packed, write_runs
from luss_core.report.comparison import ScoredRun
from luss_core.report.gallery_data import areas, default_names
from luss_core.stages.all_images import read_files

logger = logging.getLogger(__name__)

SIDE = 96
"""Pixels of the longer side of the masks that are compared with each other."""
CHUNK = 256
"""Images that are held at once."""


class Found(NamedTuple):
    """What the runs found in one image."""

    row: int
    labels: list[int]
    """Category of it in each run, 0 for none."""
    content: list[list[Any] | None]
    """``packed`` of each."""
    pairs: list[np.ndarray]
    """``weighed`` of each two runs, in the order of ``combinations``."""


def align(cfg: ReportConfig, *, runs: Sequence[ScoredRun], out: Path, threads: int) -> None:
    """Write runs.html and <n>.html, which the pages of all images of the runs load.

    Args:
        runs: whose page of all images was made.

    Raises:
        UserError: a file is missing or damaged, or the runs are not of the same images.
    """
    listing, rows, aligned = _opened(runs, cfg.images)
    apart: list[list[np.ndarray]] = [[] for _ in combinations(aligned, 2)]
    with atomic_folder(out) as partial, ThreadPoolExecutor(threads) as pool:
        with ExitStack() as stack:
            files = [stack.enter_context(masks_file(partial / f"{k}.html", aligned[k])) for k in range(len(aligned))]
            for start in range(0, len(rows), CHUNK):
                chunk = rows[start : start + CHUNK]
                for found in pool.map(lambda row: _found(listing, aligned, row), chunk):
                    for file, label, content in zip(files, found.labels, found.content, strict=True):
                        file.write(mask_text(found.row, label, content, found.row == rows[0]))
                    for held, pairs in zip(apart, found.pairs, strict=True):
                        held.append(pairs.astype(np.int32))
                for held, (one, other) in zip(apart, combinations(aligned, 2), strict=True):
                    if one.preset != other.preset:  # of which only the sum is asked
                        held[:] = [summed(held)]
        data = summary(aligned, rows, apart)
        write_runs(partial, data)
    logger.info("align: %d runs, %d images, %s", len(runs), len(rows), out)


def summary(runs: Sequence[AlignedRun], rows: Sequence[int], apart: Sequence[Sequence[np.ndarray]]) -> dict[str, Any]:
    """What runs.html says, as JSON values.

    Args:
        apart: of each two runs what they share in every image; of two presets their sum will do.
    """
    found, seeds = [], dict[str, list[list[float]]]()
    for (i, j), pairs in zip(combinations(range(len(runs)), 2), apart, strict=True):
        one, other = runs[i], runs[j]
        partner = _partners(one, other, pairs)
        found.append([i, j, partner.tolist()])
        if one.preset == other.preset:
            seeds.setdefault(one.preset, []).append([disagreement(each, partner) for each in pairs])
    return {
        "runs": [
            {"name": run.name, "preset": run.preset, "seed": run.seed, "clustering": run.clustering}
            | {"names": run.names}
            for run in runs
        ],
        "partners": found,
        "rows": list(rows),
        "apart": {preset: mean_disagreement(each) for preset, each in seeds.items()},
    }


def _partners(one: AlignedRun, other: AlignedRun, pairs: Sequence[np.ndarray]) -> np.ndarray:
    """Where there is ground truth, categories of one class are partners, as their colours say already."""
    if one.match and other.match:
        return by_class(one.match, other.match, (one.categories, other.categories))
    return partners(pairs, one.categories, other.categories)


def _opened(runs: Sequence[ScoredRun], limit: int) -> tuple[ImageList, list[int], list[AlignedRun]]:
    """The images, the rows that are shown, and the runs.

    Raises:
        UserError: as ``align``.
    """
    given = [read_files(run.folder)[0] for run in runs]
    first = given[0].images
    for run, files in zip(runs, given, strict=True):
        if files.images.resolve() != first.resolve():
            raise UserError(
                f"{run.folder} is of the images in {files.images}, {runs[0].folder} of those in {first}; give runs of"
                " one data set"
            )
    listing = read_images(first)
    rows = evenly(range(len(listing)), limit)
    wanted = np.array(rows)
    aligned = []
    for run, files in zip(runs, given, strict=True):
        clusters, scores = read_clusters(files.clusters), read_json(files.scores)
        names, match = (scores["names"], scores["match"]) if scores["truth"] else (None, None)
        shown = np.isin(clusters.row, wanted)
        labels = zip(clusters.row[shown].tolist(), (clusters.label[shown] + 1).tolist(), strict=True)
        number = len(clusters.centroids)
        aligned.append(
            AlignedRun(
                *(run.preset, run.seed, files.masks, clusters.fingerprint, number),
                default_names(names, match, number),
                match,
                dict(labels),
            )
        )
    return listing, rows, aligned


def _found(listing: ImageList, runs: Sequence[AlignedRun], row: int) -> Found:
    """What the runs found in one image; where one did not segment it, the categories that it was clustered into."""
    name = f"{listing.split[row]}/{listing.id[row]}"
    masks, labels = [run.mask(name) for run in runs], [run.labels.get(row, 0) for run in runs]
    small = [mask if mask is None else _small(mask) for mask in masks]
    content = [packed(mask, run.categories) for mask, run in zip(masks, runs, strict=True)]
    pairs = list(_pairs(small, labels))
    shown = [label or _largest(mask) for label, mask in zip(labels, masks, strict=True)]
    return Found(row, shown, content, pairs)


def _largest(mask: np.ndarray | None) -> int:
    found = areas(mask)
    return int(found[0][0]) if found else 0


def _pairs(masks: Sequence[np.ndarray | None], labels: Sequence[int]) -> Iterator[np.ndarray]:
    for i, j in combinations(range(len(masks)), 2):
        one, other = masks[i], masks[j]
        if one is None or other is None:
            yield weighed(np.array([[labels[i], labels[j], 1]], np.int64))
        else:
            yield weighed(shared(one, resize_nearest(other, *one.shape)))


def _small(mask: np.ndarray) -> np.ndarray:
    scale = min(1, SIDE / max(mask.shape))
    return resize_nearest(mask, *(max(1, round(side * scale)) for side in mask.shape))
