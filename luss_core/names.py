"""What category folders are called: a text file of names, such as LOC_synset_mapping.txt of ImageNet."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from luss_core.errors import UserError

log = logging.getLogger(__name__)


def read_names(path: Path) -> dict[str, str]:
    """The name of each folder in a text file of lines: folder, tab or white space, name, other names after commas.

    Only the first name is kept. Where there is a tab the folder is what stands before it, white space included.

    Raises:
        UserError: missing, no text in UTF-8, a line without a name, or a folder that is given two.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or f"no text in UTF-8: {error}"
        raise UserError(
            f"names {path}: cannot be read (seen from {Path.cwd()}): {reason}; give a text file with a folder and its"
            " name in each line, or null"
        ) from error
    names: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        folder, name = _parse(line)
        if not (folder and name):
            raise UserError(
                f"names {path}, line {number}: found {line!r}; wanted a folder, white space, and its name, such as"
                " n01443537 goldfish"
            )
        if names.setdefault(folder, name) != name:
            raise UserError(
                f"names {path}, line {number}: {folder} is called {name!r} here and {names[folder]!r} further up;"
                " keep one of the lines"
            )
    return names


def call(folders: Sequence[str], names: Mapping[str, str]) -> list[str]:
    """What each folder is called: its name, with the folder where another has the same, or the folder without one.

    ImageNet has two categories "crane", and nobody could tell them apart.
    """
    shown = [names.get(folder, folder) for folder in folders]
    often = Counter(shown)
    found = zip(folders, shown, strict=True)
    return [name if often[name] == 1 or name == folder else f"{name} ({folder})" for folder, name in found]


def call_from(path: Path, folders: Sequence[str]) -> list[str]:
    """The same with the names of a file; the log says how many folders have none.

    Raises:
        UserError: as ``read_names``.
    """
    names = read_names(path)
    missing = [folder for folder in folders if folder not in names]
    if missing:
        text = "%d of %d classes have no line in %s and keep the name of their folder, such as %s"
        log.warning(text, len(missing), len(folders), path, missing[0])
    return call(folders, names)


def _parse(line: str) -> tuple[str, str]:
    """Folder and first name; '' for what is not there."""
    folder, tab, rest = line.partition("\t")
    if not tab:
        folder, rest = (*line.split(maxsplit=1), "", "")[:2]
    return folder.strip(), rest.partition(",")[0].strip()
