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
