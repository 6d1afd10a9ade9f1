"""Masks that people corrected and give back: which presets learn from them, and what they go by. Imports no torch."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from luss_core.config import Config, Stages
from luss_core.data.contents import contents
from luss_core.data.files import list_files
from luss_core.edits_file import read_edits
from luss_core.errors import UserError

KEY = "finetune.corrected"
MASKS, LEGEND = "masks", "categories.csv"
"""What `luss export --to png` writes."""


def folders(config: Config, presets: Mapping[str, Stages]) -> dict[str, Path]:
    """The folder of corrected masks of every preset that learns from one.

    Args:
        presets: all of them, resolved.

    Raises:
        UserError: that of a preset which is run is no folder or empty, or there are several seeds: the ids of masks are
            those of one run.
    """
    named = {name: stages.finetune.corrected for name, stages in presets.items()}
    found = {name: Path(folder).expanduser() for name, folder in named.items() if folder is not None}
    for name in (name for name in config.asked if name in found):
        if not found[name].is_dir() or not any(found[name].iterdir()):
            what = "empty" if found[name].is_dir() else "not a folder"
            raise UserError(
                f"config: {KEY} of {name}: {found[name]} is {what} (seen from {Path.cwd()}); name the folder of the"
                " masks that you corrected, or null to learn without"
            )
        if len(config.seeds) > 1:
            raise UserError(
                f"config: {KEY} of {name}: masks hold the categories of one run, and seeds {list(config.seeds)} are"
                " several, whose categories have other numbers; set seeds to that of the run whose masks you corrected"
            )
    return found


def inside(folder: Path) -> Path:
    """Where the masks lie: `masks` of what was exported, or the folder itself."""
    exported = (folder / MASKS).is_dir() and (folder / LEGEND).exists()
    return folder / MASKS if exported else folder


def mark(folder: Path) -> str:
    """A text that changes with the name or the content of any file in the folder."""
    names = list_files(folder).files
    return hashlib.sha256(repr(list(zip(names, contents(folder, names), strict=True))).encode()).hexdigest()[:16]


def edits_that_matter(path: Path) -> str:
    """As JSON, what of edits.yaml says which ids stand for which categories: names and moved images do not.

    Raises:
        UserError: the file is broken.
    """
    return read_edits(path).model_copy(update={"names": {}, "moved": {}, "revision": 0}).model_dump_json()
