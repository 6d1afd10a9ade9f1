"""Write the zip that the ImageNet-S server scores, from the masks of a run.

In it are <category folder>/<image>.png, RGB with class id = R + 256 G, and method.txt. The masks hold class ids: they
go through match.json here, so that it is no part of the zip and the server has nothing to match.
"""

import argparse
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipFile, ZipInfo

import numpy as np

from luss_core.data.benchmark import recognize
from luss_core.data.images import SPLITS, ImageList, read_images
from luss_core.data.masks import image_size, mask_png, read_prediction
from luss_core.errors import UserError
from luss_core.io import atomic, read_json
from luss_core.metrics.files import each, raise_listed, shown
from luss_core.metrics.matching import UNKNOWN, Match, matched_ids, read_match

log = logging.getLogger(__name__)

LINES = {
    "method_name": "Method name",
    "training_data": "Training data",
    "training_scheme": "Training scheme",
    "networks": "Networks",
    "link": "Paper/Project link",
    "description": "Method description",
}
"""Argument -> how its line of method.txt begins, in the order of the lines."""
DATE = (1980, 1, 1, 0, 0, 0)
"""The first that a zip can hold: the same masks make the same file."""
MODE = 0o644 << 16
UNIX = 3


class Submitted(NamedTuple):
    """The mask of one image."""

    id: str
    mask: Path
    size: tuple[int, int]
    """Height and width of the image."""


def main(argv: list[str] | None = None) -> None:
    """Write the zip of one split."""
    args = _parser().parse_args(argv)
    method = {name: getattr(args, name) for name in LINES}
    write_submission(args.out, args.images, args.split, args.masks, args.match, method, args.threads)


def write_submission(
    out: Path, images: Path, split: str, masks: Path, match: Path, method: Mapping[str, str], threads: int
) -> None:
    """Write the masks of a split, in class ids, and method.txt as a zip; the same bytes each time.

    Args:
        images: images.csv of prepare.
        masks: <split>/<id>.png, in ids of clusters.
        match: match.json, from cluster to class.
        method: the text of each of LINES.

    Raises:
        UserError: a text is missing, the images are those of a benchmark but not its official list, no matching, or
            masks that are missing, of another size than their image, or hold an id that the matching does not have.
    """
    text, listing = method_text(method), read_images(images)
    known = _read_matching(match, listing)
    submitted = _submitted(listing, split, masks)
    _check_official(listing, split)
    _check_masks(submitted)
    pictures = each(partial(matched_png, match=known, origin=match), submitted, threads)
    with atomic(out) as whole, ZipFile(whole, "w") as archive:
        archive.writestr(_entry("method.txt"), text)
        for image, picture in zip(submitted, pictures, strict=True):
            archive.writestr(_entry(f"{image.id}.png"), picture)
    log.info("submission: %d masks of %s, %s (%.1f MB)", len(submitted), split, out, out.stat().st_size / 1e6)


def method_text(method: Mapping[str, str]) -> str:
    """method.txt: a line for each of LINES.

    Raises:
        UserError: a text is empty or longer than a line.
    """
    for name in LINES:
        if len(method[name].strip().splitlines()) != 1:
            option = f"--{name.replace('_', '-')}"
            raise UserError(f"{option} {method[name]!r}: method.txt has one line for it; give a text of one line")
    return "".join(f"{title}: {method[name].strip()}\n" for name, title in LINES.items())


def matched_png(image: Submitted, match: Match, origin: Path) -> bytes:
    """A mask in class ids as PNG.

    Args:
        origin: where ``match`` comes from, for the message.

    Raises:
        UserError: it cannot be read, or has an id that is not in ``match``.
    """
    ids = read_prediction(image.mask)
    found = np.flatnonzero(np.bincount(ids.ravel()))
    classes = matched_ids(found, match)
    if (unknown := found[classes == UNKNOWN]).size:
        raise UserError(f"{image.mask} has ids that {origin} does not have: {shown(unknown)}")
    table = np.zeros(found[-1] + 1, np.int32)
    table[found] = classes
    return mask_png(table[ids])


def _read_matching(path: Path, listing: ImageList) -> Match:
    """match.json; refused where the run found no ground truth, so that nothing was matched.

    Raises:
        UserError: also where the images have no categories, or other ones than the matching.
    """
    categories = {listing.folder[row] for row in listing.rows("train")} - {""}
    if len(categories) < 2:
        raise UserError(
            f"--images: the training images below {listing.root} lie in {len(categories)} category folder(s); a"
            " submission is of images in ImageNet-S layout"
        )
    match, scores = read_match(path, len(categories)), path.with_name("scores.json")
    if scores.exists() and not read_json(scores).get("truth", True):
        raise UserError(
            f"--match {path}: the run found no ground truth, so its clusters are not matched with classes; run the"
            " stage evaluate with the masks of validation"
        )
    return match


def _submitted(listing: ImageList, split: str, masks: Path) -> list[Submitted]:
    """The images of a split, in order.

    Raises:
        UserError: there are none, or no masks of the split.
    """
    rows = listing.rows(split)
    if not len(rows):
        raise UserError(f"--split {split}: --images lists none; it has {', '.join(listing.splits)}")
    if not (masks / split).is_dir():
        raise UserError(f"--masks {masks}: no folder {split} in it; give infer/masks of a run with {split} images")
    size = zip(listing.height[rows].tolist(), listing.width[rows].tolist(), strict=True)
    ids = [listing.id[row] for row in rows]
    return [Submitted(key, masks / split / f"{key}.png", shape) for key, shape in zip(ids, size, strict=True)]


def _check_official(listing: ImageList, split: str) -> None:
    """Compare the images with the official list.

    Raises:
        UserError: the categories are those of a benchmark, the images are not.
    """
    found = recognize(listing)
    if found is None:
        log.warning("submission: the category folders are not those of ImageNet-S, whose server will refuse the zip")
    elif not found["official"][split]:
        raise UserError(
            f"--images lists {len(listing.rows(split))} {split} images, which are not the official ones of"
            f" {found['name']}; the server scores each of these: prepare the folder with the official scripts"
        )


def _check_masks(submitted: Sequence[Submitted]) -> None:
    """Read the headers of all masks before any is written."""
    raise_listed(
        list(_problems(submitted)), len(submitted), "each image needs a mask of its size: run the stage infer again"
    )


def _problems(submitted: Sequence[Submitted]) -> Iterator[str]:
    for image in submitted:
        try:
            found = image_size(image.mask)
        except UserError as error:
            yield str(error)
            continue
        if found != image.size:
            wanted = f"{image.size[0]} x {image.size[1]}"
            yield f"{image.mask} is {found[0]} x {found[1]} (height x width), its image {wanted}"


def _entry(name: str) -> ZipInfo:
    """A file in the zip, not compressed, since PNG is; without the time and system that wrote it."""
    entry = ZipInfo(name, DATE)
    entry.create_system, entry.external_attr = UNIX, MODE
    return entry


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "luss submission",
        description=__doc__,
        epilog="example, R for results/imagenet-s50:\n  luss submission --split test --images R/prepare/images.csv"
        " --masks R/shape/seed0/infer/masks --match R/shape/seed0/evaluate/match.json --out submission.zip",
        formatter_class=argparse.RawTextHelpFormatter,
    )
    add = parser.add_argument
    add("--masks", type=Path, required=True, metavar="DIR", help="infer/masks of a run")
    add("--match", type=Path, required=True, metavar="FILE", help="evaluate/match.json of the run")
    add("--images", type=Path, required=True, metavar="FILE", help="images.csv of prepare")
    add("--split", choices=SPLITS[1:], default="test", help="(default: test, whose truth is not public)")
    add("--out", type=Path, required=True, metavar="FILE", help="zip, to be written")
    for name, title in LINES.items():
        add(f"--{name.replace('_', '-')}", required=True, metavar="TEXT", help=f'the line "{title}" of method.txt')
    add("--threads", type=int, default=os.cpu_count() or 1, metavar="N", help="processes (default: one a core)")
    return parser
