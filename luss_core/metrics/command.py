"""Score a folder of masks against a folder of ground truth, as the ImageNet-S tool does.

Masks are PNG files of the same relative path below both folders: RGB with id = R + 256 G and 1000 = ignore,
or one channel or a palette with 255 = ignore; for others see --truth-coding. Id 0 is "other"; classes are 1..C. All
scores are percent. A folder that `luss predict` or `luss export --to png` wrote can be given as it is.
"""

import argparse
import json
import logging
import os
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from luss_core.errors import UserError
from luss_core.metrics.absent import absence
from luss_core.metrics.coding_option import add_coding, folder_coding
from luss_core.metrics.counts import RANGES
from luss_core.metrics.evaluation import MatchedCounts, Unknown, check_classes, match_images
from luss_core.metrics.files import Counted, Pair, check_sizes, count_pair, each, pair_folders
from luss_core.metrics.joint import Joint
from luss_core.metrics.legend import beside, classes_in, masks_in, names_in
from luss_core.metrics.matching import Match, identity, match_rest, read_match, same_names, to_json
from luss_core.metrics.scores import Absent, scores

log = logging.getLogger(__name__)

KEYS = ("mIoU", "mBIoU", "F", "img_acc", *RANGES, *(f"mBIoU_{name}" for name in RANGES), "IoU", "match")
KEYS += ("mIoU_present", "mBIoU_present", "absent_classes")
"""What --json prints."""
SHOWN = 5
"""Pairs that a message names."""


def main(argv: list[str] | None = None) -> None:
    """Print the scores of two folders."""
    args = _parser().parse_args(argv)
    result = evaluate_folders(
        args.prediction,
        args.truth,
        args.classes,
        args.match,
        args.absent,
        args.unknown,
        args.threads,
        (args.prediction_coding, args.truth_coding),
    )
    text = json.dumps({key: result[key] for key in KEYS}) if args.json else table(result)
    sys.stdout.write(text + "\n")


def evaluate_folders(
    prediction: Path,
    truth: Path,
    classes: int,
    match: str,
    absent: Absent,
    unknown: Unknown | None,
    threads: int,
    codings: tuple[str, str] = ("auto", "auto"),
) -> dict[str, Any]:
    """The scores of two folders, and the matching as ``match``.

    Args:
        match: auto, identity, or the name of a match.json.
        codings: how predictions and truth are read, as --prediction-coding and --truth-coding.
        unknown: None means error, but drop for identity, where the official tool drops ids above C as well.

    Raises:
        UserError: files that cannot be scored.
    """
    check_classes(classes)
    known = None if match == "auto" else _known_match(match, classes)
    prediction, truth = masks_in(prediction), masks_in(truth)
    pairs = pair_folders(prediction, truth)
    check_sizes(pairs)
    pairs = _with_codings(pairs, prediction, truth, codings, classes, threads)
    counted: Iterable[Counted] = each(partial(count_pair, classes=classes), pairs, threads)
    if known is None:
        counted = list(counted)  # about 1 kB an image, so that no file is read twice
        known = _match([item.joint for item in counted], prediction, truth, classes)
    counts = MatchedCounts(classes, known, unknown or ("drop" if match == "identity" else "error"))
    for item in counted:
        counts.add(item)
    return {**scores(counts.finish(), absent), "match": to_json(known)}


def _match(joints: list[Joint], prediction: Path, truth: Path, classes: int) -> Match:
    """By the names that tables beside both folders say, where there are such, and else by the images that hold both."""
    tables = beside(prediction), beside(truth)
    named: Match = {}
    if tables[0] and tables[1]:
        known = {k: name for k, name in names_in(tables[1]).items() if 0 < k <= classes}
        named = same_names(names_in(tables[0]), known)
    if not named:
        return match_images(joints, classes)
    seen = {int(k) for joint in joints for k in joint.predicted if k}
    others = [k for k in sorted(seen - set(named)) if k <= classes]
    log.warning(
        "%d of the predicted ids are called as classes of the truth are, in %s and %s, and are taken for these (%s);"
        " %d other(s) are matched by the images that hold both",
        len(named),
        *tables,
        ", ".join(f"{k} = {name}" for k, name in sorted(named.items())[:SHOWN]) + ", ..." * (len(named) > SHOWN),
        len(others),
    )
    total = max(*seen, *named, classes)
    return match_rest(joints, named, others, total, classes)


def _with_codings(
    pairs: list[Pair], prediction: Path, truth: Path, said: tuple[str, str], classes: int, threads: int
) -> list[Pair]:
    """The pairs with the coding of either folder.

    Raises:
        UserError: a coding is a question; both questions, if there are two.
    """
    names, found, questions = [pair.truth.relative_to(truth) for pair in pairs], [], []
    for folder, option, coding in ((prediction, "--prediction", said[0]), (truth, "--truth", said[1])):
        try:
            found.append(folder_coding(folder, names, option, coding, classes, threads))
        except UserError as error:
            questions.append(str(error))
    if questions:
        raise UserError("\n".join(questions))
    return [pair._replace(prediction_coding=found[0], truth_coding=found[1]) for pair in pairs]


def table(result: dict[str, Any]) -> str:
    """The scores as aligned text: classes first, so that the summary ends up above the prompt."""
    clusters: dict[int, list[str]] = {}
    for cluster, name in result["match"].items():
        clusters.setdefault(name, []).append(cluster)
    lines = [f"{'class':>8} {'IoU':>8} {'BIoU':>8}  predicted id"]
    for i, (region, edge) in enumerate(zip(result["IoU"], result["BIoU"], strict=True)):
        lines.append(f"{i:>8} {_number(region)} {_number(edge)}  {' '.join(clusters.get(i, ['-']))}")
    lines += ["", f"{'':>8} {'IoU':>8} {'BIoU':>8}"]
    lines += [f"{'mean':>8} {_number(result['mIoU'])} {_number(result['mBIoU'])}"]
    if absent := absence(result):
        lines += [f"{'present':>8} {_number(result['mIoU_present'])} {_number(result['mBIoU_present'])}"]
    lines += [f"{name:>8} {_number(result[name])} {_number(result[f'mBIoU_{name}'])}" for name in RANGES]
    lines += ["", f"{'F':>8} {_number(result['F'])}", f"{'img_acc':>8} {_number(result['img_acc'])}"]
    lines += ["", f"{absent}."] if absent else []
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "luss evaluate",
        description=__doc__,
        epilog="example:\n  luss evaluate --prediction masks/ --truth truth/ --classes 50 --match auto",
        formatter_class=argparse.RawTextHelpFormatter,
    )
    add = parser.add_argument
    add("--prediction", type=Path, required=True, metavar="DIR", help="folder of predicted masks")
    add("--truth", type=Path, required=True, metavar="DIR", help="folder of ground-truth masks")
    add("--classes", type=int, required=True, metavar="C", help="number of classes without other")
    add(
        "--match",
        default="auto",
        metavar="auto|identity|FILE",
        help="auto: Hungarian matching of predicted ids and classes on these images (default); ids that have the\n"
        "name of a class, by categories.csv beside both folders, are that class\n"
        "identity: predicted ids are class ids\n"
        'FILE: match.json, {"predicted id": class id}, or categories.csv, whose column class says it',
    )
    add_coding(parser, "--truth", "the masks of the truth")
    add_coding(parser, "--prediction", "the predicted masks")
    add("--json", action="store_true", help="print one JSON object instead of a table")
    add(
        "--absent",
        choices=("skip", "zero"),
        default="skip",
        help="classes absent from a size range: left out of its mean (default, the released tool)\n"
        "or counted 0 (the tables of the first paper)",
    )
    add(
        "--unknown",
        choices=("error", "drop"),
        help="predicted ids that the matching does not know: stop (default), or count them as misses\n"
        "(default with identity, as the official tool)",
    )
    add("--threads", type=int, default=os.cpu_count() or 1, metavar="N", help="processes (default: one a core)")
    return parser


def _known_match(match: str, classes: int) -> Match:
    if match == "identity":
        return identity(classes)
    if not Path(match).is_file():
        raise UserError(f"--match {match}: no such file; allowed: auto, identity, or the path of a match.json")
    return classes_in(Path(match)) if match.endswith(".csv") else read_match(Path(match), classes)


def _number(value: float | None) -> str:
    return f"{'-':>8}" if value is None else f"{value:8.2f}"
