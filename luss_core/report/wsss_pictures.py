"""Pictures for the page of `snakemake wsss`: of a few images the activation map and the mask of every method."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from luss_core.colours import Palette
from luss_core.config.wsss import WSSSRow
from luss_core.data.images import ImageList
from luss_core.data.scored import read_scored, scored_images
from luss_core.data.spread import panel_rows
from luss_core.data.store import Store
from luss_core.metrics.threshold import THRESHOLDS
from luss_core.report.comparison import ScoredRun
from luss_core.report.panels import LONGEST, Layer, Panel, Prediction, cluster_classes, make_panels
from luss_core.report.pictures import intensity_uri
from luss_core.report.wsss_paper import title

SHOWN = 5
"""Images of each encoder and kind of labels."""
GLASS = 200
"""Opacity of a heat map: the photograph stays to be seen."""


@dataclass(frozen=True)
class Pictures:
    """The images of one encoder and kind of labels: a row an image, a column a method."""

    encoder: str
    labels: str
    seed: int
    titles: list[str]
    panels: list[tuple[Panel, list[Layer]]]
    """Each with its photograph, truth and masks, and the heat map of every mask."""


def pictures(
    runs: Sequence[ScoredRun],
    scores: Sequence[Mapping[str, Any]],
    rows: Sequence[WSSSRow],
    listing: ImageList,
    store: Store,
    split: str,
    palette: Palette,
) -> list[Pictures]:
    """Those of every encoder and kind of labels that has a run; of each row the smallest seed.

    Raises:
        UserError: a mask or a scored map is missing or damaged.
    """
    truth = any(values["truth"] for values in scores)
    shown = panel_rows(listing, split, truth, SHOWN)
    first: dict[str, tuple[ScoredRun, Mapping[str, Any]]] = {}
    for run, values in sorted(zip(runs, scores, strict=True), key=lambda pair: pair[0].seed):
        first.setdefault(run.preset, (run, values))
    found = []
    for encoder, labels in dict.fromkeys((row.encoder, row.labels) for row in rows):
        part = [row for row in rows if (row.encoder, row.labels) == (encoder, labels) and row.name in first]
        if part and shown:
            methods = [title(row.segmented) for row in part]
            own = [first[row.name] for row in part]
            panels = _panels(own, methods, listing, store, shown, palette, truth)
            found.append(Pictures(encoder, labels, own[0][0].seed, methods, panels))
    return found


def _panels(
    own: Sequence[tuple[ScoredRun, Mapping[str, Any]]],
    methods: Sequence[str],
    listing: ImageList,
    store: Store,
    shown: Sequence[int],
    palette: Palette,
    truth: bool,
) -> list[tuple[Panel, list[Layer]]]:
    predictions = [
        Prediction(name, run.masks, cluster_classes(values.get("match"), values["classes"]))
        for name, (run, values) in zip(methods, own, strict=True)
    ]
    panels = make_panels(listing, store, shown, predictions, palette, truth)
    maps = [scored_images(run.folder / "infer" / "scored.h5") for run, _ in own]
    heats = [
        [heat_layer(name, panel.id, read_scored(found[row])[1]) for name, found in zip(methods, maps, strict=True)]
        for panel, row in zip(panels, shown, strict=True)
    ]
    return list(zip(panels, heats, strict=True))


def heat_layer(name: str, image: str, levels: np.ndarray) -> Layer:
    """The scores (H, W) of an image in 0..80, bright where they are high."""
    values = np.rint(levels.astype(np.float32) * (255 / (THRESHOLDS - 1))).astype(np.uint8)
    alt = f"activation map of {name}, {image}: on average {values.mean() / 255:.0%} of the greatest shown"
    return Layer(name, intensity_uri(values, longest=LONGEST, opacity=GLASS), None, alt)
