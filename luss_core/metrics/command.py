"""Score a folder of masks against a folder of ground truth, as the ImageNet-S tool does.

Masks are PNG files of the same relative path below both folders: RGB with id = R + 256 G and 1000 = ignore,
or one channel or a palette with 255 = ignore; for others see --truth-coding. Id 0 is "other"; classes are 1..C. All
scores are percent.
"""

import argparse
import json
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
from luss_core.metrics.matching import Match, identity, read_match, to_json
from luss_core.metrics.scores import Absent, scores

KEYS = ("mIoU", "mBIoU", "F", "img_acc", *RANGES, *(f"mBIoU_{name}" for name in RANGES), "IoU", "match")
KEYS += ("mIoU_present", "mBIoU_present", "absent_classes")
"""What --json prints."""


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
    pairs = pair_folders(prediction, truth)
    check_sizes(pairs)
    pairs = _with_codings(pairs, prediction, truth, codings, classes, threads)
    counted: Iterable[Counted] = each(partial(count_pair, classes=classes), pairs, threads)
    if known is None:
        counted = list(counted)  # about 1 kB an image, so that no file is read twice
        known = match_images((item.joint for item in counted), classes)
    counts = MatchedCounts(classes, known, unknown or ("drop" if match == "identity" else "error"))
    for item in counted:
        counts.add(item)
    return {**scores(counts.finish(), absent), "match": to_json(known)}


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
        help="auto: Hungarian matching of predicted ids and classes on these images (default)\n"
        "identity: predicted ids are class ids\n"
        'FILE: match.json, {"predicted id": class id}',
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
    return read_match(Path(match), classes)


def _number(value: float | None) -> str:
    return f"{'-':>8}" if value is None else f"{value:8.2f}"
