"""One run that is open in the studio: what the page is told of it, and what a person does to it."""

import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any

import faiss
import numpy as np

from luss_core.data.features import Features
from luss_core.data.nearness import members
from luss_core.edits import Conflict, Edits
from luss_core.edits_file import of_run, save, set_aside, undo, undoable
from luss_core.errors import UserError
from luss_core.kmeans import assign, fit_centroids
from luss_core.report.aligned import FOLDER, read_data
from luss_core.report.gallery_data import areas, categories, edits_json, gallery_data
from luss_core.report.gallery_files import SCRIPTS as GALLERY
from luss_core.report.gallery_files import gallery_page, overlay, photo
from luss_core.stages.all_images import Files, opened
from luss_core.studio.operations import Operation, as_background, divided, merged, moved, named, restored

KEPT = 500
"""Revisions that a window may have been left at."""
AT = GALLERY.index("gallery.js") + 1
SCRIPTS = (*GALLERY[:AT], "studio.js", *GALLERY[AT:])
"""The studio says where the rest of the page loads from."""


class Session:
    """A run and its corrections; every method may be called from several threads.

    Args:
        files: of the run; ``edits`` is written.
        limit: images that are shown, at the most.

    Raises:
        UserError: a file is missing or damaged.
    """

    def __init__(self, files: Files, title: str, limit: int, threads: int):
        faiss.omp_set_num_threads(threads)
        assert files.edits is not None
        self.title, self.path = title, files.edits
        self.source, edits, warning = opened(files)
        self.notice = ""
        if warning:
            new = set_aside(self.path, self.source.found.fingerprint)
            self.notice = f"The corrections of an earlier clustering are kept in {new.name}; this one has none yet."
        self.rows = self.source.chosen(limit)
        with ThreadPoolExecutor(threads) as pool:
            self.areas = list(pool.map(lambda row: areas(self.source.mask(row)), self.rows))
        self._known = dict(zip(self.rows, self.areas, strict=True))
        self._lock, self.opened = Lock(), secrets.token_hex(4)
        self._seen = {edits.revision: edits}
        self.edits = edits

    def page(self) -> str:
        """The page as it is now."""
        edits = self.current()
        data = gallery_data(self.source, self.rows, self.areas, edits, self.title)
        run = "/".join(self.path.absolute().parts[-3:-1])
        return gallery_page(data | {"run": run} | self._around(), self.title, SCRIPTS, editable=True)

    def state(self) -> dict[str, Any]:
        """What changes while the page is open."""
        edits = self.current()
        return {"edits": edits_json(edits), "categories": categories(self.source, edits), **self._around()}

    def current(self) -> Edits:
        """What is corrected, also by other programs and by hand.

        Raises:
            UserError: somebody broke the file.
        """
        with self._lock:
            return self._read()

    def do(self, operation: Operation) -> None:
        """Raises:
        Conflict: another window changed the same.
        UserError: it cannot be done.
        """
        with self._lock:
            self._read()
            base = self._seen.get(operation.base)
            if base is None:
                raise Conflict("this window is too old; reload it")
            new = (
                undo(self.path, base) if operation.do == "undo" else save(self.path, self._done(operation, base), base)
            )
            self._keep(new)

    def photo(self, row: int) -> bytes | None:
        """A JPEG; None for what is not shown."""
        return photo(self.source, row) if row in self._known else None

    def mask(self, row: int) -> bytes | None:
        """A PNG of what is shown of the mask; None without one."""
        found = self.source.mask(row) if row in self._known else None
        if found is None:
            return None
        return overlay(found, self.source.name(row), self.edits, self.source.colours(self.edits.total))

    def aligned(self, name: str) -> dict[str, Any] | None:
        """What the stage align wrote of this run and others beside it; None where it was not run."""
        return read_data(self.path.absolute().parents[2] / FOLDER / name)

    def _around(self) -> dict[str, Any]:
        return {"undoable": undoable(self.path), "notice": self.notice, "opened": self.opened}

    def _read(self) -> Edits:
        edits, warning = of_run(self.path, self.source.found.fingerprint, self.source.categories)
        if warning:
            raise UserError("the run was made anew meanwhile, and its categories are others: start the studio again")
        if edits.revision in self._seen and edits != self._seen[edits.revision]:
            self._seen.clear()  # by hand, without a new revision: what windows began with is not known any more
        self._keep(edits)
        return edits

    def _keep(self, edits: Edits) -> None:
        self.edits = self._seen[edits.revision] = edits
        while len(self._seen) > KEPT:
            self._seen.pop(min(self._seen))

    def _done(self, operation: Operation, edits: Edits) -> Edits:
        category, into = operation.category, operation.into
        if operation.do == "name":
            return named(edits, category, operation.name)
        if operation.do == "merge":
            return merged(edits, category, into)
        if operation.do == "background":
            return as_background(edits, category)
        if operation.do == "restore":
            return restored(edits, category)
        if operation.do == "move":
            if not operation.images:
                raise UserError("no image is chosen; choose one, or some on the map")
            return moved(edits, dict(self._held(edits, row) for row in operation.images), into)
        return divided(edits, category, self._smaller_half(edits, category))

    def _held(self, edits: Edits, row: int) -> tuple[str, set[int]]:
        """What edits call an image, and the ids by which it has its category."""
        if row not in self._known:
            raise UserError(f"there is no image {row}")
        name, place = self.source.name(row), self.source.position.get(row)
        held = [int(k) for k, _ in self._known[row] or []]
        label = [] if place is None else [int(self.source.found.label[place]) + 1]
        categories_of = {edits.category_of(k, name) for k in (*label, *held[:1])} - {0}
        found = {k for k in range(1, edits.total + 1) if edits.category_of(k, name) in categories_of}
        return name, found or {*label, *held}

    def _smaller_half(self, edits: Edits, category: int) -> list[str]:
        """Images of the smaller of two parts into which k-means divides a category."""
        found = self.source.found
        if self.source.features is None:
            raise UserError("the features of this run are not there any more, so no category can be split")
        names = [self.source.name(row) for row in found.row.tolist()]
        inside = np.array(
            [k for k, name in enumerate(names) if edits.category_of(int(found.label[k]) + 1, name) == category],
            np.int64,
        )
        if len(inside) < 2:
            raise UserError("a category needs two images to be split; of this one were fewer learned from")
        features = Features(self.source.features)
        vectors = members(features, features.positions(found.row[inside]), found.change)
        return [names[k] for k in inside[smaller_half(vectors)]]


def smaller_half(vectors: np.ndarray) -> np.ndarray:
    """(n,) bool: the smaller of two clusters of (n, d) vectors.

    Raises:
        UserError: there is only one, since all are equal.
    """
    vectors = np.ascontiguousarray(vectors, np.float32)
    centroids, _ = fit_centroids(vectors, 2, iterations=20, restarts=10, seed=0)
    label, _ = assign(lambda: [vectors], centroids)
    if len(set(label.tolist())) < 2 or not np.ptp(vectors, axis=0).any():
        raise UserError("all images of this category look the same to the encoder: it cannot be split")
    return label == int(2 * label.sum() <= len(label))


def found_run(folder: Path) -> Path:
    """The run that a person means: its folder, one above it, or its page.

    Raises:
        UserError: there is none, or several.
    """
    start = folder.parent if folder.is_file() else folder
    for above in (start, *start.absolute().parents[:2]):
        if (above / "report" / "gallery").is_dir():
            return above
    runs: Sequence[Path] = sorted(path.parents[1] for path in start.glob("**/report/gallery") if path.is_dir())
    if len(runs) == 1:
        return runs[0]
    if runs:
        raise UserError(f"{folder} holds {len(runs)} runs; name one of them: {', '.join(map(str, runs[:5]))}")
    what = "is no folder" if not start.is_dir() else "holds no run whose report was made"
    raise UserError(
        f"{folder} {what} (seen from {Path.cwd()}); name the folder of a run that is done, such as"
        " results/my-photographs/frozen/seed0"
    )
