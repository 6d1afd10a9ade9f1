"""Which class each cluster stands for: Hungarian matching by how many images contain both."""

import operator
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from luss_core.errors import UserError
from luss_core.io import read_json
from luss_core.metrics.joint import Joint

UNKNOWN = 1 << 16
"""Stands for predicted ids that the matching does not know: above any class, so they only miss."""

Match = dict[int, int]
"""Predicted id -> class id, 0 -> 0 included."""


def identity(classes: int) -> Match:
    """The matching of predictions that are in class ids already."""
    return {i: i for i in range(classes + 1)}


def presence(joint: Joint, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Clusters and classes, both 1..C, that occur in an image outside the ignored pixels."""
    return tuple(ids[(ids > 0) & (ids <= classes)] for ids in (joint.predicted, joint.truth))  # type: ignore[return-value]


def assign(together: np.ndarray) -> Match:
    """The one-to-one matching with the most co-occurrences.

    Pixel overlap has no part in it, as in the official tool, whose cost 1 - count / images has the same optimum.

    Args:
        together: (C, C) int64, images in which cluster i + 1 and class j + 1 both occur.
    """
    from scipy.optimize import linear_sum_assignment  # takes half a second, and most processes never match

    clusters, matched = linear_sum_assignment(together, maximize=True)
    return {0: 0, **{int(i) + 1: int(j) + 1 for i, j in zip(clusters, matched, strict=True)}}


def same_names(called: Mapping[int, str], names: Mapping[int, str]) -> Match:
    """The class of each category that is called as one; case and spaces around do not count.

    Args:
        names: of classes; of two with one name the first is meant.
    """
    classes = {name.strip().casefold(): k for k, name in reversed(list(names.items()))}
    plain = {k: name.strip().casefold() for k, name in called.items()}
    return {k: classes[name] for k, name in plain.items() if name in classes}


def match_rest(joints: Iterable[Joint], known: Match, shown: Sequence[int], total: int, classes: int) -> Match:
    """The matching with ``known`` in it: the other categories and classes one to one, with the most images that hold
    both. Where there are more categories than classes, some have none.

    Args:
        shown: categories that masks hold.
        total: the largest of their ids.
    """
    together = np.zeros((total + 1, classes + 1), np.int64)
    for joint in joints:
        together[np.ix_(joint.predicted, joint.truth)] += 1
    clusters = np.array([k for k in shown if k not in known], np.int64)
    free = np.setdiff1d(np.arange(1, classes + 1), list(known.values()))
    found = assign(together[np.ix_(clusters, free)])
    return {0: 0, **known, **{int(clusters[i - 1]): int(free[j - 1]) for i, j in found.items() if i}}


def matched_ids(predicted: np.ndarray, match: Mapping[int, int]) -> np.ndarray:
    """Class ids of predicted ids; UNKNOWN for those that the matching does not have."""
    return np.array([match.get(int(i), UNKNOWN) for i in predicted], np.int64)


def to_json(match: Mapping[int, int]) -> dict[str, int]:
    """The form of match.json, interchangeable with the official tool's."""
    return {str(i): match[i] for i in sorted(match)}


def read_match(path: Path, classes: int) -> Match:
    """A matching from match.json.

    Raises:
        UserError: not an object of ids, or a class id outside 0..C.
    """
    content = read_json(path)
    try:
        match = {int(key): operator.index(value) for key, value in content.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise UserError(f'{path} is no matching; wanted {{"predicted id": class id, ...}}') from error
    outside = {i: j for i, j in match.items() if not 0 <= j <= classes}
    if outside:
        raise UserError(f"{path} maps {len(outside)} id(s) outside 0..{classes}, such as {next(iter(outside.items()))}")
    return match
