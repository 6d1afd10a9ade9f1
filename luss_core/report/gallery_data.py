"""What the gallery knows of a run: its categories, and of each image what was found in it and how surely.

Everything is as it was found; what people corrected goes with it and is applied where it is shown, by gallery.js.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from luss_core.colours import class_colours
from luss_core.data.features import Clusters, Features
from luss_core.data.images import ImageList
from luss_core.data.masks import IGNORE, read_mask
from luss_core.data.nearness import members, nearest, plane
from luss_core.data.spread import evenly
from luss_core.data.store import Store
from luss_core.edits import Edits

NEAREST = 4
"""Centroids of which the distance to an image is kept."""
NEIGHBOURS = 5
"""Categories that are named as near to one."""
LEAST = 0.002
"""Share of an image below which a category is not mentioned."""


@dataclass(frozen=True)
class Source:
    """The files of a run."""

    listing: ImageList
    pixels: Store
    masks: Path
    """Folder of infer: <split>/<id>.png."""
    found: Clusters
    features: Path | None
    """None where they are not there any more: then there are no distances to other centroids, and no map."""
    names: Sequence[str]
    """(C + 1,) what the categories are called as long as nobody names them, "other" first."""
    match: dict[str, int] | None
    """Class of each category; None without ground truth."""

    @property
    def categories(self) -> int:
        return len(self.found.centroids)

    def colours(self, total: int) -> np.ndarray:
        """(total + 1, 3) uint8, those of the matched classes, as in the report."""
        palette, match = class_colours(total), self.match or {}
        taken = {match[str(k)] for k in range(1, self.categories + 1) if match.get(str(k), IGNORE) <= total}
        free = [k for k in range(1, total + 1) if k not in taken]
        index = [match.get(str(k), IGNORE) for k in range(1, total + 1)]
        return palette[[0, *(k if k <= total else free.pop(0) for k in index)]]

    def name(self, row: int) -> str:
        """What edits call an image."""
        return f"{self.listing.split[row]}/{self.listing.id[row]}"

    def mask(self, row: int) -> np.ndarray | None:
        """(H, W) int32 ids as infer found them; None of an image that was not segmented."""
        path = self.masks / f"{self.name(row)}.png"
        return read_mask(path) if path.is_file() else None

    def chosen(self, limit: int) -> list[int]:
        """Rows of at most ``limit`` images, evenly spread."""
        return evenly(range(len(self.listing)), limit)

    @cached_property
    def position(self) -> dict[int, int]:
        """Where the images that were clustered stand among them, by row."""
        return {row: k for k, row in enumerate(self.found.row.tolist())}


def source_of(
    result: dict[str, Any], listing: ImageList, pixels: Store, masks: Path, found: Clusters, features: Path | None
) -> Source:
    """The files of a run, with what scores.json says of its categories."""
    truth = bool(result["truth"])
    classes, match = (result["names"], result["match"]) if truth else (None, None)
    return Source(listing, pixels, masks, found, features, default_names(classes, match, len(found.centroids)), match)


def default_names(classes: Sequence[str] | None, match: dict[str, int] | None, categories: int) -> list[str]:
    """(C + 1,) what the categories are called as long as nobody names them: the matched true class, or their number."""
    found = ["other"]
    for k in range(1, categories + 1):
        at = (match or {}).get(str(k), IGNORE)
        found.append(classes[at] if classes and 0 < at < len(classes) else f"category {k}")
    return found


def areas(mask: np.ndarray | None) -> list[list[float]] | None:
    """[id, share of the pixels] of the categories in a mask, the largest first; None without one."""
    if mask is None:
        return None
    counts = np.bincount(mask[(mask > 0) & (mask != IGNORE)].ravel())
    order = np.argsort(-counts, kind="stable")
    return [[int(k), round(float(counts[k]) / mask.size, 4)] for k in order if counts[k] > LEAST * mask.size]


def gallery_data(
    source: Source, rows: Sequence[int], found: Sequence[list[list[float]] | None], edits: Edits, title: str
) -> dict[str, Any]:
    """All that gallery.js is given, as JSON values.

    Args:
        rows: of the images that are shown.
        found: ``areas`` of each.
    """
    listing = source.listing
    near, at = _nearness(source, rows)
    images = []
    for row, held in zip(rows, found, strict=True):
        place = source.position.get(row)
        images.append(
            {
                "r": row,
                "n": source.name(row),
                "h": int(listing.height[row]),
                "w": int(listing.width[row]),
                "k": 0 if place is None else int(source.found.label[place]) + 1,
                "a": held,
                "t": near.get(row),
                "p": at.get(row),
            }
        )
    return {
        "title": title,
        "clustering": source.found.fingerprint,
        "total": len(listing),
        "categories": categories(source, edits),
        "images": images,
        "edits": edits_json(edits),
    }


def categories(source: Source, edits: Edits) -> list[dict[str, Any]]:
    """Of every category that was found or split: colour, and the name that it has as long as nobody names it."""
    near = _neighbours(source.found.centroids)
    default = edits.model_copy(update={"names": {}}).called(source.names)
    colours = source.colours(edits.total)
    return [
        {
            "id": k,
            "name": default[k],
            "colour": "#{:02x}{:02x}{:02x}".format(*colours[k].tolist()),
            "near": near[k - 1] if k <= source.categories else [edits.split[k]],
        }
        for k in range(1, edits.total + 1)
    ]


def edits_json(edits: Edits) -> dict[str, Any]:
    """What is corrected, as JSON values."""
    found = edits.model_dump()
    return {key: found[key] for key in ("revision", "names", "merged", "background", "split", "moved")}


def _nearness(source: Source, rows: Sequence[int]) -> tuple[dict[int, list[list[float]]], dict[int, list[float]]]:
    """Of the images that were clustered: [id, distance] of the nearest centroids, and the place on the map."""
    clustered = sorted(row for row in rows if row in source.position)
    positions = np.array([source.position[row] for row in clustered], np.int64)
    if source.features is None or not len(positions):
        distance = np.sqrt(np.maximum(source.found.distance[positions], 0)).astype(float).round(4).tolist()
        label = (source.found.label[positions] + 1).tolist()
        return {row: [[k, d]] for row, k, d in zip(clustered, label, distance, strict=True)}, {}
    features = Features(source.features)
    order = np.argsort(positions)
    vectors = members(features, features.positions(source.found.row[positions[order]]), source.found.change)
    clustered = [clustered[k] for k in order]
    ids, distances = nearest(vectors, source.found.centroids, NEAREST)
    pairs = [
        [[int(k) + 1, d] for k, d in zip(each, apart, strict=True)]
        for each, apart in zip(ids, distances.astype(float).round(4).tolist(), strict=True)
    ]
    at = plane(vectors).astype(float).round(4).tolist()
    return dict(zip(clustered, pairs, strict=True)), dict(zip(clustered, at, strict=True))


def _neighbours(centroids: np.ndarray) -> list[list[int]]:
    """The ids of the nearest other categories of each, the nearest first."""
    order, _ = nearest(centroids, centroids, NEIGHBOURS + 1)
    return [[int(k) + 1 for k in near if k != own][:NEIGHBOURS] for own, near in enumerate(order)]
