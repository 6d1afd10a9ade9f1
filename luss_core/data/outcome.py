"""What came of the files of a data set, and when too much of it cannot be used to go on."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np

from luss_core.config import PrepareConfig
from luss_core.data.arrange import Listing
from luss_core.data.coding import IGNORE
from luss_core.data.headers import HeaderFacts
from luss_core.data.images import SPLITS, ListedFile, write_csv
from luss_core.data.mask_tally import MaskTally
from luss_core.data.truth import lost, without_masks
from luss_core.errors import UserError

LISTED = "unusable.csv"
"""The list when prepare gives up: no declared output, so that Snakemake does not delete it."""
SHOWN = 5


@dataclass
class Outcome:
    """What came of the files so far."""

    listing: Listing
    rows: list[ListedFile] = field(default_factory=list)
    sizes: list[np.ndarray] = field(default_factory=list)
    rejected: list[tuple[str, str]] = field(default_factory=list)
    """Images that cannot be used."""
    noted: list[tuple[str, str]] = field(default_factory=list)
    """Masks that cannot be used; their images are kept."""
    partly: list[tuple[str, str]] = field(default_factory=list)
    """Videos some frames of which cannot be used."""
    above: list[tuple[str, int]] = field(default_factory=list)
    """Masks with ids above the number of classes."""
    tally: MaskTally = field(default_factory=MaskTally)
    white: tuple[int, int] = (0, 0)
    """Value that is white in images of 16 bits, and the largest that was found; 0 where the settings say what is."""
    headers: HeaderFacts = field(default_factory=HeaderFacts)
    shapes: list[np.ndarray] = field(default_factory=list)
    """(b, 2) height and width as they are kept, of the images of each batch."""
    checksums: list[np.ndarray] = field(default_factory=list)
    """(b,) CRC-32 of their pixels."""
    contents: list[np.ndarray] = field(default_factory=list)
    """(b, 2) digests, in ASCII, of what the files of each batch and their masks hold, be they used or not."""

    def all_noted(self) -> list[tuple[str, str]]:
        """The same and what has no mask or no image: paths and reasons."""
        return self.noted + without_masks(self.listing, (path for path, _ in self.rejected))

    def held(self, images: Sequence[ListedFile]) -> Iterator[tuple[str, str]]:
        """Every file that was read and its digest, in the order of their paths; of a million they take little memory.

        Args:
            images: all that were read, in their order.
        """
        paths = chain.from_iterable((listed.path, listed.mask) for listed in images)
        names = np.fromiter(paths, object, 2 * len(images))
        digests = np.concatenate([np.empty((0, 2), "S8"), *self.contents]).reshape(-1)
        there = np.flatnonzero(names != "")
        for place in there[np.argsort(names[there])].tolist():
            yield names[place], digests[place].decode()


def stop_if_too_many(cfg: PrepareConfig, outcome: Outcome, usable: int, out: Path, hint: str = "") -> None:
    """Args:
        usable: how many images can be used as far as is known.
        out: where the list of all is written.
        hint: another remedy, for the message.

    Raises:
        UserError: more than ``cfg.max_rejected_fraction`` cannot be used, or all.
    """
    count, total = len(outcome.rejected), len(outcome.rejected) + usable
    if usable and count <= cfg.max_rejected_fraction * total:
        return
    _give_up(
        f"{count} of {total} images cannot be used, more than prepare.max_rejected_fraction ="
        f" {cfg.max_rejected_fraction:g} allows; mend or remove them, or raise it.{hint}",
        outcome.rejected,
        out,
    )


def stop_if_missing(cfg: PrepareConfig, outcome: Outcome, out: Path, hint: str = "") -> None:
    """A mean over fewer images than the benchmark has looks like the official one. Arguments as above.

    Raises:
        UserError: something is missing in a split with ground truth, and ``cfg.allow_missing`` is not set.
    """
    missing = lost(outcome.listing, outcome.rejected) + outcome.all_noted()
    if cfg.allow_missing or not missing:
        return
    splits = ", ".join(split for split in SPLITS if any(outcome.listing.split_of(path) == split for path, _ in missing))
    _give_up(
        f"where there is ground truth ({splits}), images or masks are missing or cannot be used: {len(missing)} in all."
        " Scores would be of fewer images than they seem. Mend or complete them, or set prepare.allow_missing to true:"
        f" every score then says of how many images it is.{hint}",
        missing,
        out,
    )


def stop_if_useless(outcome: Outcome, usable: list[ListedFile], out: Path) -> None:
    """Ground truth that was given and is of no use stops, whatever is allowed: scores would say nothing.

    Compared with the smaller of both numbers: many images may have no mask, and many masks no image.

    Args:
        usable: images, with the masks that can be used as far as is known.
        out: where the list of all is written.

    Raises:
        UserError: fewer than half of the masks of a split can be used.
    """
    listing = outcome.listing
    stray = Counter(map(listing.split_of, listing.stray_masks))
    images = Counter(listed.split for listed in listing.images)
    masked = Counter(listed.split for listed in listing.images if listed.mask)
    good = Counter(listed.split for listed in usable if listed.mask)
    for split in (split for split in SPLITS if split in listing.truth):
        masks = masked[split] + stray[split]
        if 2 * good[split] < min(masks, images[split]):
            files = [(path, why) for path, why in outcome.all_noted() if listing.split_of(path) == split]
            files += [(path, why) for path, why in outcome.rejected if listing.split_of(path) == split]
            _give_up(
                f"the ground truth of {split} cannot be used: {good[split]} of {masks} masks fit one of the"
                f" {images[split]} images and can be read. Mend the masks (the mask of cat/1.jpg is cat/1.png, of the"
                " same height and width), or take them away: without them nothing is scored.",
                files,
                out,
            )


def _give_up(why: str, files: list[tuple[str, str]], out: Path) -> None:
    """Raises:
    UserError: always; it names the first of the files, and the list of all is written.
    """
    write_csv(out / LISTED, ("path", "reason"), files)
    raise UserError(f"{why} All are listed in {out / LISTED}; one of each kind:{examples(files)}")


def examples(files: list[tuple[str, str]]) -> str:
    """Lines with one path for each kind of reason, the commonest first; numbers make no other kind."""
    common = kinds_of(files)
    lines = [f"\n  {paths[0]!r}: {reason}{_like_it(len(paths) - 1)}" for paths, reason in common[:SHOWN]]
    return "".join(lines) + (f"\n  and {len(common) - SHOWN} other kinds" if len(common) > SHOWN else "")


def kinds_of(files: Iterable[tuple[str, str]]) -> list[tuple[list[str], str]]:
    """Paths of each kind of reason and the reason of the first, the commonest kind first."""
    kinds: dict[str, tuple[list[str], str]] = {}
    for path, reason in files:
        kinds.setdefault(re.sub(r"\d+", "0", reason), ([], reason))[0].append(path)
    return sorted(kinds.values(), key=lambda kind: -len(kind[0]))


def _like_it(others: int) -> str:
    return f" (and {others} more like it)" if others else ""


def _value(tally: MaskTally) -> str:
    """How a setting would give the largest value another meaning, as part of a sentence."""
    value = tally.largest
    if tally.kinds["colour"]:
        return f'colour means, as in prepare: {{mask_colours: {{"#{value & 255:02x}{value >> 8:02x}00": 1}}}}'
    return f"value means, as in prepare: {{mask_colours: {{{value}: 1}}}}"


def stop_if_above(outcome: Outcome, classes: int | None) -> None:
    """Raises:
    UserError: masks hold ids above ``classes``.
    """
    if outcome.above:
        shown = "".join(f"\n  {path!r}: {largest}" for path, largest in outcome.above[:SHOWN])
        raise UserError(
            f"{len(outcome.above)} masks hold ids above classes = {classes} (largest found: {outcome.tally.largest};"
            f" ignored: 255 in 8 bits, 65535 in 16, {IGNORE} in colours). Correct `classes` or the masks, or say what"
            f" each {_value(outcome.tally)}:{shown}"
        )
