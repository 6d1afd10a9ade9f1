"""The images of a page, each as photograph, truth and predictions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from luss_core.colours import Chip, Palette
from luss_core.data.images import ImageList
from luss_core.data.masks import IGNORE, read_mask
from luss_core.data.store import Store
from luss_core.edits import Edits
from luss_core.report.pictures import overlay_uri, photo_uri

LONGEST = 320
"""Pixels of the longer side of a picture in the page."""
NAMED = 3
"""Classes named under a picture, largest first."""


@dataclass(frozen=True)
class Prediction:
    """Masks of one run, and what its clusters are called."""

    title: str
    masks: Path
    """Folder of infer: <split>/<id>.png."""
    classes: np.ndarray
    """(C + 1,) class of each cluster, corrected if ``edits`` are given; IGNORE where it has none."""
    edits: Edits | None = None
    """What people corrected; None to show what was found."""


@dataclass(frozen=True)
class Layer:
    """A label map, or a map of saliency or attention, to lay over a photograph."""

    title: str
    overlay: str
    chips: list[Chip] | None
    """The classes that it shows; None where it shows none."""
    alt: str


@dataclass(frozen=True)
class Panel:
    """One image of the page."""

    key: str
    """Unique in the page."""
    id: str
    height: int
    width: int
    photo: str
    """Empty where it stands in the page already."""
    layers: list[Layer]


def cluster_classes(match: dict[str, int] | None, classes: int) -> np.ndarray:
    """(C + 1,) int32 class of each cluster, from the matching of scores.json; the identity without one."""
    if match is None:
        return np.arange(classes + 1, dtype=np.int32)
    return np.array([0] + [match.get(str(k), IGNORE) for k in range(1, classes + 1)], dtype=np.int32)


def make_panels(
    images: ImageList,
    store: Store,
    rows: Iterable[int],
    predictions: Sequence[Prediction],
    palette: Palette,
    truth: bool,
) -> list[Panel]:
    """The images ``rows``, each with its truth (if ``truth``) and with what every run predicts.

    Raises:
        UserError: a mask is missing or cannot be read.
    """
    panels = []
    for row in (int(row) for row in rows):
        name, split = images.id[row], images.split[row]
        layers = []
        mask = images.truth(row) if truth else None
        if mask:
            layers.append(mask_layer("truth", name, mask.read(), palette))
        for prediction in predictions:
            clusters = read_mask(prediction.masks / split / f"{name}.png")
            if prediction.edits:
                clusters = prediction.edits.apply_to_mask(clusters, f"{split}/{name}")
            layers.append(mask_layer(prediction.title, name, _rename(clusters, prediction.classes), palette))
        photo = photo_uri(store.read(row), longest=LONGEST)
        panels.append(Panel(f"photo-{row}", name, int(images.height[row]), int(images.width[row]), photo, layers))
    return panels


def _rename(clusters: np.ndarray, classes: np.ndarray) -> np.ndarray:
    known = clusters < len(classes)
    return np.where(known, classes[np.where(known, clusters, 0)], IGNORE)


def mask_layer(title: str, name: str, mask: np.ndarray, palette: Palette) -> Layer:
    """A label map over an image, and the classes that take most of it.

    Args:
        name: of the image.
        mask: (H, W) places in the palette, 0 for what is dimmed.
    """
    ids, pixels = np.unique(mask[(mask > 0) & (mask < len(palette.names))], return_counts=True)
    order = np.argsort(-pixels, kind="stable")[:NAMED]
    chips = [palette.chip(int(ids[k])) for k in order]
    parts = [f"{chip.name} {pixels[k] / mask.size:.0%}" for chip, k in zip(chips, order, strict=True)]
    alt = f"{title} of {name}: {', '.join(parts) or 'no object'}"
    return Layer(title, overlay_uri(mask, palette.colours, longest=LONGEST), chips, alt)
