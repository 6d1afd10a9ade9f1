"""The folder of photographs: whether it can be used, and what to say of it in a few lines."""

import shlex
from pathlib import Path

from luss_core.config import PrepareConfig
from luss_core.data.facts import Facts
from luss_core.data.files import OWN, OWN_FOLDERS
from luss_core.data.look import look
from luss_core.errors import UserError
from luss_core.stages.look import facts_at

FEWEST = 20
"""Photographs, with which the program begins: categories are what many of them share."""
FEW = 100
"""Photographs below which the result is told to mean little."""
A_CATEGORY = 10
"""Photographs of each category, at least, where the number of categories is not said."""
CATEGORIES = 12
"""Where nobody says how many, and there are photographs enough."""


def checked(folder: str) -> Path:
    """The folder with its whole path.

    Raises:
        UserError: no folder, results of this program, or a path that no file of settings can hold.
    """
    given = Path(folder)
    root = (given if given.exists() else given.expanduser()).absolute()
    if not folder.strip():
        raise UserError('the name of the folder is empty; name your photographs: luss photos "/path/to/my photographs"')
    if not root.is_dir():
        what = "is a file" if root.exists() else f"does not exist (seen from {Path.cwd()})"
        raise UserError(f"{folder} {what}; give the folder that your photographs lie in, in quotes if it has a space")
    try:
        str(root).encode("utf-8")
    except UnicodeEncodeError:
        raise UserError(
            f"{folder!r}: its name is not in UTF-8, so settings cannot name it; rename the folder"
        ) from None
    if own := results_above(root):
        raise UserError(
            f"{folder} is in {own}, which holds results of this program; give the folder of the photographs themselves"
        )
    return root


def results_above(root: Path) -> Path | None:
    """The folder of results that a folder is, or lies in; None for any other."""
    for folder in (root, *root.parents):
        inside = folder in root.parents and _below(folder, root) in OWN_FOLDERS
        if (folder == root or inside) and _holds_results(folder):
            return folder
    return None


def _below(folder: Path, root: Path) -> str:
    """The first part of the way from a folder to another in it."""
    return root.relative_to(folder).parts[0]


def _holds_results(folder: Path) -> bool:
    return any((folder / name / inside).exists() for name, held in OWN.items() for inside in held)


def seen(root: Path, side: int, threads: int) -> Facts:
    """What lies in the folder, from all names and a sample of the files.

    Args:
        side: to which photographs are reduced, in pixels.

    Raises:
        UserError: no photographs, too few of them, or all the same.
    """
    facts = facts_at(PrepareConfig(short_side=side), root, threads)
    count = learned(facts)
    if facts.listing.videos and not facts.listing.images:
        raise UserError(f"{root} holds videos and no photographs; how to learn from videos: docs/video.md")
    if count < FEWEST:
        there = "1 photograph" if count == 1 else f"{count} photographs"
        raise UserError(
            f"{root} holds {there} that can be used for learning; categories are what many photographs share: give"
            f" {FEWEST} or more, better some hundred. What lies there: luss look {shlex.quote(str(root))}"
        )
    if facts.decoded > 1 and facts.identical.copies >= facts.decoded - 1:
        raise UserError(
            f"all of the {facts.decoded} photographs in {root} that were looked at are the same picture; there is"
            " nothing to tell apart: give different photographs"
        )
    return facts


def learned(facts: Facts) -> int:
    """How many photographs are learned from."""
    images = facts.listing.images if facts.sampled else facts.rows
    return sum(listed.split == "train" for listed in images)


def categories_for(count: int) -> int:
    """How many categories to look for where nobody says it, among so many photographs."""
    return max(2, min(CATEGORIES, count // A_CATEGORY))


def check_categories(categories: int, count: int) -> None:
    """Raises:
    UserError: no number of categories among so many photographs.
    """
    if not 2 <= categories <= count // 2:
        raise UserError(
            f"--categories {categories}: there are {count} photographs, in which 2 to {count // 2} can be looked for"
            + ("; to find where objects are, all of one kind, see classes in config.yaml" if categories == 1 else "")
        )


def told(facts: Facts, side: int, settings: str) -> list[str]:
    """What was found, and what may be wrong with it, a line each.

    Args:
        settings: the file in which it can be changed.
    """
    said = look(facts, PrepareConfig(short_side=side), settings)
    count = learned(facts)
    lines = [*said.found, *(f"warning: {text}" for text in said.questions)]
    if count < FEW:
        lines.append(f"warning: {count} photographs are few; some hundred give categories that can be relied on")
    return lines
