"""Whether the outputs of every image can be written under their names, found before any work."""

import os
from pathlib import Path

from luss_core.data.images import ListedFile

BELOW = 200
"""Bytes of a path between the results of a data set and <split>/<id>.png: preset, seed, stage, temporary folder."""


class NameLimits:
    """What the disk of the results allows, in bytes."""

    def __init__(self, out: Path):
        """Args:
        out: a folder of the results; it need not exist.
        """
        folder = out.resolve()
        while not folder.is_dir():
            folder = folder.parent
        self.name = _limit(folder, "PC_NAME_MAX", 255)
        self.path = _limit(folder, "PC_PATH_MAX", 4096) - len(os.fsencode(out.resolve())) - BELOW

    def reason(self, listed: ListedFile) -> str:
        """Why the outputs of an image could not be written; '' where they can."""
        mask = f"{listed.id}.png"
        if len(mask) * 4 < min(self.name, self.path):  # nearly all; a character has at most four bytes
            return ""
        longest = max(len(os.fsencode(part)) for part in mask.split("/"))
        if longest > self.name:
            return f"name too long: its mask would have a name of {longest} bytes, of {self.name} allowed; shorten it"
        path = len(os.fsencode(mask))
        return f"path too long: its mask would have a path of {path} bytes, of {self.path} allowed; shorten it" * (
            path > self.path
        )


def ignores_case(folder: Path) -> bool:
    """Whether A and a are one file there, as on most disks of macOS and Windows. False where it cannot be written."""
    probe = folder / ".luss-Case"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        try:
            return probe.with_name(".LUSS-cASE").exists()
        finally:
            probe.unlink(missing_ok=True)
    except OSError:
        return False


def _limit(folder: Path, name: str, usual: int) -> int:
    try:
        found = os.pathconf(folder, name)
    except (OSError, ValueError):
        return usual
    return found if found > 0 else usual
