"""Which coding the masks of a data set have, from what they hold; a question where two would fit."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

from luss_core.data.coding import IGNORE, Coding, shown_colour
from luss_core.data.seen import MANY, Seen
from luss_core.errors import UserError

TABLE_LIMIT = 64
"""Colours beyond these are no categories that somebody would list."""
SHOWN = 8
FEW_LEVELS = 64
"""A palette whose greys are all darker than this (but for 255) was made of ids; one to be looked at reaches further."""
SOFT = 32
"""Grey levels that cannot be ids, beyond which they are the soft edges of something drawn."""
VOID = 0xE0E0C0
"""The colour of the border of objects in PASCAL VOC."""
WHITE = 0xFFFFFF
VIVID = frozenset((0, 64, 128, 192, 255))
"""Channels of the colours that people and palettes choose."""


class Ask(NamedTuple):
    """How a question names the masks and the two answers."""

    where: str
    coding: str
    """With {} for the name of a coding."""
    table: str
    """With {} for a table as JSON."""
    without: str
    """What to do if there is nothing to be read."""
    truth: bool = True
    """Whether these are masks of people, not of a method, which may find more categories than there are."""


PREPARE = Ask(
    "the masks",
    "set prepare.mask_coding to {}",
    "say in your settings which colour is which id (0 = nothing, ignore = not scored); ready to paste, with the ids to"
    " be corrected:\n  prepare: {{mask_colours: {}}}",
    "take the masks away (prepare.masks: null, or the folders <split>-segmentation)",
)


class CodingError(UserError):
    """Masks that need an answer, or cannot be read at all."""


def find_coding(seen: Sequence[Seen], classes: int | None, layout: bool, ask: Ask = PREPARE) -> Coding:
    """The one coding that explains all masks.

    Args:
        seen: masks of the data set; enough of them to hold every colour.
        classes: number of categories, if it is known.
        layout: whether the folders are those of ImageNet-S, whose coding is then expected.

    Raises:
        CodingError: the values fit no coding, or two.
    """
    kinds = {kind: [mask for mask in seen if mask.kind == kind] for kind in ("grey", "palette", "colour")}
    palette = _palette(kinds["palette"])
    coloured = kinds["colour"] + (kinds["palette"] if palette == "colour" else [])
    colour = _colour(coloured, classes, layout, ask) if coloured else "imagenet_s"
    values = kinds["grey"] + (kinds["palette"] if palette == "index" else [])
    grey = _grey(values, classes, any(set(mask.values) - {0} for mask in coloured), ask) if values else "ids"
    return Coding(grey, palette, colour)  # type: ignore[arg-type]


def _grey(masks: Sequence[Seen], classes: int | None, others: bool, ask: Ask) -> str:
    """Args:
    others: whether masks of other kinds hold ids, so that these need not.
    """
    if _one_drawn(masks):
        return "alpha"
    values = _union(mask.values for mask in masks if mask.bits > 1) - {0}
    wide = max((mask.bits for mask in masks), default=8) > 8
    ignore = 65535 if wide else 255
    if len(values) == 1 and not others:
        value = values.pop()
        if value == ignore and all(mask.has_alpha for mask in masks):
            return "binary"  # of an image editor: no tool writes ids beside transparency
        if value == ignore:
            raise CodingError(_only_ignore(len(masks), value, ask))
        if ask.truth and classes is not None and classes < value != IGNORE:
            raise CodingError(
                f"{ask.where}: {len(masks)} of them hold only 0 and {value}, but ids go to classes = {classes}. If"
                f" {value} is the object, {ask.coding.format('binary')}, and it becomes id 1. If it is an id, raise"
                " classes"
            )
    above = [value for value in values if classes is not None and value > classes and value not in (ignore, IGNORE)]
    if not wide and len(above) > SOFT and 255 in values:
        raise CodingError(
            f"{ask.where}: grey levels everywhere between 0 and 255 ({len(values)} values), where ids go to classes ="
            f" {classes}: these are soft edges, or were JPEG files once, or are pictures. Save masks with hard edges:"
            " 0 where nothing is, and the id of the category elsewhere"
        )
    return "ids"


def _one_drawn(masks: Sequence[Seen]) -> bool:
    """Whether the object is what is not transparent: all of it has one colour."""
    drawn = [mask for mask in masks if mask.drawn_alpha]
    return bool(drawn) and all(mask.has_alpha for mask in masks) and len(_union(mask.drawn for mask in drawn)) < 2


def _only_ignore(count: int, value: int, ask: Ask) -> str:
    return (
        f"{ask.where}: {count} of them hold only 0 and {value}, and in masks of one channel {value} means ignore, so"
        f" that no object is left. If {value} is the object, {ask.coding.format('binary')}, and it becomes id 1. If it"
        f" is to be ignored, there is nothing to score: {ask.without}"
    )


def _palette(masks: Sequence[Seen]) -> str:
    """'index', unless an optimiser made the palettes: then an index stands for other colours in other files, or the
    colours are ids by themselves and the indices only count them. The number of classes is not asked: another one
    must not read the same files in another way.
    """
    if any(mask.values != tuple(range(len(mask.values))) for mask in masks):
        return "index"  # an optimiser leaves no index unused
    of_index: dict[int, set[int]] = {}
    for mask in masks:
        for index, colour in zip(mask.values, mask.colours, strict=True):
            of_index.setdefault(index, set()).add(colour)
    colours = _union(of_index.values())
    steady = all(len(found) == 1 for found in of_index.values())
    if not steady:
        return "colour"
    same = all(_code(colour) == index or colour == 0x10101 * index for index, (colour,) in of_index.items())
    codes = {_code(colour) for colour in colours}
    coded = all(number is not None and number <= IGNORE for number in codes) and not _vivid(colours)
    levels = {colour & 255 for colour in colours if colour % 0x10101 == 0}
    dark = len(levels) == len(colours) and bool(levels - {0, 255}) and max(levels - {255}) < FEW_LEVELS
    return "colour" if not same and (coded or dark) else "index"


def _colour(masks: Sequence[Seen], classes: int | None, layout: bool, ask: Ask) -> str:
    if _one_drawn(masks):
        return "alpha"
    colours = _union(mask.colours for mask in masks)
    objects = colours - {0}
    ids = {_code(colour) for colour in objects}
    fits = all(number is not None and (number <= (classes or IGNORE) or number == IGNORE) for number in ids)
    known = all(number is not None and (number <= IGNORE or not ask.truth) for number in ids)
    if not objects or (known and (not _vivid(colours) or (layout and fits))):
        return "imagenet_s"
    if objects == {WHITE}:
        return "binary"
    if all(colour % 0x10101 == 0 for colour in objects) and _levels_are_ids(objects, classes):
        return "grey"
    raise CodingError(_unknown_colours(masks, colours, ask))


def _levels_are_ids(greys: Iterable[int], classes: int | None) -> bool:
    return all((colour & 255) in (*range((classes or 254) + 1), 255) for colour in greys)


def _code(colour: int) -> int | None:
    """The id that a colour is in the coding of ImageNet-S; None if it is none."""
    return None if colour & 255 else (colour >> 16) + (colour & 0xFF00)


def _vivid(colours: Iterable[int]) -> bool:
    """Whether all of the colours but black are such as people and palettes choose, and none a small id."""
    return all({colour >> 16, colour >> 8 & 255, colour & 255} <= VIVID for colour in colours)


def _unknown_colours(masks: Sequence[Seen], colours: set[int], ask: Ask) -> str:
    counts = Counter(chain.from_iterable(mask.colours for mask in masks))
    if len(colours) > TABLE_LIMIT:
        return (
            f"{ask.where}: {len(masks)} of them hold {'at least ' if len(colours) >= MANY else ''}{len(colours)}"
            " colours: pictures, or masks with soft edges, or JPEG files once. A mask has one exact colour for each"
            " category: export it as PNG without smoothing"
        )
    found = sorted(colours, key=lambda colour: (-counts[colour], colour))
    shown = ", ".join(f"{shown_colour(colour)} in {counts[colour]}" for colour in found[:SHOWN])
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    table, voc = suggested_table(found)
    index = any(mask.kind == "palette" for mask in masks)
    or_index = f" or, if the index of their palettes is the id, {ask.coding.format('ids')};" if index else ""
    kind = "the colours of PASCAL VOC" if voc else "colours of categories"
    return (
        f"{ask.where}: {len(masks)} of them are coloured, with {kind} (found: {shown}{more}), which are no ids;"
        " ImageNet-S writes id = R + 256 G with blue 0. Export them with one channel or a palette whose index is the"
        f" id;{or_index} or {ask.table.format(json.dumps(table))}"
    )


def suggested_table(colours: Sequence[int]) -> tuple[dict[str, int | str], bool]:
    """A table of colours to be corrected, and whether they are all of PASCAL VOC, whose ids are known."""
    voc = {voc_colour(number): number for number in range(21)} | {VOID: "ignore"}
    known = all(colour in voc for colour in colours)
    rest = iter(range(1, len(colours) + 1))
    ids = {colour: voc[colour] if known else 0 if colour == 0 else next(rest) for colour in sorted(colours)}
    return {shown_colour(colour): number for colour, number in ids.items()}, known


def voc_colour(number: int) -> int:
    """0xRRGGBB of an id in the palette of PASCAL VOC: its bits, three by three, from the highest of a channel down."""
    channels = [0, 0, 0]
    for place in range(8):
        for channel in range(3):
            channels[channel] |= (number >> (3 * place + channel) & 1) << (7 - place)
    return channels[0] << 16 | channels[1] << 8 | channels[2]


def _union(sets: Iterable[Iterable[int]]) -> set[int]:
    return set(chain.from_iterable(sets))
