"""What the processes of prepare do: decode files and masks, and say of each what is wrong with it."""

from pathlib import Path
from typing import Any

from PIL import UnidentifiedImageError

from luss_core.data.decode import Decoded, decode, read_size
from luss_core.data.images import ListedFile
from luss_core.data.masks import IGNORE, read_mask
from luss_core.data.packing import Packed, packed


def read_sizes(root: Path, max_megapixels: float, paths: list[str]) -> list[tuple[int, int] | str]:
    """Height and width from the header of each file, or the reason why there is none."""
    return [attempt(read_size, root / path, max_megapixels) for path in paths]


def check(root: Path, short_side: int, images: list[ListedFile]) -> Packed:
    """Decode one batch with its masks.

    Returns:
        The images that can be used, and as notes
        reasons: for each file why it cannot be used, '' where it can;
        mask_reasons: why its mask cannot be used, '' where it can, or where there is none;
        mask_ids: largest id in the mask, ignored pixels aside;
        sizes: height and width of each file that can be used, upright.
    """
    pixels: list[bytes] = []
    shapes: list[tuple[int, ...]] = []
    notes: dict[str, list[Any]] = {"reasons": [], "mask_reasons": [], "mask_ids": [], "sizes": []}
    for listed in images:
        decoded = attempt(decode, root / listed.path, short_side)
        mask_reason, largest = "", 0
        if isinstance(decoded, Decoded):
            pixels.append(decoded.pixels.tobytes())
            shapes.append(decoded.pixels.shape[:2])
            notes["sizes"].append((decoded.height, decoded.width))
            if listed.mask:
                mask_reason, largest = _check_mask(root / listed.mask, (decoded.height, decoded.width))
        notes["reasons"].append("" if isinstance(decoded, Decoded) else decoded)
        notes["mask_reasons"].append(mask_reason)
        notes["mask_ids"].append(largest)
    return packed(len(images), pixels, shapes, notes)


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
