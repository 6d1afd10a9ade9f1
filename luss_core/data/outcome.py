"""What came of the files of a data set, and when too much of it cannot be used to go on."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from luss_core.config import PrepareConfig
from luss_core.data.arrange import Listing
from luss_core.data.images import SPLITS, ListedFile, write_csv
from luss_core.data.masks import IGNORE
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
    above: list[tuple[str, int]] = field(default_factory=list)
    """Masks with ids above the number of classes."""
    largest_id: int = 0
    contents: dict[str, str] = field(default_factory=dict)
    """Digest of what the files and masks that were decoded hold, by path."""

    def all_noted(self) -> list[tuple[str, str]]:
        """The same and what has no mask or no image: paths and reasons."""
        return self.noted + without_masks(self.listing, (path for path, _ in self.rejected))


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


def _give_up(why: str, files: list[tuple[str, str]], out: Path) -> None:
    """Raises:
    UserError: always; it names the first of the files, and the list of all is written.
    """
    write_csv(out / LISTED, ("path", "reason"), files)
    shown = "".join(f"\n  {path!r}: {reason}" for path, reason in files[:SHOWN])
    raise UserError(f"{why} All are listed in {out / LISTED}; the first:{shown}")


def stop_if_above(outcome: Outcome, classes: int | None) -> None:
    """Raises:
    UserError: masks hold ids above ``classes``.
    """
    if outcome.above:
        shown = "".join(f"\n  {path!r}: {largest}" for path, largest in outcome.above[:SHOWN])
        raise UserError(
            f"{len(outcome.above)} masks hold ids above classes = {classes} (largest found: {outcome.largest_id};"
            f" {IGNORE} means ignore, and so does 255 in masks of one channel); correct `classes` or the masks:{shown}"
        )
