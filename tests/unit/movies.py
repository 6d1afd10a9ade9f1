"""Video files for the tests, whose frames can be told apart."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def pictures(count: int, height: int = 48, width: int = 64, seed: int = 0) -> list[np.ndarray]:
    """Noise, so that no frame is like another."""
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (height, width, 3), np.uint8) for _ in range(count)]


def movie(
    path: Path,
    frames: list[np.ndarray],
    *,
    rate: int = 25,
    ms: list[int] | None = None,
    codec: str = "ffv1",
    pixels: str = "bgr0",
    turned: int = 0,
    **options: str,
) -> Path:
    """Encode frames; exact with ffv1 in .mkv and png (pixels: rgb24) in .mov.

    Args:
        ms: time of each in milliseconds, in place of a constant rate.
        turned: degrees counter-clockwise by which a player turns the pictures.
        options: of the codec.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    base = Fraction(1, rate) if ms is None else Fraction(1, 1000)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], pixels
        stream.options = options
        if ms is not None:
            stream.codec_context.time_base = base
        if turned:
            stream.set_display_rotation(turned)
        for i, pixel in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixel, format="rgb24")
            frame.pts, frame.time_base = (i if ms is None else ms[i]), base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def two_sizes(path: Path, first: int, second: int) -> Path:
    """MPEG-2 whose pictures become smaller: two streams one after the other, as a broadcast has them."""
    data = b""
    for number, (count, height, width) in enumerate(((first, 64, 96), (second, 48, 64))):
        part = path.with_name(f"{number}-{path.name}")
        movie(part, pictures(count, height, width), codec="mpeg2video", pixels="yuv420p", bf="0", g="5")
        data += part.read_bytes()
        part.unlink()
    path.write_bytes(data)
    return path
