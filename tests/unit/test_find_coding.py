"""Which coding is found: whatever ids there are and however they are stored, the same ids come out."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mask_files import optimised
from PIL import Image

from luss_core.data.coding import IGNORE
from luss_core.data.find_coding import find_coding, voc_colour
from luss_core.data.mask_pixels import MaskPixels
from luss_core.data.masks import encode
from luss_core.data.seen import seen_of

CLASSES = 20
VOC = np.array([[c >> 16, c >> 8 & 255, c & 255] for c in map(voc_colour, range(256))], np.uint8)


def byte(ids: np.ndarray) -> np.ndarray:
    return np.where(ids == IGNORE, 255, ids).astype(np.uint8)


def of_palette(image: Image.Image) -> MaskPixels:
    palette = np.zeros((256, 3), np.uint8)
    colours = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
    palette[: len(colours)] = colours
    return MaskPixels("palette", np.asarray(image), 8, None, palette)


CODERS: dict[str, Callable[[np.ndarray], MaskPixels]] = {
    "8 bits": lambda ids: MaskPixels("grey", byte(ids), 8),
    "16 bits": lambda ids: MaskPixels("grey", np.where(ids == IGNORE, 65535, ids).astype(np.uint16), 16),
    "palette": lambda ids: MaskPixels("palette", byte(ids), 8, None, VOC),
    "ImageNet-S": lambda ids: MaskPixels("colour", encode(ids), 8),
    "ImageNet-S, opaque": lambda ids: MaskPixels("colour", encode(ids), 8, np.full(ids.shape, 255, np.uint8)),
    "three equal channels": lambda ids: MaskPixels("colour", np.repeat(byte(ids)[..., None], 3, 2), 8),
    "ImageNet-S, optimised": lambda ids: of_palette(optimised(encode(ids))),
    "grey, optimised": lambda ids: of_palette(optimised(np.repeat(byte(ids)[..., None], 3, 2))),
}


@st.composite
def data_sets(draw: st.DrawFn) -> list[np.ndarray]:
    """A few small masks that hold at least one object."""
    ids = draw(st.lists(st.integers(1, CLASSES), min_size=1, max_size=5))
    values = st.sampled_from([0, IGNORE, *ids])
    masks = [np.array(draw(st.lists(values, min_size=6, max_size=6)), np.int32).reshape(2, 3) for _ in range(3)]
    masks[0][0, 0] = ids[0]
    return masks


@pytest.mark.parametrize("name", CODERS)
@given(masks=data_sets())
def test_the_ids_come_out_however_they_are_stored(name: str, masks: list[np.ndarray]) -> None:
    pixels = [CODERS[name](ids) for ids in masks]
    coding = find_coding([seen_of(str(i), one) for i, one in enumerate(pixels)], CLASSES, layout=False)
    for ids, one in zip(masks, pixels, strict=True):
        np.testing.assert_array_equal(coding.ids(one), ids)


@given(masks=data_sets())
def test_kinds_may_be_mixed(masks: list[np.ndarray]) -> None:
    pixels = [CODERS[name](ids) for name, ids in zip(("8 bits", "palette", "ImageNet-S"), masks, strict=True)]
    coding = find_coding([seen_of(str(i), one) for i, one in enumerate(pixels)], CLASSES, layout=True)
    for ids, one in zip(masks, pixels, strict=True):
        np.testing.assert_array_equal(coding.ids(one), ids)
