"""What a run found in all its images -> a folder with a page of them, and the files that it and the studio read."""

import logging
import os
from pathlib import Path
from typing import NamedTuple

from luss_core.config import ReportConfig
from luss_core.data.features import read_clusters
from luss_core.data.images import read_images
from luss_core.data.store import Store
from luss_core.edits import Edits
from luss_core.edits_file import NAME, of_run
from luss_core.errors import UserError
from luss_core.io import read_fields, read_json, write_json
from luss_core.report.gallery_data import Source, source_of
from luss_core.report.gallery_files import write_gallery

logger = logging.getLogger(__name__)


GALLERY = Path("report", "gallery")
"""Below a run."""
LIST = "files.json"
"""There: where the other files of the run are, which may be those of another preset."""


class Files(NamedTuple):
    """Of a run."""

    images: Path
    store: Path
    masks: Path
    scores: Path
    clusters: Path
    features: Path | None
    """None or missing: no distances to other categories, and no map."""
    edits: Path | None
    """None or missing: nothing is corrected."""


def opened(files: Files) -> tuple[Source, Edits, str | None]:
    """The run, what people corrected in it, and a warning where their file is of another clustering.

    Raises:
        UserError: a file is missing or damaged.
    """
    found = read_clusters(files.clusters)
    features = files.features if files.features and files.features.is_file() else None
    listing, pixels = read_images(files.images), Store(files.store)
    source = source_of(read_json(files.scores), listing, pixels, files.masks, found, features)
    return source, *of_run(files.edits, found.fingerprint, source.categories)


def all_images(cfg: ReportConfig, files: Files, *, out: Path, title: str, threads: int) -> None:
    """Write the page of all images, and their pictures beside it.

    Raises:
        UserError: a file is missing or damaged.
    """
    source, edits, _ = opened(files)  # the page of the run warns
    run = "/".join(out.absolute().parts[-4:-2])  # <preset>/seed<k>, by which pages that are set side by side know it
    write_gallery(out, source, edits, title=title, run=run, limit=cfg.images, threads=threads)
    paths = {name: path and os.path.relpath(path, out) for name, path in files._asdict().items() if name != "edits"}
    write_json(out / LIST, {"title": title, "limit": cfg.images, "files": paths})
    logger.info(
        "report: %s (%d of %d images)", out / "index.html", min(cfg.images, len(source.listing)), len(source.listing)
    )


def read_files(run: Path) -> tuple[Files, str, int]:
    """The files of a run whose page was made, its title, and how many images the page shows at the most.

    Raises:
        UserError: the list of them is missing or damaged.
    """
    folder = run / GALLERY
    content = read_fields(folder / LIST, title=str, limit=int, files=dict)
    wanted = [name for name in Files._fields if name != "edits"]
    paths = {name: content["files"].get(name) for name in wanted}
    if wrong := [name for name, path in paths.items() if not isinstance(path, str) and name != "features"]:
        raise UserError(f"{folder / LIST} does not say where {wrong[0]} is; run the stage report again")
    images, store, masks, scores, clusters = (_from(folder, paths[name]) for name in wanted if name != "features")
    features = _from(folder, paths["features"]) if paths["features"] else None
    files = Files(images, store, masks, scores, clusters, features, run / NAME)
    return files, content["title"], content["limit"]


def _from(folder: Path, path: str) -> Path:
    return Path(os.path.normpath(folder / path))
