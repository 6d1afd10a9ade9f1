"""Where a dry run writes instead of the working folder. Imports no torch."""

import atexit
import os
import tempfile
from functools import cache
from pathlib import Path

OWN = Path(".snakemake")
"""Snakemake's folder; a dry run writes a list of files and times into the second, and makes others."""
WRITTEN = "iocache"


@cache
def folder() -> Path:
    """A temporary folder that goes when this process ends."""
    made = tempfile.TemporaryDirectory(prefix="luss-dry-run-")
    atexit.register(made.cleanup)
    return Path(made.name)


def step_aside() -> None:
    """Go on in a temporary folder that shows what the working folder holds, where that cannot be written."""
    places = [place for place in (Path(), OWN, OWN / WRITTEN) if place.exists()]
    if all(os.access(place, os.W_OK | os.X_OK) for place in places):
        return
    stand_in = folder() / "work"
    stand_in.mkdir()
    show(Path.cwd(), stand_in)
    os.chdir(stand_in)


def show(work: Path, stand_in: Path) -> None:
    """Fill an empty folder with links to what is in another, with its times; Snakemake's folder can be written to."""
    (stand_in / OWN).mkdir()
    for place in work.iterdir():
        if place.name != OWN.name:
            _link(place, stand_in / place.name)
    if (work / OWN).is_dir():
        for place in (work / OWN).iterdir():
            if place.name != WRITTEN:
                _link(place, stand_in / OWN / place.name)


def _link(place: Path, link: Path) -> None:
    link.symlink_to(place)
    found = place.lstat()
    os.utime(link, ns=(found.st_atime_ns, found.st_mtime_ns), follow_symlinks=False)
