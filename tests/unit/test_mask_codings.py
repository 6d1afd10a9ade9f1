"""Codings of masks: the ids that come out of every kind of file, found by prepare and read the same afterwards."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from mask_files import SHAPE, drawn, optimised, palette, photographs, png, prepared, truth, write
from PIL import Image

from luss_core.data.coding import IGNORE, Coding, fixed_coding
from luss_core.data.find_coding import voc_colour
from luss_core.data.mask_pixels import MaskPixels, read_pixels
from luss_core.data.masks import encode
from luss_core.errors import UserError

VOC = [[colour >> 16, colour >> 8 & 255, colour & 255] for colour in map(voc_colour, range(256))]
ONE = drawn(1, np.int32)
SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9)


def ignored(ids: np.ndarray) -> np.ndarray:
    """The same with the inner block ignored."""
    ids = ids.copy()
    ids[4:6, 5:9] = IGNORE
    return ids


def test_colours_of_voc():
    assert VOC[:4] == [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]]
    assert (VOC[20], VOC[21], VOC[255]) == ([0, 64, 128], [128, 64, 128], [224, 224, 192])


def alpha(values: np.ndarray, mode="RGBA", colour=(0, 0, 0)) -> Image.Image:
    planes = [Image.new("L", SHAPE[::-1], channel) for channel in colour[: len(mode) - 1]]
    return Image.merge(mode, [*planes, Image.fromarray(values)])


def with_opaque(image: Image.Image, mode: str) -> Image.Image:
    image = image.copy()
    image.putalpha(255)
    assert image.mode == mode
    return image


def seen_through(colour: tuple[int, int, int]) -> Image.Image:
    """The colour where something is, transparent white elsewhere."""
    pixels = np.full((*SHAPE, 4), (255, 255, 255, 0), np.uint8)
    pixels[2:8, 3:11] = (*colour, 255)
    return Image.fromarray(pixels)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda i: drawn(1 + i % 2, inside=255), ignored(ONE)),
        (lambda i: drawn(1 + i % 2, np.uint16, inside=65535), ignored(ONE)),
        (lambda i: palette(drawn(1 + i % 2, inside=255), VOC), ignored(ONE)),
        (lambda _: palette(drawn(1), [[0, 0, 0], [255, 255, 255]]), ONE),
        (lambda i: encode(drawn(1 + i % 2, np.int32, inside=IGNORE)), ignored(ONE)),
        (lambda i: np.repeat(drawn(1 + i % 2, inside=255)[..., None], 3, 2), ignored(ONE)),
        (lambda _: Image.fromarray(drawn(255)).convert("1"), ONE),
        (lambda i: with_opaque(Image.fromarray(drawn(1 + i % 2, inside=255)), "LA"), ignored(ONE)),
        (lambda _: with_opaque(Image.fromarray(drawn(255)), "LA"), ONE),
        (lambda _: with_opaque(Image.fromarray(encode(drawn(1, np.int32, inside=IGNORE))), "RGBA"), ignored(ONE)),
        (lambda _: drawn((255, 255, 255)), ONE),
        (lambda _: with_opaque(Image.fromarray(drawn((255, 255, 255))), "RGBA"), ONE),
        (lambda _: alpha(drawn(255)), ONE),
        (lambda _: alpha(drawn(255), "LA"), ONE),
        (lambda _: seen_through((0, 200, 30)), ONE),
        (
            lambda i: optimised(encode(drawn(2 + i % 2, np.int32, inside=IGNORE))),
            2 * ignored(ONE) - IGNORE * (ignored(ONE) == IGNORE),
        ),
        (
            lambda i: optimised(np.repeat(drawn(2 + i % 2, inside=255)[..., None], 3, 2)),
            2 * ignored(ONE) - IGNORE * (ignored(ONE) == IGNORE),
        ),
    ],
    ids=[
        "8 bits with 255",
        "16 bits with 65535",
        "palette of VOC",
        "palette black and white",
        "ImageNet-S",
        "three equal channels",
        "1 bit",
        "grey and alpha",
        "grey and alpha, 0 and 255",
        "ImageNet-S and alpha",
        "RGB black and white",
        "RGBA black and white",
        "in the alpha of colours",
        "in the alpha of grey",
        "one colour on transparent",
        "ImageNet-S through an optimiser",
        "grey ids through an optimiser",
    ],
)
def test_masks_are_read_as_they_are(tmp_path, make, expected):
    found = truth(photographs(tmp_path / "data", make), classes=3)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, expected)


def test_samples_of_few_bits_are_ids_not_levels(tmp_path):
    four = read_pixels(png(tmp_path / "4.png", 4, 0, [bytes([0x01, 0x2F])], 4))
    two = read_pixels(png(tmp_path / "2.png", 2, 0, [bytes([0b00011011])], 4))
    assert (four.values.tolist(), four.bits, two.values.tolist()) == ([[0, 1, 2, 15]], 4, [[0, 1, 2, 3]])
    assert Coding().read(tmp_path / "4.png").tolist() == [[0, 1, 2, 15]]


@pytest.mark.parametrize(
    ("table", "values", "expected"),
    [
        (
            {"#0000ff": 1, "0,128,0": 2, "#e0e0c0": "ignore"},
            [[0, 0, 0], [0, 0, 255], [0, 128, 0], [224, 224, 192]],
            [0, 1, 2, 1000],
        ),
        ({0: 0, 128: 1, 255: "ignore"}, [0, 128, 255, 128], [0, 1, 1000, 1]),
        ({"#000000": 3, "#0000ff": 0}, [[0, 0, 0], [0, 0, 255]], [3, 0]),
    ],
)
def test_a_table_says_what_colours_and_values_mean(tmp_path, table, values, expected):
    pixels = np.zeros((*SHAPE, *np.shape(values)[1:]), np.uint8)
    pixels[0, : len(values)] = values
    found = truth(photographs(tmp_path / "data", lambda _: pixels), classes=3, mask_colours=table)
    assert found[0, : len(expected)].tolist() == expected
    if pixels.ndim == 3:
        other = photographs(tmp_path / "other", lambda _: optimised(pixels))
        np.testing.assert_array_equal(truth(other, classes=3, mask_colours=table), found)


def test_settings_decide_where_two_codings_fit(tmp_path):
    def grey(_):
        return drawn(255)

    np.testing.assert_array_equal(truth(photographs(tmp_path / "a", grey), 1, mask_coding="binary"), ONE)
    np.testing.assert_array_equal(truth(photographs(tmp_path / "b", grey), 1, mask_coding="ids"), IGNORE * ONE)
    red = photographs(tmp_path / "c", lambda _: drawn((128, 0, 0)))
    np.testing.assert_array_equal(truth(red, 200, mask_coding="imagenet_s"), 128 * ONE)
    wide = photographs(tmp_path / "d", lambda _: drawn(65535, np.uint16))
    np.testing.assert_array_equal(truth(wide, 1, mask_coding="binary"), ONE)


def test_a_mask_of_another_coding_is_set_aside(tmp_path):
    root = photographs(tmp_path / "data", lambda i: encode(drawn(1 + i % 2, np.int32)))
    write(root / "masks/3.png", drawn((0, 0, 255)))
    images, summary = prepared(root, allow_missing=True, mask_coding="imagenet_s")
    assert [bool(mask) for mask in images.mask] == [True, True, True, False]
    assert summary["noted"] == 1
    with pytest.raises(UserError, match=r"'masks/3\.png': .*colours with blue in them, such as #0000ff, are no ids"):
        prepared(root, mask_coding="imagenet_s")


def test_the_summary_and_the_log_say_what_was_found(tmp_path, caplog):
    root = photographs(tmp_path / "data", lambda i: palette(drawn(1 + i % 2, inside=255), VOC))
    with caplog.at_level("INFO"):
        _, summary = prepared(root)
    assert summary["mask_coding"] == {"grey": "ids", "palette": "index", "colour": "imagenet_s", "table": {}}
    assert summary["mask_ids"] == {"0": 4, "1": 2, "2": 2, "1000": 4}
    assert (summary["mask_kinds"], summary["largest_mask_id"]) == ({"palette": 4}, 2)
    assert "masks are read so: 4 with a palette: the index is the id, 255 is ignored" in caplog.text
    assert "ids in the masks: 0 in 4, 1 in 2, 2 in 2, ignored in 4" in caplog.text
    assert "WARNING" not in caplog.text


@given(hnp.arrays(np.int32, SHAPES, elements=st.sampled_from([0, 1, 7, 254, IGNORE])))
def test_round_trip_of_one_channel(ids):
    stored = np.where(ids == IGNORE, 255, ids).astype(np.uint8)
    for pixels in (
        MaskPixels("grey", stored, 8),
        MaskPixels("grey", np.where(ids == IGNORE, 65535, ids).astype(np.uint16), 16),
        MaskPixels("palette", stored, 8, None, np.zeros((256, 3), np.uint8)),
        MaskPixels("grey", stored, 8, np.full(ids.shape, 255, np.uint8)),
    ):
        np.testing.assert_array_equal(Coding().ids(pixels), ids)


@given(hnp.arrays(np.int32, SHAPES, elements=st.sampled_from([0, 1, 2, IGNORE])))
def test_round_trip_of_a_table(ids):
    table = {"#0000ff": 1, "#00ff80": 2, "#ffffff": "ignore"}
    colours = {0: (0, 0, 0), 1: (0, 0, 255), 2: (0, 255, 128), IGNORE: (255, 255, 255)}
    pixels = np.array([colours[int(i)] for i in ids.ravel()], np.uint8).reshape(*ids.shape, 3)
    coding = fixed_coding("auto", table)
    assert coding is not None
    np.testing.assert_array_equal(coding.ids(MaskPixels("colour", pixels, 8)), ids)


@pytest.mark.parametrize(
    "coding", [Coding(), Coding("binary", "index", "binary"), fixed_coding("auto", {"#0000ff": 1})]
)
def test_a_coding_survives_json(coding):
    assert Coding.from_json(json.loads(json.dumps(coding.to_json()))) == coding


@pytest.mark.parametrize(
    ("image", "format_", "message"),
    [
        (Image.new("F", (4, 3), 1), "TIFF", "floating-point pixels; save it with integer ids"),
        (Image.new("CMYK", (4, 3)), "TIFF", r"colours of a printer \(CMYK\)"),
        (Image.new("L", (4, 3)), "JPEG", "a JPEG file, whose compression changes values"),
    ],
)
def test_files_without_exact_values_are_refused_by_reason(tmp_path: Path, image, format_, message):
    write(tmp_path / "x.png", image, format=format_)
    with pytest.raises(UserError, match=rf"x\.png cannot be a mask: .*{message}"):
        Coding().read(tmp_path / "x.png")


def test_colours_of_16_bits_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"cannot be a mask: it has colours or transparency of 16 bits"):
        Coding().read(png(tmp_path / "x.png", 16, 2, [bytes(12)], 2))


def test_32_bits_hold_ids(tmp_path):
    write(tmp_path / "x.png", np.array([[0, 919, 65535]], np.int32), format="TIFF")
    assert Coding().read(tmp_path / "x.png").tolist() == [[0, 919, 1000]]


def test_ids_beyond_two_bytes_are_refused(tmp_path):
    write(tmp_path / "x.png", Image.fromarray(np.array([[0, 70000]], np.int32)), format="TIFF")
    with pytest.raises(UserError, match="values from 0 to 70000; a mask of one channel holds ids"):
        Coding().read(tmp_path / "x.png")
