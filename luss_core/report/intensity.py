"""Maps of saliency and attention, as layers over the photographs."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from luss_core.data.images import ImageList
from luss_core.data.store import Store
from luss_core.errors import UserError
from luss_core.report.panels import LONGEST, Layer, Panel
from luss_core.report.pictures import intensity_uri


@dataclass(frozen=True)
class Intensity:
    """One map of every image that is shown."""

    title: str
    read: Callable[[int], np.ndarray]
    """Row of the image list -> (h, w) uint8, in any resolution."""


def saliency_maps(prior: Path | None) -> list[Intensity]:
    """The maps of prior.h5, if there is one."""
    if prior is None:
        return []
    maps = Store(prior, "prior")
    return [Intensity("saliency", lambda row: maps.read(row)[..., 0])]


def attention_maps(title: str, folder: Path, images: ImageList, rows: Iterable[int]) -> list[Intensity]:
    """The maps that ``examine`` wrote, if it did so for all the rows."""
    paths = {row: folder / images.split[row] / f"{images.id[row]}.png" for row in rows}
    if not all(path.is_file() for path in paths.values()):
        return []
    return [Intensity(title, lambda row: read_intensity(paths[row]))]


def with_intensities(panels: Sequence[Panel], rows: Sequence[int], intensities: Sequence[Intensity]) -> list[Panel]:
    """The panels, which show ``rows``, with the maps before their other layers."""
    return [
        replace(panel, layers=[*(_layer(one, panel.id, row) for one in intensities), *panel.layers])
        for panel, row in zip(panels, rows, strict=False)
    ]


def _layer(intensity: Intensity, name: str, row: int) -> Layer:
    values = intensity.read(row)
    alt = f"{intensity.title} of {name}: on average {values.mean() / 255:.0%} of the greatest"
    return Layer(intensity.title, intensity_uri(values, longest=LONGEST), None, alt)


def read_intensity(path: Path) -> np.ndarray:
    """(h, w) uint8 of a map that ``examine`` wrote.

    Raises:
        UserError: missing or damaged.
    """
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("L"))
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"{path} cannot be read as a map of examine: {error}; run examine again") from error
