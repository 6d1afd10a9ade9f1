"""What the values of masks mean: one coding for all masks of a data set, found once and read the same everywhere."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from luss_core.data.mask_pixels import MaskPixels, read_pixels
from luss_core.errors import UserError

IGNORE = 1000
"""The id of pixels that no score looks at."""
ID_LIMIT = 1 << 16
"""Two bytes hold an id."""
OPAQUE = 128
"""The least opacity, of 255, of what is drawn."""
SHOWN = 5

Name = Literal["auto", "ids", "imagenet_s", "binary"]

TEXTS = {
    "ids": "with one channel: the value is the id, {ignore} is ignored",
    "index": "with a palette: the index is the id, 255 is ignored",
    "imagenet_s": "coloured as ImageNet-S has it: id = R + 256 G, 1000 is ignored",
    "grey": "with three equal channels: their value is the id, 255 is ignored",
    "binary": "with two values: 0 or black is nothing, the one other value is the object, id 1",
    "alpha": "with transparency: what is transparent is nothing, what is drawn is the object, id 1",
}


@dataclass(frozen=True)
class Coding:
    """How each kind of mask file is read; a data set may mix kinds."""

    grey: Literal["ids", "binary", "alpha"] = "ids"
    """Files with one channel."""
    palette: Literal["index", "colour"] = "index"
    """By their index, or by the colours that it stands for: an optimiser makes palettes of colour masks."""
    colour: Literal["imagenet_s", "grey", "binary", "alpha"] = "imagenet_s"
    """Files with three channels."""
    table: tuple[tuple[str, int], ...] = ()
    """Ids of colours '#rrggbb' and values '7'; if there are any, nothing else counts."""

    def read(self, path: Path) -> np.ndarray:
        """(H, W) int32 ids of a mask file; ignored pixels are IGNORE.

        Raises:
            UserError: missing, cut short, of a kind that holds no ids, or of another coding.
        """
        try:
            return self.ids(read_pixels(path))
        except ValueError as error:
            raise UserError(f"{path}: {error}") from error

    def ids(self, pixels: MaskPixels) -> np.ndarray:
        """(H, W) int32 ids.

        Raises:
            ValueError: the values are no ids in this coding.
        """
        if self.table:
            return self._by_table(pixels)
        if pixels.kind == "palette" and self.palette == "index":
            return _two_values(pixels.values) if self.grey == "binary" else _values(pixels.values, 8)
        if pixels.kind == "grey":
            return _grey(pixels, self.grey)
        return _colours(colours_of(pixels), pixels, self.colour)

    def describe(self, kinds: Mapping[str, int]) -> str:
        """What is read in which way, for a person.

        Args:
            kinds: how many masks of each kind of MaskPixels there are.
        """
        if self.table:
            return f"{sum(kinds.values())} by the table of {len(self.table)} colours or values"
        names = {"grey": self.grey, "palette": self.palette, "colour": self.colour}
        if self.palette == "colour":
            names["palette"] = self.colour
        elif self.grey == "binary":
            names["palette"] = "binary"
        texts = [f"{count} {TEXTS[names[kind]]}" for kind, count in kinds.items() if count]
        return "; ".join(texts).format(ignore="255 (65535 in 16 bits)")

    def to_json(self) -> dict[str, Any]:
        """For summary.json."""
        return {**asdict(self), "table": dict(self.table)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Coding":
        """The coding of ``to_json``; of an empty object the one that is read where nothing was found."""
        return cls(**{**content, "table": tuple(dict(content.get("table", {})).items())})

    def _by_table(self, pixels: MaskPixels) -> np.ndarray:
        if pixels.kind == "grey" and self._values:
            return _looked_up(pixels.values.astype(np.int64), self._values, str)
        if pixels.kind == "palette" and not self._colours:
            return _looked_up(pixels.values.astype(np.int64), self._values, str)
        colours = colours_of(pixels)
        if not self._colours and (colours[..., :1] == colours[..., 1:]).all():
            return _looked_up(colours[..., 0].astype(np.int64), self._values, str)
        return _looked_up(packed_colours(colours), self._colours, shown_colour)

    @cached_property
    def _values(self) -> dict[int, int]:
        found = {int(key): number for key, number in self.table if not key.startswith("#")}
        return {0: 0, **found} if found else {}

    @cached_property
    def _colours(self) -> dict[int, int]:
        found = {int(key[1:], 16): number for key, number in self.table if key.startswith("#")}
        return {0: 0, **found} if found else {}


def fixed_coding(name: Name, table: Mapping[str, int | str]) -> Coding | None:
    """The coding that the settings say; None for auto."""
    if table:
        ids = {key: IGNORE if value == "ignore" else int(value) for key, value in table.items()}
        return Coding(table=tuple(ids.items()))
    return {
        "auto": None,
        "ids": Coding(colour="grey"),
        "imagenet_s": Coding(palette="colour"),
        "binary": Coding("binary", "index", "binary"),
    }[name]


def colours_of(pixels: MaskPixels) -> np.ndarray:
    """(H, W, 3) uint8; transparent pixels are black where some are and some are not.

    Raises:
        ValueError: samples above 8 bits.
    """
    if pixels.kind == "palette":
        assert pixels.palette is not None
        colours = pixels.palette[pixels.values]
    elif pixels.kind == "grey":
        if pixels.values.size and pixels.values.max() > 255:
            raise ValueError("values above 255, where colours were expected; give the values in mask_colours")
        colours = np.repeat(pixels.values.astype(np.uint8)[..., None], 3, 2)
    else:
        colours = pixels.values
    if pixels.drawn_alpha:
        assert pixels.alpha is not None
        colours = np.where(pixels.alpha[..., None] < OPAQUE, np.uint8(0), colours)
    return colours


def packed_colours(colours: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 -> (H, W) int32 numbers 0xRRGGBB."""
    red, green, blue = (colours[..., channel].astype(np.int32) for channel in range(3))
    return red << 16 | green << 8 | blue


def distinct(values: np.ndarray) -> np.ndarray:
    """(n,) the values that occur, rising. Fast on masks, which are flat: only where a run begins is sorted."""
    flat = values.ravel()
    begins = np.ones(len(flat), bool)
    np.not_equal(flat[1:], flat[:-1], out=begins[1:])
    return np.unique(flat[begins])


def decode(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 -> (H, W) int32 ids in the coding of ImageNet-S."""
    return pixels[..., 0] | (pixels[..., 1].astype(np.int32) << 8)


def shown_colour(packed: int) -> str:
    """0xRRGGBB as '#rrggbb'."""
    return f"#{packed:06x}"


def _grey(pixels: MaskPixels, coding: str) -> np.ndarray:
    if _in_alpha(pixels, coding):
        return _drawn(pixels)
    values = pixels.values
    if pixels.drawn_alpha:
        values = colours_of(pixels)[..., 0]
    return _values(values, pixels.bits) if coding == "ids" else _two_values(values)


def _colours(colours: np.ndarray, pixels: MaskPixels, coding: str) -> np.ndarray:
    if _in_alpha(pixels, coding):
        return _drawn(pixels)
    if coding == "imagenet_s":
        if colours[..., 2].max(initial=0):
            packed = packed_colours(colours)
            raise ValueError(
                f"colours with blue in them, such as {shown_colour(int(packed[packed & 255 > 0][0]))}, are no ids"
                " (ImageNet-S: id = R + 256 G, blue is 0)"
            )
        return decode(colours)
    packed = packed_colours(colours)
    if coding == "grey":
        if (packed % 0x10101).any():
            raise ValueError(f"coloured, such as {shown_colour(int(packed[packed % 0x10101 > 0][0]))}, not grey")
        return _values(colours[..., 0], 8)
    return _two_values(packed, shown_colour)


def _in_alpha(pixels: MaskPixels, coding: str) -> bool:
    """Whether the object is what is not transparent: all of it has one colour."""
    if pixels.alpha is None or coding not in ("alpha", "binary"):
        return False
    return coding == "alpha" or (pixels.drawn_alpha and len(distinct(opaque_colours(pixels))) < 2)


def opaque_colours(pixels: MaskPixels) -> np.ndarray:
    """(n,) int32, the 0xRRGGBB of the pixels that are drawn, each its own; of all where the file has no alpha."""
    packed = packed_colours(colours_of(pixels._replace(alpha=None)))
    return packed.ravel() if pixels.alpha is None else packed[pixels.alpha >= OPAQUE]


def _drawn(pixels: MaskPixels) -> np.ndarray:
    assert pixels.alpha is not None
    return (pixels.alpha >= OPAQUE).astype(np.int32)


def _values(values: np.ndarray, bits: int) -> np.ndarray:
    """Samples as ids; the largest of 8 and of 16 bits means ignore, and so it does in 32."""
    ids = values.astype(np.int32)
    if bits == 8:
        ids[values == 255] = IGNORE
    elif bits > 8:
        least, largest = int(values.min(initial=0)), int(values.max(initial=0))
        if least < 0 or largest >= ID_LIMIT:
            raise ValueError(f"values from {least} to {largest}; a mask of one channel holds ids 0, 1, ... below 65535")
        ids[values == ID_LIMIT - 1] = IGNORE
    return ids


def _two_values(values: np.ndarray, shown: Any = str) -> np.ndarray:
    object_ = int(values.max(initial=0))
    others = (values != 0) & (values != object_)
    if others.any():
        found = [shown(int(value)) for value in np.unique(values[others])[:SHOWN]]
        raise ValueError(
            f"a binary mask holds 0 and one other value; this one has {', '.join(found)} beside 0 and"
            f" {shown(object_)}: save it without soft edges"
        )
    return (values != 0).astype(np.int32)


def _looked_up(values: np.ndarray, table: Mapping[int, int], shown: Any) -> np.ndarray:
    """(H, W) int32: the id of each value.

    Raises:
        ValueError: values that are not in the table.
    """
    keys = np.array(sorted(table), np.int64)
    if not len(keys):
        raise ValueError("mask_colours names colours, the mask has one channel; or the other way round")
    place = np.searchsorted(keys, values).clip(max=len(keys) - 1)
    unknown = keys[place] != values
    if unknown.any():
        found = [shown(int(value)) for value in np.unique(values[unknown])[:SHOWN]]
        raise ValueError(f"{', '.join(found)} {'is' if len(found) == 1 else 'are'} not in the table mask_colours")
    return np.array([table[int(key)] for key in keys], np.int32)[place]
