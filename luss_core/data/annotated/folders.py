"""What lies in the folders of a data set."""

from pathlib import Path

from luss_core.data.files import passed_over
from luss_core.data.kinds import is_image
from luss_core.errors import UserError


def folders_in(folder: Path) -> list[str]:
    """Names of the folders in a folder, in order; of none where it is not there."""
    if not folder.is_dir():
        return []
    return sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not passed_over(entry.name))


def images_in(folder: Path) -> list[Path]:
    """The image files in a folder, in order."""
    return sorted(file for file in folder.iterdir() if is_image(file.name) and not passed_over(file.name))


def refused(root: Path, kind: str, wanted: str) -> UserError:
    """Why a folder is no data set of a kind."""
    found = ", ".join(sorted(entry.name for entry in root.iterdir())[:8]) if root.is_dir() else "no such folder"
    return UserError(
        f"probes.data.root {root}: not in the layout {kind}, which has {wanted}; found: {found or 'nothing'}. Name the"
        " folder that holds them, or another probes.data.format"
    )
