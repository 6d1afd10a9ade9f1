"""Mask files that belong together, read and counted one by one in several processes; unusable ones are listed."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from luss_core.data.coding import Coding
from luss_core.data.files import list_files
from luss_core.data.kinds import suffix_of
from luss_core.data.masks import IGNORE, PLAIN, image_size
from luss_core.errors import UserError
from luss_core.metrics.joint import Joint, joint_histogram
from luss_core.parallel import batches, ordered_map, progress

T = TypeVar("T")
R = TypeVar("R")

log = logging.getLogger(__name__)

BATCH = 16
"""Images a process takes at a time."""
WORTH_A_PROCESS = 200
"""Images below which starting one more process takes longer than it saves."""
NAMED = 5
"""Files, or ids, that a message names."""


class Pair(NamedTuple):
    """A predicted mask and its truth."""

    prediction: Path
    truth: Path
    prediction_coding: Coding = PLAIN
    truth_coding: Coding = PLAIN


class Counted(NamedTuple):
    """What is left of a pair once it is counted."""

    prediction: Path
    joint: Joint


class Unusable(NamedTuple):
    """Stands for the result of an item that has none."""

    reason: str


def pair_folders(prediction: Path, truth: Path) -> list[Pair]:
    """Every PNG below ``truth`` with the one of the same relative path below ``prediction``, in order of the path.

    Raises:
        UserError: a folder is missing, the truth is empty, or a prediction is missing.
    """
    for folder, option in ((prediction, "--prediction"), (truth, "--truth")):
        if not folder.is_dir():
            raise UserError(f"{option} {folder}: no such folder; give the folder that holds the masks as PNG files")
    names = _png_files(truth, "--truth")
    if not names:
        raise UserError(
            f"--truth {truth}: no PNG file in it or below it{other_files(truth)}; give the folder of ground-truth masks"
        )
    missing = [f"{prediction / name} does not exist" for name in names if not (prediction / name).is_file()]
    raise_listed(missing, len(names), "each mask of the truth needs a prediction of the same relative path")
    extra = len(_png_files(prediction, "--prediction")) - len(names)
    if extra > 0:
        log.warning("%d of the files in %s have no truth and are left out", extra, prediction)
    return [Pair(prediction / name, truth / name) for name in names]


def _png_files(folder: Path, option: str) -> list[str]:
    """Relative paths below a folder, sorted.

    Raises:
        UserError: a folder in it cannot be read.
    """
    found = list_files(folder)
    if found.problems:
        path, reason = found.problems[0]
        raise UserError(f"{option} {folder}: {path or 'the folder'}: {reason}; check the rights")
    return [name for name in found.files if suffix_of(name) == ".png"]


def other_files(folder: Path) -> str:
    """What a folder holds instead of PNG files, as part of a sentence."""
    kinds = Counter(map(suffix_of, list_files(folder).files))
    if not kinds:
        return ""
    jpeg = kinds[".jpg"] + kinds[".jpeg"]
    why = "; JPEG changes values, so that ids are lost: export masks as PNG" if jpeg else ""
    found = ", ".join(f"{count} {kind or 'without suffix'}" for kind, count in kinds.most_common(NAMED))
    return f" (found: {found}{why})"


def check_sizes(pairs: Sequence[Pair]) -> None:
    """Read the headers of all files before the work begins.

    Raises:
        UserError: a file is no image, or the two of a pair differ in size.
    """
    problems = []
    for pair in pairs:
        try:
            predicted, true = image_size(pair.prediction), image_size(pair.truth)
        except UserError as error:
            problems.append(str(error))
            continue
        if predicted != true:
            problems.append(_sizes_differ(pair, predicted, true))
    raise_listed(problems, len(pairs), "a mask has the height and width of its image file; nothing is resized here")


def count_pair(pair: Pair, classes: int) -> Counted:
    """The joint histogram of two files.

    Raises:
        UserError: unreadable, sizes differ, or the truth has ids above ``classes``.
    """
    prediction, truth = pair.prediction_coding.read(pair.prediction), pair.truth_coding.read(pair.truth)
    if prediction.shape != truth.shape:
        raise UserError(_sizes_differ(pair, prediction.shape, truth.shape))
    joint = joint_histogram(prediction, truth)
    check_truth(joint.truth, pair.truth, classes)
    return Counted(pair.prediction, joint)


def check_truth(ids: np.ndarray, path: Path, classes: int) -> None:
    """Refuse ids that are neither a class nor IGNORE.

    Raises:
        UserError: names them.
    """
    above = ids[(ids > classes) & (ids != IGNORE)]
    if len(above):
        raise UserError(f"{path} has ids above {classes}, the number of classes: {shown(above)}")


def each(function: Callable[[T], R], items: Sequence[T], threads: int) -> Iterator[R]:
    """``function`` of every item, in order, by up to ``threads`` processes, with progress.

    Items for which it raises UserError are set aside while the others go on.

    Raises:
        UserError: after the last item, if any was set aside; names them.
    """
    problems = []
    results = ordered_map(
        partial(_attempt, function), batches(items, BATCH), min(threads, len(items) // WORTH_A_PROCESS + 1)
    )
    for batch in progress(results, len(items), "images", len):
        for result in batch:
            if isinstance(result, Unusable):
                problems.append(result.reason)
            else:
                yield result
    raise_listed(problems, len(items), "repair these files or take them out")


def raise_listed(problems: Sequence[str], total: int, remedy: str) -> None:
    """Stop if there are problems.

    Raises:
        UserError: the first few of them, how many there are, and what to do.
    """
    if problems:
        more = [f"... and {len(problems) - NAMED} more"] if len(problems) > NAMED else []
        lines = "\n  ".join([*problems[:NAMED], *more])
        raise UserError(f"{len(problems)} of {total} masks cannot be used; {remedy}:\n  {lines}")


def _attempt(function: Callable[[T], R], items: Sequence[T]) -> list[R | Unusable]:
    results: list[R | Unusable] = []
    for item in items:
        try:
            results.append(function(item))
        except UserError as error:
            results.append(Unusable(str(error)))
    return results


def shown(ids: np.ndarray) -> str:
    """The first few ids as text."""
    return ", ".join(map(str, ids[:NAMED])) + (" ..." if len(ids) > NAMED else "")


def _sizes_differ(pair: Pair, predicted: tuple[int, ...], true: tuple[int, ...]) -> str:
    return (
        f"{pair.prediction} is {predicted[0]} x {predicted[1]} (height x width),"
        f" its truth {pair.truth} is {true[0]} x {true[1]}"
    )
