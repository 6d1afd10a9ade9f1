"""What is known of a data folder once its files, or a sample of them, were read."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from luss_core.config import PrepareConfig
from luss_core.data.arrange import Listing
from luss_core.data.coding import Coding
from luss_core.data.headers import HeaderFacts
from luss_core.data.identical import Identical
from luss_core.data.images import ListedFile
from luss_core.data.outcome import Outcome
from luss_core.data.rotated_masks import decide


@dataclass(frozen=True)
class Facts:
    """All that is known of a folder; rows are those of images.csv."""

    listing: Listing
    headers: HeaderFacts
    rows: Sequence[ListedFile]
    """Images that can be used."""
    sizes: np.ndarray
    """(n, 2) heights and widths in pixels, upright."""
    rejected: Sequence[tuple[str, str]] = ()
    """Files that cannot be used, with reasons; masks that cannot be used."""
    identical: Identical = field(default_factory=Identical)
    white: int = 0
    """Value that is white in images of 16 bits."""
    largest: int = 0
    """Largest value found there; 0 where the settings say what is white."""
    masks: Sequence[str] = ()
    """How masks are read, and which ids occur."""
    turned_masks: tuple[str, bool] = ("", False)
    """How masks of rotated photographs lie, and whether that is a guess."""
    sampled: int = 0
    """How many headers were looked at where they are not all; of ``decoded`` the files as well."""
    decoded: int = 0


def facts_of(outcome: Outcome, cfg: PrepareConfig, coding: Coding, **more: Any) -> Facts:
    """What is known once all files, or a sample, were read.

    Args:
        more: the last fields of ``Facts``.
    """
    turns = decide(outcome.tally.rotated, cfg.rotated_masks)
    return Facts(
        outcome.listing,
        outcome.headers,
        outcome.rows,
        np.concatenate([np.empty((0, 2), np.int64), *outcome.sizes]),
        [*outcome.rejected, *outcome.noted],
        white=outcome.white[0],
        largest=outcome.white[1],
        masks=outcome.tally.lines(coding),
        turned_masks=(turns.text, turns.guessed),
        **more,
    )
