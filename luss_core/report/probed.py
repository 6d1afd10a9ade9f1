"""Annotated images, their truth, and what linear probes find in them, for a page."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from luss_core.colours import OTHER, Palette, class_colours
from luss_core.data.annotated import AnnotatedImages
from luss_core.data.masks import IGNORE, read_mask
from luss_core.data.spread import shown_positions
from luss_core.report.panels import LONGEST, Panel, mask_layer
from luss_core.report.pictures import photo_uri

GROUND = ("background", "other")
"""What a data set calls pixels of nothing; they are dimmed."""


def probe_palette(images: AnnotatedImages) -> Palette:
    """Names and colours of the classes, in those of the authors where they have some; place 0 is what is dimmed."""
    ground = images.classes[0] in GROUND
    names = images.classes if ground else ("none", *images.classes)
    if images.colours is None:
        return Palette(names, class_colours(len(names) - 1))
    rgb = [[value >> 16, value >> 8 & 255, value & 255] for value in images.colours]
    return Palette(names, np.array(rgb if ground else [OTHER, *rgb], np.uint8))


def probe_panels(images: AnnotatedImages, palette: Palette, found: Sequence[tuple[str, Path]]) -> list[Panel]:
    """Some images evenly over the split, each with truth and the classes that each probe finds.

    Args:
        found: what an encoder is called, and the folder of masks that its probe wrote.

    Raises:
        UserError: a file cannot be read.
    """
    shift = len(palette.names) - len(images.classes)
    panels = []
    for i in shown_positions(len(images)):
        name, truth = images.pairs[i].image.stem, images.mask(i)
        masks = [("truth", truth), *((title, read_mask(folder / f"{i}.png")) for title, folder in found)]
        layers = [
            mask_layer(title, name, np.where(mask == IGNORE, IGNORE, mask + shift), palette) for title, mask in masks
        ]
        photo = photo_uri(images.image(i, LONGEST), longest=LONGEST)
        panels.append(Panel(f"annotated-{i}", name, truth.shape[0], truth.shape[1], photo, layers))
    return panels
