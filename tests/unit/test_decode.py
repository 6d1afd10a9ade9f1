"""Decoding: every kind of image file comes out as upright 8-bit RGB, and broken ones raise."""

import io

import numpy as np
import pytest
from picture_files import picture
from PIL import ExifTags, Image, ImageOps

from luss_core.data.decode import decode, stored_size
from luss_core.data.headers import read_header


def difference(found: np.ndarray, expected) -> float:
    return float(np.abs(found.astype(int) - np.asarray(expected).astype(int)).mean())


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "bmp", "gif", "ppm"])
def test_every_format_gives_the_picture(tmp_path, suffix):
    path = tmp_path / f"x.{suffix}"
    picture().save(path)
    decoded = decode(path, 1000)
    assert (decoded.height, decoded.width) == (60, 90) == read_header(path, 1, 72)[:2]
    assert decoded.pixels.dtype == np.uint8
    assert difference(decoded.pixels, picture()) < 8  # gif has 256 colours


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bits_are_scaled_not_clipped(tmp_path, suffix):
    values = np.arange(0, 65536, 16, dtype=np.uint16).reshape(64, 64)
    Image.fromarray(values).save(tmp_path / f"x.{suffix}")
    expected = np.round(values / 257)
    np.testing.assert_array_equal(decode(tmp_path / f"x.{suffix}", 64).pixels, np.stack([expected] * 3, 2))


def test_16_bit_colour_is_scaled(tmp_path):
    """Written by hand, since Pillow writes no such PNG."""
    import struct
    import zlib

    values = np.arange(0, 65536, 64, dtype=np.uint16)[: 3 * 320].reshape(16, 20, 3)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 20, 16, 16, 2, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    (tmp_path / "x.png").write_bytes(data)
    found = decode(tmp_path / "x.png", 64).pixels.astype(int)
    assert np.abs(found - values / 257).max() <= 1


@pytest.mark.parametrize("values", [np.full((8, 8), 0.5, np.float32), np.full((8, 8), 1 << 20, np.int32)])
def test_pixels_without_a_range_are_refused(tmp_path, values):
    Image.fromarray(values).save(tmp_path / "x.tif")
    with pytest.raises(ValueError, match="no known range"):
        decode(tmp_path / "x.tif", 64)


def test_cmyk_is_converted(tmp_path):
    picture().convert("CMYK").save(tmp_path / "x.jpg", quality=95)
    assert difference(decode(tmp_path / "x.jpg", 1000).pixels, picture()) < 6


@pytest.mark.parametrize("mode", ["L", "1", "LA", "P"])
def test_grey_and_palette_become_rgb(tmp_path, mode):
    image = picture().convert(mode)
    image.save(tmp_path / "x.png")
    np.testing.assert_array_equal(decode(tmp_path / "x.png", 1000).pixels, np.asarray(image.convert("RGB")))


def test_transparent_parts_become_white(tmp_path):
    values = np.zeros((4, 6, 4), np.uint8)
    values[..., 0] = 200
    values[:, 2:4, 3], values[:, 4:, 3] = 128, 255
    Image.fromarray(values).save(tmp_path / "alpha.png")
    palette = Image.new("P", (6, 4), 0)
    palette.putpalette([255, 0, 0, 0, 255, 0])
    palette.paste(1, (0, 0, 3, 4))
    palette.save(tmp_path / "palette.png", transparency=1)
    found = decode(tmp_path / "alpha.png", 64).pixels
    np.testing.assert_array_equal(found[0, [0, 4]], [[255, 255, 255], [200, 0, 0]])
    np.testing.assert_allclose(found[0, 2].astype(float), 255 + 128 / 255 * (np.array([200, 0, 0]) - 255.0), atol=1)
    np.testing.assert_array_equal(
        decode(tmp_path / "palette.png", 64).pixels[0, [0, 5]], [[255, 255, 255], [255, 0, 0]]
    )


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("short_side", [1000, 20])
def test_exif_rotation_is_applied(tmp_path, suffix, orientation, short_side):
    """As Pillow's exif_transpose does before anything else."""
    path = tmp_path / f"x.{suffix}"
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    picture(160, 240).save(path, exif=exif)
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    decoded = decode(path, short_side)
    assert (decoded.height, decoded.width) == upright.size[::-1]
    assert decoded.pixels.shape[:2] == stored_size(decoded.height, decoded.width, short_side)
    expected = upright.resize(decoded.pixels.shape[1::-1], Image.Resampling.BICUBIC)
    assert difference(decoded.pixels, expected) < 2


def test_broken_exif_is_no_reason_to_lose_a_picture(tmp_path):
    picture().save(tmp_path / "x.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff broken")
    assert decode(tmp_path / "x.jpg", 1000).pixels.shape == (60, 90, 3)


def test_of_an_animation_the_first_frame_is_taken(tmp_path):
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "blue", "green")]
    for suffix in ("gif", "webp", "png"):
        frames[0].save(tmp_path / f"x.{suffix}", save_all=True, append_images=frames[1:], lossless=True)
        np.testing.assert_array_equal(decode(tmp_path / f"x.{suffix}", 64).pixels[3, 4], [255, 0, 0])


def test_reduction_while_decoding_stays_near_plain_bicubic(tmp_path):
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (24, 32, 3), np.uint8)).resize((1000, 750), Image.Resampling.BICUBIC)
    image.save(tmp_path / "x.jpg", quality=95)
    decoded = decode(tmp_path / "x.jpg", 72)
    assert decoded.pixels.shape == (72, 96, 3)
    assert (decoded.height, decoded.width) == (750, 1000)
    assert difference(decoded.pixels, image.resize((96, 72), Image.Resampling.BICUBIC)) < 3


@pytest.mark.parametrize(
    ("size", "expected"),
    [((100, 200), (50, 100)), ((200, 101), (99, 50)), ((40, 500), (40, 500)), ((50, 50), (50, 50))],
)
def test_stored_size_reduces_the_shorter_side(size, expected):
    assert stored_size(*size, 50) == expected


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "bmp", "gif"])
@pytest.mark.parametrize("fraction", [0, 0.3, 0.9])
def test_truncated_files_raise(tmp_path, suffix, fraction):
    buffer = io.BytesIO()
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (300, 400, 3), np.uint8))
    noise.save(buffer, Image.registered_extensions()[f".{suffix}"])
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(buffer.getvalue()[: int(fraction * buffer.tell())])
    with pytest.raises((OSError, SyntaxError, ValueError, EOFError)):
        decode(path, 50)


def test_what_is_no_photograph_raises(tmp_path):
    (tmp_path / "text.jpg").write_text("not an image")
    picture().save(tmp_path / "drawing.eps")
    (tmp_path / "drawing.eps").rename(tmp_path / "drawing.jpg")
    for name in ("text.jpg", "drawing.jpg"):
        with pytest.raises(OSError, match="cannot identify"):
            decode(tmp_path / name, 50)
