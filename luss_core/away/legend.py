"""What the ids in masks mean: a name and a colour for each. Imports no torch."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from luss_core.colours import class_colours
from luss_core.data.images import write_csv
from luss_core.edits import Edits

COLUMNS = ("id", "name", "colour", "kind", "class")


class Category(NamedTuple):
    """What an id of masks means."""

    id: int
    name: str
    colour: str
    """#rrggbb."""
    kind: Literal["other", "cluster", "class"]
    """other: no category, id 0. class: a cluster that ground truth or a person gave a name. cluster: all others."""
    class_id: int | None
    """Id of its class in the ground truth; None without one."""


def make_legend(classes: int, match: Mapping[str, int] | None, names: Sequence[str] | None) -> list[Category]:
    """The categories 0..C of a run, as pages of it colour and call them.

    Args:
        match: class of each cluster, as scores.json has it; None without ground truth.
        names: of the classes, other first.
    """
    colours = [hex_colour(colour) for colour in class_colours(classes)]
    found = [Category(0, "other", colours[0], "other", 0 if match else None)]
    for cluster in range(1, classes + 1):
        known = None if match is None or names is None else match.get(str(cluster))
        if known is None or names is None or not 0 < known <= classes:
            found.append(Category(cluster, f"category {cluster}", colours[cluster], "cluster", None))
        else:
            found.append(Category(cluster, names[known], colours[known], "class", known))
    return found


def corrected(legend: Sequence[Category], edits: Edits) -> list[Category]:
    """The categories with the names that a person gave, and those that came of splits; by id, as ``legend`` is."""
    colours = class_colours(max(edits.total, len(legend) - 1))
    new = range(len(legend), edits.total + 1)
    found = [*legend, *(Category(k, f"category {k}", hex_colour(colours[k]), "cluster", None) for k in new)]
    names = edits.called([category.name for category in legend])
    kinds = ["class" if category.id in edits.names else category.kind for category in found]
    return [category._replace(name=name, kind=kind) for category, name, kind in zip(found, names, kinds, strict=True)]


def shown(legend: Sequence[Category], edits: Edits) -> list[Category]:
    """Those that masks hold once they are corrected: neither background nor part of another category."""
    return [legend[0], *(legend[k] for k in edits.shown)]


def legend_of_model(about: Mapping[str, Any]) -> list[Category]:
    """The categories of an exported file, from what it says; files of the first version say it in other words."""
    said = about.get("categories")
    if said is None:
        return make_legend(about["classes"], about["match"], about["names"])
    return [Category(*(entry[column] for column in COLUMNS)) for entry in said]


def to_json(legend: Sequence[Category]) -> list[dict[str, Any]]:
    """For the metadata of a file; ``legend_of_model`` reads it."""
    return [dict(zip(COLUMNS, category, strict=True)) for category in legend]


def write_categories(path: Path, legend: Sequence[Category]) -> None:
    """categories.csv: a line for each id.

    Raises:
        UserError: cannot be written.
    """
    rows = ((*category[:-1], "" if category.class_id is None else category.class_id) for category in legend)
    write_csv(path, COLUMNS, rows)


def colours_of(legend: Sequence[Category]) -> np.ndarray:
    """(C + 1, 3) uint8, by id."""
    return np.array([list(bytes.fromhex(category.colour[1:])) for category in legend], np.uint8)


def hex_colour(colour: np.ndarray) -> str:
    """(3,) uint8 -> #rrggbb."""
    return "#{:02x}{:02x}{:02x}".format(*colour.tolist())
