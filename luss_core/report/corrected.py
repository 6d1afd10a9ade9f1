"""The report with what people corrected: categories that are shown, under their names, and the images in each."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from luss_core.colours import Palette, class_colours
from luss_core.data.features import Clusters
from luss_core.data.images import ImageList
from luss_core.edits import Edits


def corrected_palette(edits: Edits, names: Sequence[str]) -> Palette:
    """Names and colours of the categories that are shown, with no gaps where others were merged.

    Args:
        names: (C + 1,) of the categories that were found.
    """
    ids = [0, *edits.shown]
    called = edits.called(names)
    return Palette([called[k] for k in ids], class_colours(edits.total)[ids])


def places(edits: Edits) -> np.ndarray:
    """(total + 1,) int32: where each category stands in that palette, 0 for background."""
    found = np.zeros(edits.total + 1, np.int32)
    found[edits.shown] = np.arange(1, len(edits.shown) + 1)
    return found[edits.table]


def corrected_clusters(found: Clusters, listing: ImageList, edits: Edits) -> tuple[Clusters, np.ndarray]:
    """The images under the categories of that palette, those of background left out, and the (n + 1,) places there."""
    label = places(edits)[found.label + 1]
    at = {row: k for k, row in enumerate(found.row.tolist())} if edits.moved else {}
    for row in at:
        if (image := f"{listing.split[row]}/{listing.id[row]}") in edits.moved:
            label[at[row]] = places(edits)[edits.category_of(int(found.label[at[row]]) + 1, image)]
    kept, count = label > 0, len(edits.shown)
    centroids = np.zeros((count, found.centroids.shape[1]), np.float32)
    shown = replace(
        found, centroids=centroids, row=found.row[kept], label=label[kept] - 1, distance=found.distance[kept]
    )
    return shown, np.arange(count + 1, dtype=np.int32)


def summary(edits: Edits) -> str:
    """What was corrected, in a few words; empty where nothing was."""
    parts = [
        (len(edits.names), "named"),
        (len(edits.merged), "merged into another"),
        (len(edits.background), "called background"),
        (len(edits.split), "made by splitting"),
    ]
    words = [f"{count} {what}" for count, what in parts if count]
    moved = len(edits.moved)
    images = [f"{moved:,} image{'s' if moved != 1 else ''} moved"] if moved else []
    return ", ".join([*words, *images])


def corrections_context(
    result: dict[str, Any], edits: Edits, warning: str | None, gallery: str | None
) -> dict[str, Any]:
    """For the page: what people corrected, what they should know, and where all images are."""
    warnings = [text for text in (*result.get("warnings", ()), warning) if text]
    return {"corrected": summary(edits), "warnings": warnings, "gallery": gallery}
