"""Which entries of a folder are looked at: one rule for every reader of folders.

Left out are hidden names, the companions, thumbnails and bins that systems and network drives leave everywhere, and
where photographs are looked for, this program's own folders. What is left out is counted. Imports neither torch nor
NumPy.
"""

import os
import re
from pathlib import Path
from typing import NamedTuple

from luss_core.data.kinds import (
    APPLE,
    BARE,
    BARE_IMAGE,
    HIDDEN,
    OTHER,
    PROGRAM,
    RESULTS,
    SYSTEM,
    Kind,
    Tally,
    suffix_of,
)

SYSTEM_NAMES = frozenset(
    {
        *("__macosx", "network trash folder", "temporary items", "icon\r"),  # macOS
        *("$recycle.bin", "recycler", "recycled", "system volume information"),  # Windows
        *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "iconcache.db", "picasa.ini"),
        *("@eadir", "#recycle", "#snapshot", "@tmp", "@sharebin", "@recycle", "@recently-snapshot"),  # network drives
        *("lost+found", "~snapshot"),
    }
)
"""In lower case."""
SYSTEM_PATTERN = re.compile(r"found\.\d{3}|\.(trash|trashes|trash-\d+|thumbnails?|thumbs|@__thumb|spotlight-v100)")
PREVIEWS = ".lrdata"
"""Ending of the folders in which Lightroom keeps previews."""
LIBRARIES = (".photoslibrary", ".photolibrary", ".aplibrary")
"""Folders of Apple's programs: the photographs lie in originals/ or Masters/, and elsewhere smaller copies."""
COPIES = ("resources", "database", "external", "internal", "private", "scopes", "Database", "Previews", "Thumbnails")

OWN = {
    "prepare": ("summary.json", "images.h5", "images.csv", "unusable.csv"),
    "state": ("prepare",),
    "logs": ("prepare.log", "synthesize.log"),
    "source": ("prepare.json",),
    "pretrain": ("log.jsonl", "encoder.safetensors"),
    "infer": ("masks",),
}
"""What folders of results hold: a folder, and one of these in it."""
OWN_FOLDERS = frozenset(OWN) | {
    *("ablation", "benchmarks", "cluster", "compare", "evaluate", "examine", "export", "extract", "finetune", "prior"),
    *("report", "synthesize"),
}
CHECKOUT = ("Snakefile", "luss_core", "workflow_scripts")
"""What the folder of this program holds, and below it what is no photograph."""
CHECKOUT_FOLDERS = frozenset({"benchmarks", "build", "docs", "envs", "luss_core", "profiles", "recipes", "rules"})
CHECKOUT_FOLDERS |= {"results", "tests", "workflow_scripts"}

SAMPLED = 20
"""Files without a suffix whose first bytes are read."""
BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"\0\0\0\x0cjP")
BOXES = (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypavif")


class Files(NamedTuple):
    """What lies below a folder."""

    files: list[str]
    """Sorted, relative, with forward slashes."""
    problems: list[tuple[str, str]]
    """What cannot be read, with the reason."""
    left_out: Tally


def passed_over(name: str) -> Kind | None:
    """Why an entry of this name is not looked at, be it file or folder; None where it is."""
    if name.startswith("._"):
        return APPLE
    if name.startswith("."):
        return SYSTEM if SYSTEM_PATTERN.fullmatch(name.lower()) or name == ".DS_Store" else HIDDEN
    lower = name.lower()
    found = lower in SYSTEM_NAMES or lower.endswith(PREVIEWS) or SYSTEM_PATTERN.fullmatch(lower)
    return SYSTEM if found else None


def list_files(root: Path, *, photographs: bool = False) -> Files:
    """All files below a folder. Links are followed, none in a circle; see ``passed_over`` for what is left out.

    Args:
        photographs: leave out this program's own results as well, wherever they lie.
    """
    found = Files([], [], Tally())
    waiting = [(root, "", frozenset({os.path.realpath(root)}))]
    while waiting:
        folder, prefix, above = waiting.pop()
        entries = _entries(folder, prefix, found.problems)
        own = _own(folder, {entry.name for entry in entries}) if photographs else {}
        if own and prefix and RESULTS in own.values():
            found.left_out.add(RESULTS, prefix.rstrip("/"))
            continue
        for entry in entries:
            path = prefix + entry.name
            if kind := own.get(entry.name) or passed_over(entry.name):
                found.left_out.add(kind, path)
                continue
            try:
                if entry.is_dir():
                    real = os.path.realpath(entry.path) if entry.is_symlink() else entry.path
                    if real not in above:
                        waiting.append((Path(entry.path), f"{path}/", above | {real}))
                else:
                    _add_file(found, entry, path)
            except OSError as error:  # a link to itself, or into a folder that may not be entered
                found.problems.append((path, f"cannot be read: {error.strerror}"))
    found.files.sort()
    return found


def _entries(folder: Path, prefix: str, problems: list[tuple[str, str]]) -> list[os.DirEntry[str]]:
    """Of a folder, by name; none of one that cannot be read, which is one of the problems then."""
    try:
        return sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        problems.append((prefix.rstrip("/"), f"folder cannot be read: {error.strerror}"))
        return []


def _add_file(found: Files, entry: os.DirEntry[str], path: str) -> None:
    """An entry that is no folder."""
    if entry.is_file():
        found.files.append(path)
    elif entry.is_symlink():
        found.problems.append((path, "link to a file that does not exist"))
    else:
        found.left_out.add(OTHER, path)


def look_inside(root: Path, files: list[str], left_out: Tally) -> None:
    """Read the first bytes of some files without a suffix, and say so in ``left_out`` if most are images."""
    if BARE not in left_out:
        return
    bare = [name for name in files if not suffix_of(name)]
    sample = bare[:: -(-len(bare) // SAMPLED)]
    if 2 * sum(_begins_like_an_image(root / name) for name in sample) > len(sample):
        left_out.rename(BARE, BARE_IMAGE)


def _own(folder: Path, names: set[str]) -> dict[str, Kind]:
    """Entries that are no photographs because of what the folder is: results of this program, its own, or a library."""
    if folder.name.lower().endswith(LIBRARIES):
        return dict.fromkeys(COPIES, SYSTEM)
    if names.issuperset(CHECKOUT):
        return dict.fromkeys(CHECKOUT_FOLDERS, PROGRAM)
    for name in OWN.keys() & names:
        if any((folder / name / inside).exists() for inside in OWN[name]):
            return dict.fromkeys(OWN_FOLDERS, RESULTS)
    return {}


def _begins_like_an_image(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            start = file.read(12)
    except OSError:
        return False
    return start.startswith(BEGINNINGS) or start[4:] in BOXES or (start[:4] == b"RIFF" and start[8:] == b"WEBP")
