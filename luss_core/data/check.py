"""What the processes of prepare do: decode files and masks, and say of each what is wrong with it."""

import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import UnidentifiedImageError

from luss_core.data.decode import Decoded, decode, read_size
from luss_core.data.images import Found
from luss_core.data.masks import IGNORE, read_mask


class Checked(NamedTuple):
    """One batch, decoded."""

    reasons: list[str]
    """Why an image cannot be used; '' where it can."""
    mask_reasons: list[str]
    """Why its mask cannot be used; '' where it can, or where there is none."""
    mask_ids: list[int]
    """Largest id in the mask, ignored pixels aside."""
    sizes: np.ndarray
    """(b, 2) height and width of the files, upright; 0 where the image cannot be used."""
    stored: np.ndarray
    """(b, 2) height and width of the pixels."""
    checksums: np.ndarray
    pixels: bytes


def read_sizes(root: Path, max_megapixels: float, paths: list[str]) -> list[tuple[int, int] | str]:
    """Height and width from the header of each file, or the reason why there is none."""
    return [attempt(read_size, root / path, max_megapixels) for path in paths]


def check(root: Path, short_side: int, images: list[Found]) -> Checked:
    """Decode one batch with its masks; of several files with one id the first that can be decoded is taken."""
    n = len(images)
    sizes, stored, checksums = np.zeros((n, 2), np.int64), np.zeros((n, 2), np.int64), np.zeros(n, np.int64)
    result = Checked([], [], [], sizes, stored, checksums, b"")
    pixels: list[bytes] = []
    kept = None
    for i, found in enumerate(images):
        same = kept is not None and kept[:2] == found[:2]
        decoded = f"same name as {kept.path}" if same and kept else attempt(decode, root / found.path, short_side)
        mask_reason, largest = "", 0
        if isinstance(decoded, Decoded):
            kept = found
            pixels.append(decoded.pixels.tobytes())
            sizes[i], stored[i] = (decoded.height, decoded.width), decoded.pixels.shape[:2]
            checksums[i] = zlib.crc32(pixels[-1])
            if found.mask:
                mask_reason, largest = _check_mask(root / found.mask, (decoded.height, decoded.width))
        result.reasons.append("" if isinstance(decoded, Decoded) else decoded)
        result.mask_reasons.append(mask_reason)
        result.mask_ids.append(largest)
    return result._replace(pixels=b"".join(pixels))


def _check_mask(path: Path, size: tuple[int, int]) -> tuple[str, int]:
    """Why the mask cannot be used ('' if it can), and its largest id."""
    ids = attempt(read_mask, path)
    if isinstance(ids, str):
        return ids, 0
    if ids.shape != size:
        return f"mask of {ids.shape[0]} x {ids.shape[1]} pixels for an image of {size[0]} x {size[1]} (h x w)", 0
    return "", int(ids.max(initial=0, where=ids != IGNORE))


def attempt(function: Any, path: Path, *arguments: Any) -> Any:
    """The result, or the reason as text: a broken file may raise anything, and must not stop the others."""
    try:
        return function(path, *arguments)
    except MemoryError:
        return "does not fit into memory"
    except Exception as error:
        if path.is_file() and not path.stat().st_size:
            return "empty file"
        if isinstance(error, UnidentifiedImageError):
            return "not an image, or of a kind that Pillow does not read"
        return " ".join(str(error).replace(str(path), "file").split()) or type(error).__name__
