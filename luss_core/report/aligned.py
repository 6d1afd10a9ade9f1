"""What several runs found in the same images, as files that their pages of all images load from the disk.

runs.html says which runs there are, which of their categories mean the same and where seeds disagree; <n>.html holds
the masks of a run, with ids in place of colours: the page that shows them gives each the colour of its own category.
"""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from markupsafe import Markup

from luss_core.data.masks import IGNORE, read_mask
from luss_core.report.gallery_files import LONGEST, as_script
from luss_core.report.page import render
from luss_core.report.pictures import overlay_png, reduced

FOLDER = "align"
"""Below a data set, beside the presets."""
RUNS = "runs.html"
PLACE = "DATA"


@dataclass(frozen=True)
class AlignedRun:
    """What is compared of a run."""

    preset: str
    seed: int
    masks: Path
    clustering: str
    """Fingerprint of the clustering, by which a page knows whether this is still the run that it shows."""
    categories: int
    names: list[str]
    """(C + 1,), "other" first."""
    match: dict[str, int] | None
    """Class of each category; None without ground truth."""
    labels: dict[int, int]
    """Category, from 1, of the images that were clustered, by row; of those that are shown."""

    @property
    def name(self) -> str:
        return f"{self.preset}/seed{self.seed}"

    def mask(self, image: str) -> np.ndarray | None:
        """(H, W) int32 ids as infer found them; None of an image that was not segmented."""
        path = self.masks / f"{image}.png"
        return read_mask(path) if path.is_file() else None


def packed(mask: np.ndarray | None, categories: int) -> list[Any] | None:
    """[ids, PNG in base64]: entry k of the palette is ``ids[k]``, those behind them are the outlines of the same.

    The colours in the file are none: the page puts those of its own categories there.
    """
    if mask is None:
        return None
    ids = np.unique(reduced(np.where(mask <= categories, mask, IGNORE), LONGEST))
    png = overlay_png(mask, np.zeros((categories + 1, 3), np.uint8), longest=LONGEST, optimize=False)
    return [ids.tolist(), base64.b64encode(png).decode("ascii")]


def write_runs(folder: Path, data: dict[str, Any]) -> None:
    """runs.html."""
    head, tail = _around("Runs side by side")
    (folder / RUNS).write_text(f"{head}{as_script(data)}{tail}", encoding="utf-8")


@contextmanager
def masks_file(path: Path, run: AlignedRun) -> Iterator[TextIO]:
    """A file of the masks of a run, to which one text of ``mask_text`` is written for each image."""
    head, tail = _around(f"Masks of {run.name}")
    about = as_script({"run": run.name, "clustering": run.clustering})
    with path.open("w", encoding="utf-8") as file:
        file.write(f'{head}{{"about":{about},"found":{{')
        yield file
        file.write(f"}}}}{tail}")


def mask_text(row: int, label: int, content: list[Any] | None, first: bool) -> str:
    """One image in a file of masks: its category (0: none), and its mask."""
    return f'{"" if first else ","}"{row}":{json.dumps([label, content], separators=(",", ":"))}'


def read_data(path: Path) -> dict[str, Any] | None:
    """What stands in one of the files; None where it is missing or of another form."""
    try:
        text = path.read_text(encoding="utf-8")
        return dict(json.loads(text.partition('id="data">')[2].partition("</script>")[0]))
    except (OSError, ValueError, TypeError):
        return None


def _around(title: str) -> tuple[str, str]:
    head, _, tail = render("aligned.html", title=title, data=Markup(PLACE)).partition(PLACE)
    return head, tail
