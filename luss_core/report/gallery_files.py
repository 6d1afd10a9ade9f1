"""The gallery as a folder that opens from a disk: index.html, and the pictures that it loads as they come into view."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from luss_core.edits import Edits
from luss_core.io import atomic_folder
from luss_core.report.gallery_data import Source, areas, gallery_data
from luss_core.report.page import render
from luss_core.report.pictures import overlay_png, photo_jpeg

LONGEST = 320
"""Pixels of the longer side of a picture."""
QUALITY = 80
"""Of the JPEG files: 2,000 images of 320 pixels take some 40 MB."""
CHUNK = 256
"""Images that wait for a thread, at the most."""


SCRIPTS = ("gallery_state.js", "gallery_pairs.js", "gallery.js", "gallery_map.js", "gallery_beside.js")
"""Of the page, in order."""


def write_gallery(
    folder: Path, source: Source, edits: Edits, *, title: str, run: str, limit: int, threads: int
) -> None:
    """Write photo/<row>.jpg, mask/<row>.png of what was segmented, and index.html.

    Args:
        run: <preset>/seed<k>, by which what was aligned with other runs is found.
        limit: images, at the most; of more an even sample.

    Raises:
        UserError: a mask or the store is damaged, or the disk is full.
    """
    rows, colours = source.chosen(limit), source.colours(edits.total)
    with atomic_folder(folder) as partial:
        for name in ("photo", "mask"):
            (partial / name).mkdir()

        def write(row: int) -> list[list[float]] | None:
            mask = source.mask(row)
            (partial / "photo" / f"{row}.jpg").write_bytes(photo(source, row))
            if mask is not None:
                (partial / "mask" / f"{row}.png").write_bytes(overlay(mask, source.name(row), edits, colours))
            return areas(mask)

        found: list[list[list[float]] | None] = []
        with ThreadPoolExecutor(threads) as pool:
            for start in range(0, len(rows), CHUNK):  # a mistake in one does not wait for all
                found += pool.map(write, rows[start : start + CHUNK])
        data = gallery_data(source, rows, found, edits, title) | {"run": run}
        page = gallery_page(data, title, scripts=SCRIPTS)
        (partial / "index.html").write_text(page, encoding="utf-8")


def gallery_page(data: dict[str, Any], title: str, scripts: Sequence[str], editable: bool = False) -> str:
    """The page around what ``gallery_data`` gave."""
    return render("gallery.html", title=title, data=as_script(data), scripts=scripts, editable=editable)


def as_script(value: Any) -> Markup:
    """JSON that may stand in a script element: nothing in it ends that element or begins another."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def photo(source: Source, row: int) -> bytes:
    """A JPEG of an image."""
    return photo_jpeg(source.pixels.read(row), longest=LONGEST, quality=QUALITY, subsampling=2)


def overlay(mask: np.ndarray, image: str, edits: Edits, colours: np.ndarray) -> bytes:
    """A PNG of what is shown of a mask."""
    return overlay_png(edits.apply_to_mask(mask, image), colours, longest=LONGEST, optimize=False)
