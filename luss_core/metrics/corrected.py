"""Scores of masks as a person corrected them, to stand beside those of what was found."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from luss_core.config import EvaluateConfig
from luss_core.data.features import read_clusters
from luss_core.data.masks import read_prediction
from luss_core.edits import Edits, looked_up
from luss_core.edits_file import of_run
from luss_core.metrics.evaluation import MatchedCounts
from luss_core.metrics.files import Counted, each
from luss_core.metrics.matching import Match, match_rest, same_names, to_json
from luss_core.metrics.scores import Absent, scores
from luss_core.metrics.search import Search
from luss_core.metrics.segmented import SegmentedImage, count_pixels, with_truth


class Corrected(NamedTuple):
    """The scores of all splits."""

    match: Match
    """Class of each category that is shown."""
    named: tuple[int, ...]
    """Categories that a person called as a class, and that are this class for that reason."""
    splits: dict[str, MatchedCounts]

    def to_json(self, absent: Absent) -> dict[str, Any]:
        """For scores.json."""
        found = {split: scores(counts.finish(), absent) for split, counts in self.splits.items()}
        return {"match": to_json(self.match), "named": list(self.named), "splits": found}


class _Item(NamedTuple):
    image: SegmentedImage
    table: np.ndarray
    """What is shown for each id."""


def edits_of_clusters(path: Path | None, clusters: Path | None, classes: int) -> Edits:
    """What people corrected in a clustering; nothing where there is no file, or it is of another clustering.

    Args:
        clusters: clusters.h5; None not to compare.

    Raises:
        UserError: as ``edits_file.of_run``.
    """
    if path is None or not path.exists():
        return Edits()
    return of_run(path, read_clusters(clusters).fingerprint if clusters else "", classes)[0]


def score_corrected(
    cfg: EvaluateConfig,
    splits: Mapping[str, Sequence[SegmentedImage]],
    search: Search | None,
    edits: Edits | None,
    names: Sequence[str],
    threads: int,
) -> Corrected | None:
    """The scores of corrected masks at the automatic threshold; None where nothing is corrected, or without truth.

    A category that a person called as a class is that class; several may be. The others are matched one to one with the
    classes that are left, by how many images of the reference split hold both, as those that were found are.

    Args:
        search: which split matching looks at; None without truth.
        names: of the classes, other first.

    Raises:
        UserError: a file cannot be read.
    """
    if search is None or edits is None or edits.empty:
        return None
    classes, judged = len(names) - 1, {split: with_truth(images) for split, images in splits.items()}
    items = {
        s: [_Item(image, edits.table_of(image.name)) for image in images] for s, images in judged.items() if images
    }
    count = partial(_count, classes=classes)
    named = by_name(edits, names)
    if cfg.match == "identity":
        match = {0: 0, **{k: k for k in edits.shown if k <= classes}, **named}
    else:
        joints = (one.joint for one in each(count, items[search.reference], threads))
        match = match_rest(joints, named, edits.shown, edits.total, classes)
    found = {split: MatchedCounts(classes, match, "drop") for split in items}
    for split, images in items.items():
        for one in each(count, images, threads):
            found[split].add(one)
    return Corrected(match, tuple(sorted(named)), found)


def by_name(edits: Edits, names: Sequence[str]) -> Match:
    """The class of each shown category that a person called as one.

    Args:
        names: of the classes, other first.
    """
    called = {k: edits.names[k] for k in edits.shown if k in edits.names}
    return same_names(called, dict(list(enumerate(names))[1:]))


def _count(item: _Item, classes: int) -> Counted:
    mask = looked_up(item.table, read_prediction(item.image.mask))
    return count_pixels(item.image, mask, classes)
