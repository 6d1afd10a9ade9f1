"""Where a dry run stands in a folder that it may not write to. Imports no torch."""

import atexit
import os
import tempfile
from pathlib import Path

OWN = Path(".snakemake")
"""Snakemake's folder; a dry run writes a list of files and times into the second, and makes others."""
WRITTEN = "iocache"


def step_aside() -> None:
    """Go on in a temporary folder that shows what the working folder holds, where that cannot be written."""
    places = [place for place in (Path(), OWN, OWN / WRITTEN) if place.exists()]
    if all(os.access(place, os.W_OK | os.X_OK) for place in places):
        return
    folder = tempfile.TemporaryDirectory(prefix="luss-dry-run-")
    atexit.register(folder.cleanup)
    show(Path.cwd(), Path(folder.name))
    os.chdir(folder.name)


def show(folder: Path, stand_in: Path) -> None:
    """Fill an empty folder with links to what is in another, with its times; Snakemake's folder can be written to."""
    (stand_in / OWN).mkdir()
    for place in folder.iterdir():
        if place.name != OWN.name:
            _link(place, stand_in / place.name)
    if (folder / OWN).is_dir():
        for place in (folder / OWN).iterdir():
            if place.name != WRITTEN:
                _link(place, stand_in / OWN / place.name)


def _link(place: Path, link: Path) -> None:
    link.symlink_to(place)
    found = place.lstat()
    os.utime(link, ns=(found.st_atime_ns, found.st_mtime_ns), follow_symlinks=False)
