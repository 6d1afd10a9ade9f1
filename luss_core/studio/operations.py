"""What a person can do to the categories of a run: from corrections to corrections, without files."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from luss_core.config.base import Section
from luss_core.edits import Edits
from luss_core.errors import UserError


class Operation(Section):
    """What the page sends."""

    do: Literal["name", "merge", "background", "restore", "split", "move", "undo"]
    base: int = Field(ge=0)
    """The revision that the person saw."""
    category: int = Field(0, ge=0)
    into: int = Field(0, ge=0)
    """The category that is merged or moved into."""
    name: str = ""
    images: tuple[Annotated[int, Field(ge=0)], ...] = ()
    """Rows of the image list."""


def named(edits: Edits, category: int, name: str) -> Edits:
    """With a name, or without one where that is empty."""
    _check_shown(edits, category)
    names = {key: value for key, value in edits.names.items() if key != category}
    return changed(edits, names=names | ({category: " ".join(name.split())} if name.strip() else {}))


def merged(edits: Edits, category: int, into: int) -> Edits:
    """With one category as part of another; the name that a person gave stays where there is only one."""
    _check_shown(edits, category, into)
    if category == into:
        raise UserError("a category cannot be merged into itself; choose another one")
    names = dict(edits.names)
    if into not in names and category in names:
        names[into] = names[category]
    return changed(edits, merged={**edits.merged, category: into}, names=names)


def as_background(edits: Edits, category: int) -> Edits:
    """With a category that is no object."""
    _check_shown(edits, category)
    return changed(edits, background=sorted({*edits.background, category}))


def restored(edits: Edits, category: int) -> Edits:
    """With a category of its own again that was merged or background."""
    merges = {key: value for key, value in edits.merged.items() if key != category}
    return changed(edits, merged=merges, background=[k for k in edits.background if k != category])


def moved(edits: Edits, images: Mapping[str, set[int]], category: int) -> Edits:
    """With images in another category: what is shown there of their category becomes the other one.

    Args:
        images: of each the ids by which it has its category.
    """
    _check_shown(edits, category)
    return changed(edits, moved=_with(edits, dict.fromkeys(images, category), images))


def divided(edits: Edits, category: int, images: list[str]) -> Edits:
    """With a new category that has the ``images`` of another."""
    _check_shown(edits, category)
    new = edits.total + 1
    grown = changed(edits, split={**edits.split, new: category})
    if category in edits.names:
        grown = changed(grown, names={**grown.names, new: f"{edits.names[category][:70]} (2)"})
    ids = {image: {k for k in range(1, new) if edits.category_of(k, image) == category} for image in images}
    return changed(grown, moved=_with(grown, dict.fromkeys(images, new), ids))


def changed(edits: Edits, **parts: Any) -> Edits:
    """The corrections with other parts.

    Raises:
        UserError: they contradict each other.
    """
    try:
        return Edits.model_validate(edits.model_dump() | parts)
    except ValidationError as error:
        raise UserError(error.errors()[0]["msg"].removeprefix("Value error, ")) from error


def _with(edits: Edits, to: Mapping[str, int], found: Mapping[str, set[int]]) -> dict[str, dict[int, int]]:
    """``moved`` with more; what an image has anyhow is not written down."""
    table = edits.table
    images = dict(edits.moved)
    for image, category in to.items():
        moves = {**images.get(image, {}), **dict.fromkeys(found[image], category)}
        moves = {k: end for k, end in moves.items() if table[k] != table[end]}
        images.pop(image, None)
        if moves:
            images[image] = moves
    return images


def _check_shown(edits: Edits, *categories: int) -> None:
    for category in categories:
        if category not in edits.shown:
            raise UserError(f"there is no category {category} any more; look at the list and choose again")
