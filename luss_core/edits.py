"""What a person corrects in a run: names, merges, background, splits, and images moved to another category.

Masks of infer and clusters stay as they were found; who shows or writes categories looks them up here. No torch is
imported.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from luss_core.config.base import Positive, Section
from luss_core.errors import UserError

LONGEST_NAME = 80
"""Letters."""

Key = tuple[str | int, ...]
"""One thing that can be corrected: ("names", 3), ("moved", "train/a", 3)."""


class Conflict(UserError):  # noqa: N818 - two people did nothing wrong
    """Two windows changed the same thing."""


class Edits(Section):
    """edits.yaml. Ids are those of the masks: 0 is other, 1 to ``categories`` were found, those above are of splits."""

    version: Literal[1] = 1
    revision: int = Field(0, ge=0)
    """Counts the changes, so that two windows do not lose each other's."""
    clustering: str = ""
    """Digest of the clustering whose ids these are; empty where that was not said."""
    categories: int = Field(0, ge=0)
    """How many were found; 0 where that was not said."""
    names: dict[Positive, str] = {}
    """What categories are called."""
    merged: dict[Positive, Positive] = {}
    """Category: the one that it belongs to."""
    background: tuple[Positive, ...] = ()
    """Categories that are no objects: other."""
    split: dict[Positive, Positive] = {}
    """New category: the one that it was a part of. ``moved`` says which images it has."""
    moved: dict[str, dict[Positive, Positive]] = {}
    """Image (split/id): what is found in it as a category, and which it is."""

    @field_validator("names", mode="before")
    @classmethod
    def _texts(cls, value: Any) -> Any:
        for key, name in value.items() if isinstance(value, Mapping) else ():
            if not isinstance(name, str):
                raise ValueError(f"the name of {key} is {name!r}; a name is a text: put it in quotes")
            if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
                raise ValueError(
                    f"the name of {key} is {name[:100]!r}; allowed: one line of 1 to {LONGEST_NAME} letters"
                )
        return value

    @model_validator(mode="after")
    def _possible(self) -> Self:
        for category in self.merged:
            _end(category, self.merged)
        if self.categories:
            new = sorted(self.split)
            if new != list(range(self.categories + 1, self.total + 1)):
                raise ValueError(
                    f"split: found {new}; allowed: the ids that follow {self.categories}, one after another"
                )
            for place, category in self._mentioned():
                if category > self.total:
                    raise ValueError(f"{place}: there is no category {category}; allowed: 1 to {self.total}")
        return self

    @property
    def total(self) -> int:
        """The largest id, where ``categories`` is said."""
        return self.categories + len(self.split)

    @property
    def table(self) -> np.ndarray:
        """(total + 1,) int32: what is shown for each id, 0 for background."""
        ids = (_end(category, self.merged) for category in range(1, self.total + 1))
        return np.array([0, *(0 if k in self.background else k for k in ids)], np.int32)

    @property
    def shown(self) -> list[int]:
        """Categories that are neither background nor part of another one, ascending."""
        return [k for k, shown in enumerate(self.table.tolist()) if k and k == shown]

    @property
    def empty(self) -> bool:
        """Whether nothing is corrected."""
        return not flat(self)

    def apply_to_mask(self, ids: np.ndarray, image: str = "") -> np.ndarray:
        """The mask as it is shown.

        Args:
            ids: (H, W) int32 as infer found them; what is no category, such as 1000 for ignored, stays.
            image: split/id; empty for an image that is not of the run, of which nothing was moved.
        """
        return looked_up(self.table_of(image), ids)

    def table_of(self, image: str) -> np.ndarray:
        """(total + 1,) int32: what is shown for each id in an image."""
        found = np.arange(self.total + 1, dtype=np.int32)
        for category, to in self.moved.get(image, {}).items():
            found[category] = to
        return self.table[found]

    def category_of(self, found: int, image: str = "") -> int:
        """The same for one id."""
        return int(self.table[self.moved.get(image, {}).get(found, found)])

    def called(self, defaults: Sequence[str]) -> list[str]:
        """(total + 1,) names, those of the person before ``defaults``, which has "other" and one of each found one."""
        names = [*defaults, *(f"category {k}" for k in range(len(defaults), self.total + 1))]
        return [self.names.get(k, name) for k, name in enumerate(names)]

    def _mentioned(self) -> Iterator[tuple[str, int]]:
        for key, value in flat(self).items():
            yield str(key[0]), int(key[-1])
            if isinstance(value, int):
                yield str(key[0]), value


def looked_up(table: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """(H, W) ids by a table of them; what is beyond it stays."""
    known = ids < len(table)
    return np.where(known, table[np.where(known, ids, 0)], ids).astype(ids.dtype)


def flat(edits: Edits) -> dict[Key, Any]:
    """Everything that is corrected, one entry each."""
    found: dict[Key, Any] = {("background", category): True for category in edits.background}
    for part in ("names", "merged", "split"):
        found |= {(part, key): value for key, value in getattr(edits, part).items()}
    return found | {("moved", image, k): to for image, moves in edits.moved.items() for k, to in moves.items()}


def from_flat(content: Mapping[Key, Any], like: Edits) -> Edits:
    """The inverse, with revision and clustering of ``like``.

    Raises:
        ValidationError: entries that contradict each other.
    """
    parts: dict[str, Any] = {"names": {}, "merged": {}, "split": {}, "moved": {}}
    for (part, *keys), value in content.items():
        if part == "moved":
            parts["moved"].setdefault(keys[0], {})[keys[1]] = value
        elif part != "background":
            parts[str(part)][keys[0]] = value
    background = sorted(int(key[1]) for key in content if key[0] == "background")
    about = {name: getattr(like, name) for name in ("revision", "clustering", "categories")}
    return Edits.model_validate({**about, **parts, "background": background})


def changes(before: Edits, after: Edits) -> dict[Key, Any]:
    """What differs: each entry as it is after, None where it is gone."""
    old, new = flat(before), flat(after)
    return {key: new.get(key) for key in (*old, *new) if old.get(key) != new.get(key)}


def combined(base: Edits, mine: Edits, current: Edits) -> Edits:
    """``current`` with what ``mine`` changed since ``base``; both grew from that.

    Raises:
        Conflict: both changed the same thing, or the changes contradict each other.
    """
    ours, theirs = changes(base, mine), changes(base, current)
    clash = [key for key in ours if key in theirs and ours[key] != theirs[key]]
    if clash:
        raise Conflict(f"{said(clash[0])} was changed in another window meanwhile; look at it and try again")
    content = {**flat(current), **ours}
    try:
        return from_flat({key: value for key, value in content.items() if value is not None}, current)
    except ValueError as error:
        raise Conflict(
            "another window changed something meanwhile that does not go with this; look at it and try again"
        ) from error


def said(key: Key) -> str:
    """One entry in words."""
    words = {
        "names": "the name of category {}",
        "merged": "what category {} belongs to",
        "background": "whether category {} is background",
        "split": "category {}",
        "moved": "the category of image {}",
    }
    return words[str(key[0])].format(key[1])


def _end(category: int, merged: Mapping[int, int]) -> int:
    """Where merges lead."""
    seen = [category]
    while seen[-1] in merged:
        seen.append(merged[seen[-1]])
        if seen[-1] in seen[:-1]:
            raise ValueError(f"merged: {' into '.join(map(str, seen))}: a category cannot be part of itself")
    return seen[-1]
