"""Image files for the tests of prepare."""

import io
import zlib
from pathlib import Path

import numpy as np
from PIL import Image


def picture(height=60, width=90, seed=0) -> Image.Image:
    """Smooth colours, so that JPEG and resizing change little."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (4, 5, 3), np.uint8))
    return small.resize((width, height), Image.Resampling.BICUBIC)


def bomb(path: Path) -> None:
    """A PNG of 400 megapixels in its header, and nothing else."""
    small = io.BytesIO()
    picture().save(small, "PNG")
    data = bytearray(small.getvalue())
    data[16:24] = (20_000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    path.write_bytes(bytes(data))


def deep_png(path: Path, values: np.ndarray) -> Path:
    """A PNG of 16 bits, which Pillow cannot write in colour.

    Args:
        values: (H, W, C) uint16; one channel or three, or two or four with transparency.
    """

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    height, width, channels = values.shape
    header = (
        width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 0])
    )
    raw = values.astype(">u2").view(np.uint8).reshape(height, width, -1)
    left = np.concatenate([np.zeros_like(raw[:, :1]), raw[:, :-1]], 1)
    rows = b"".join(b"\1" + row.tobytes() for row in raw - left)  # each byte less that of the pixel to the left
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + data)
    return path
