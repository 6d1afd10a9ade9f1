"""What lies in a data folder, what the run will therefore do, and what to set where that is wrong."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from luss_core.config import PrepareConfig
from luss_core.data.arrange import Listing
from luss_core.data.depth import bits_of
from luss_core.data.facts import Facts
from luss_core.data.images import SPLITS, ListedFile
from luss_core.data.kinds import printable
from luss_core.data.outcome import kinds_of

log = logging.getLogger(__name__)

NAMES = {"JPEG2000": "JPEG 2000", "MPO": "JPEG with further pictures (MPO)", "WEBP": "WebP", "PPM": "PPM, PGM or PBM"}
"""Formats that people call otherwise than Pillow."""
QUESTION = "  - "
SHOWN = 6
OFTEN = 0.1
"""Share of images that are smaller than a crop from which it is a question."""
MUCH = 8
"""Photographs whose shorter side is reduced by more are told of: small things are lost."""
OF_RECIPES = 224
"""Pixels of the shorter side that the recipes for photographs begin with."""


class Look(NamedTuple):
    """Sentences for a person."""

    found: list[str]
    plan: list[str]
    """What the run will do."""
    questions: list[str]
    """What would change the result if it is not as it seems, each with what to do then."""

    @property
    def lines(self) -> list[str]:
        """All of it as text, a line each."""
        asked = ["If one of these is not as it should be:", *(f"{QUESTION}{text}" for text in self.questions)]
        return [
            *("What was found:", *(f"  {text}" for text in self.found)),
            *("What the run does with it:", *(f"  {text}" for text in self.plan)),
            *(asked if self.questions else []),
        ]


def look(facts: Facts, cfg: PrepareConfig, settings: str = "your settings") -> Look:
    """The sentences about some facts; they depend on nothing but these and the settings of prepare.

    Args:
        settings: what a person calls the file of these settings.
    """
    return Look(
        [line for line in (*_images(facts), *_contents(facts), *_left(facts)) if line],
        [line for line in _plan(facts, cfg) if line],
        [line for line in _questions(facts, cfg, settings) if line],
    )


def with_crop(found: Look, sizes: np.ndarray, crop: int) -> Look:
    """The same, and how many images are smaller than the largest crop that training looks at (pixels)."""
    small = int((sizes.min(axis=1) < crop).sum()) if len(sizes) else 0
    if not small:
        return found
    text = f"{small:,} of {len(sizes):,} images are smaller than the largest crop, {crop} pixels, and are enlarged"
    if small <= OFTEN * len(sizes):
        return found._replace(plan=[*found.plan, text])
    return found._replace(questions=[*found.questions, f"{text}: for sharper crops lower pretrain.views.crops (size)"])


def _images(facts: Facts) -> list[str]:
    listing, formats = facts.listing, facts.headers.formats
    kinds = ", ".join(f"{count:,} {NAMES.get(name, name)}" for name, count in formats.most_common())
    heads = "the headers of all" if facts.sampled == len(listing.images) else f"{facts.sampled:,} headers"
    part = f"; this is a sample: {heads} and {facts.decoded:,} whole files were read" if facts.sampled else ""
    lines = [f"images: {len(listing.images):,} ({kinds or 'none can be read'}){part}"] if listing.images else []
    counts = Counter(listed.split for listed in listing.images)
    if listing.videos:
        lines.append(f"videos: {_count(len(listing.videos), 'file')}{_eg(listing.videos[0].path)}")
    if listing.splits:
        lines.append(
            "splits: "
            + ", ".join(f"{split} {counts[split]:,} (in {listing.splits[split]}/)" for split in listing.splits)
        )
    folders = sorted({listed.folder for listed in listing.images} - {""})
    if folders:
        lines.append(f"folders: {len(folders):,} ({_some(folders)})")
    return lines


def _contents(facts: Facts) -> list[str]:
    lines = []
    if len(facts.sizes):
        order = np.argsort(facts.sizes.prod(axis=1), kind="stable")
        shown = (facts.sizes[order[place]] for place in (0, len(order) // 2, -1))
        small, middle, large = (f"{height} x {width}" for height, width in shown)
        lines.append(f"sizes (height x width): smallest {small}, median {middle}, largest {large}")
    if turned := facts.headers.turned.total():
        lines.append(
            f"rotation: {turned:,} stored on their side or mirrored, by their EXIF tag"
            f"{_eg(facts.headers.turned_example)}"
        )
    if several := facts.headers.several:
        kinds = ", ".join(
            _several(name, count, *facts.headers.several_examples[name]) for name, count in several.items()
        )
        lines.append(f"several pictures in one file: {kinds}")
    if deep := facts.headers.deep:
        found = f"; largest value {facts.largest}" if facts.largest else ""
        lines.append(f"depth: {_count(len(deep), 'image')} of 16 bits{_eg(deep[0])}{found}")
    lines += [f"masks: {', '.join(_masked(facts))}"] if _masked(facts) else []
    lines += facts.masks
    lines += [facts.turned_masks[0]]
    return lines


def _left(facts: Facts) -> list[str]:
    lines = [f"left out: {text}" for text in facts.listing.left_out.lines]
    for paths, reason in kinds_of(facts.rejected)[:SHOWN]:
        lines.append(f"cannot be used: {len(paths):,}{_eg(paths[0])}: {reason}")
    if copies := facts.identical.copies:
        pairs = facts.identical.pairs(facts.rows)
        lines.append(
            f"copies: {_count(copies, 'image')} {_is(copies)} the same picture as another, in"
            f" {_count(len(facts.identical.groups), 'group')} (e.g. {_pair(pairs[0])})"
        )
    return lines


def _plan(facts: Facts, cfg: PrepareConfig) -> list[str]:
    listing, masked = facts.listing, Counter(listed.split for listed in facts.rows if listed.mask)
    usable = listing.images if facts.sampled else facts.rows
    train = sum(listed.split == "train" for listed in usable)
    learned = f"the {_count(train, 'image')} of train" if listing.splits else f"all {_count(len(usable), 'image')}"
    scored = [split for split in SPLITS if masked[split]]
    lines = [
        f"learning uses {learned}",
        f"scores are of {' and '.join(scored)}, by their masks"
        if scored
        else "there are no masks, so there are no scores",
    ]
    kept = int((facts.sizes.min(axis=1) <= cfg.short_side).sum()) if len(facts.sizes) else 0
    lines.append(
        f"images are reduced to a shorter side of {cfg.short_side} pixels (prepare.short_side)"
        + (f"; {kept:,} of {len(facts.sizes):,} are not larger and stay as they are" if kept else "")
    )
    if facts.headers.deep:
        bits = f" ({bits_of(facts.white)} bits)" if facts.white + 1 == 1 << bits_of(facts.white) else ""
        lines.append(f"in images of 16 bits the value {facts.white}{bits} is white, in all alike")
    if listing.videos:
        frames = "all frames" if cfg.video.every == 1 else f"of {cfg.video.every} frames one"
        lines.append(f"{frames} of the videos are images as well (prepare.video)")
    if facts.headers.several:
        lines.append("of a file with several pictures the first is used")
    if facts.headers.turned:
        lines.append("photographs that lie on their side are turned upright")
    return lines


def _questions(facts: Facts, cfg: PrepareConfig, settings: str) -> list[str]:
    headers, listing = facts.headers, facts.listing
    lines = [listing.remark]
    lines += [text for kind, text in zip(listing.left_out.ordered, listing.left_out.lines, strict=True) if kind.advice]
    if headers.deep and facts.largest and facts.white < 65535:
        lines.append(
            f"images of 16 bits are read with {facts.white} as white, since no value is above {facts.largest}: for"
            " another white set prepare.white_of_16_bits"
        )
    if headers.deep and not facts.largest and cfg.white_of_16_bits is None:
        lines.append("images of 16 bits are black throughout, or cannot be read: look at one of them")
    if pages := sum(count for name, count in headers.several.items() if name != "MPO"):
        lines.append(f"{_count(pages, 'file')} with several pages or frames: to use them all, save each as a file")
    if facts.turned_masks[1]:
        lines.append(facts.turned_masks[0])
    lines += _about_copies(facts)
    times = 0.0 if not len(facts.sizes) else float(np.median(facts.sizes.min(axis=1))) / cfg.short_side
    if times > MUCH:
        lines.append(
            f"half of the images are made {times:.0f} times smaller, or more (prepare.short_side = {cfg.short_side}):"
            f" if small things matter raise it, which takes more memory and time, {_how_to_raise(cfg, settings)}"
        )
    return lines


def _how_to_raise(cfg: PrepareConfig, settings: str) -> str:
    if cfg.short_side < OF_RECIPES:
        return "or begin with recipes/photographs.yaml"
    return f"together with each size below it (views, extract, infer), in {settings}"


def _about_copies(facts: Facts) -> list[str]:
    if learned := facts.identical.learned(facts.rows):
        return [
            f"{_count(len(learned), 'image')} of the other splits {_is(len(learned))} in train as well (e.g."
            f" {_pair(learned[0])}), so that scores say too much: take one of each pair out. prepare lists all in"
            " identical.csv"
        ]
    if copies := facts.identical.copies:
        return [
            f"{_count(copies, 'copy', 'copies')} of other images: each counts once more in learning and in scores; if"
            " that is not meant, take them out. prepare lists all in identical.csv"
        ]
    return []


def _masked(facts: Facts) -> list[str]:
    masked, counts = (
        Counter(listed.split for listed in rows) for rows in (_with_masks(facts.listing), facts.listing.images)
    )
    return [f"{masked[split]:,} of {counts[split]:,} images of {split}" for split in SPLITS if masked[split]]


def _with_masks(listing: Listing) -> list[ListedFile]:
    return [listed for listed in listing.images if listed.mask]


def _several(name: str, count: int, path: str, pictures: int) -> str:
    return f"{count:,} {NAMES.get(name, name)} (e.g. {printable(path)} with {pictures})"


def _some(names: Sequence[str]) -> str:
    return ", ".join(map(printable, names[:SHOWN])) + (", ..." if len(names) > SHOWN else "")


def _eg(path: str) -> str:
    return f" (e.g. {printable(path)})"


def _pair(paths: tuple[str, str]) -> str:
    return f"{printable(paths[0])} as {printable(paths[1])}"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _is(number: int) -> str:
    return "is" if number == 1 else "are"


def say_look(found: Look) -> None:
    """In the log; questions are warnings."""
    for line in found.lines:
        log.log(logging.WARNING if line.startswith(QUESTION) else logging.INFO, "%s", line)


def to_json(found: Look) -> dict[str, Any]:
    """For summary.json."""
    return found._asdict()


def from_json(content: Mapping[str, Any] | None) -> Look | None:
    """The same back; None of a summary that has none."""
    return Look(**content) if content else None
