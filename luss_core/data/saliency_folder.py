"""Saliency maps that the user brings: one greyscale image for each image of the list, found by its name."""

from collections import Counter
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from luss_core.data.check import read_headers
from luss_core.data.decode import decode
from luss_core.data.files import list_files
from luss_core.data.images import ImageList
from luss_core.data.kinds import is_image, stem_of
from luss_core.errors import UserError
from luss_core.parallel import batches, ordered_map, progress

BATCH = 256
SHOWN = 3
MEGAPIXELS = 1000.0
"""Larger maps are a mistake."""
WHOLE = 1 << 30
"""A shorter side that no map has: they are decoded as they are."""
TINT = 24
"""Largest difference between the channels of a grey pixel; JPEG makes some."""


def find_maps(folder: Path, images: ImageList, threads: int) -> list[str]:
    """The map of every image, below ``folder``: <split>/<id>.png, or <id>.png where no two splits share the id.

    Raises:
        UserError: no such folder; maps missing, twice, or of another aspect ratio than their image.
    """
    if not folder.is_dir():
        raise UserError(f"prior.folder {folder}: no such folder (seen from {Path.cwd()}); give one of saliency maps")
    by_stem: dict[str, list[str]] = {}
    for name in list_files(folder).files:
        if is_image(name):
            by_stem.setdefault(stem_of(name), []).append(name)
    chosen = _chosen(by_stem, images)
    missing = [f"{images.path[row]!r}" for row, name in enumerate(chosen) if not name]
    used = set(chosen)
    stray = [f"{names[0]!r}" for names in by_stem.values() if names[0] not in used]
    twice = [" and ".join(map(repr, names)) for names in by_stem.values() if names[0] in used and len(names) > 1]
    wrong = [] if twice else _wrong_sizes(folder, images, chosen, threads)
    if missing or twice or wrong:
        raise_unusable(
            folder,
            (
                (f"{len(missing)} of {len(images)} images have no map", missing),
                ("maps that fit no image by their name", stray if missing else []),
                ("images with two maps", twice),
                ("maps that cannot be used", wrong),
            ),
        )
    return chosen


def read_map(path: Path, height: int, width: int) -> np.ndarray:
    """(height, width) uint8, resized with antialiasing.

    Raises:
        ValueError: coloured.
        Exception: broken file.
    """
    pixels = decode(path, WHOLE).pixels
    if int((pixels.max(axis=2) - pixels.min(axis=2)).max()) > TINT:
        raise ValueError("a coloured image; a map is grey, white where something stands out")
    grey = Image.fromarray(pixels[..., 1])
    return np.asarray(grey if grey.size == (width, height) else grey.resize((width, height), Image.Resampling.BILINEAR))


def raise_unusable(folder: Path, kinds: Iterable[tuple[str, list[str]]]) -> None:
    """One message about all that is wrong with the maps.

    Raises:
        UserError: always.
    """
    lines = []
    for what, examples in kinds:
        if examples:
            count = "" if what[0].isdigit() else f"{len(examples)} "
            more = ", ..." if len(examples) > SHOWN else ""
            lines.append(f"\n  {count}{what}: {', '.join(examples[:SHOWN])}{more}")
    raise UserError(
        f"prior.folder {folder} cannot be used:{''.join(lines)}\n"
        "Each image needs one grey map of its own aspect ratio, in any resolution: <split>/cat/1.png for"
        " <split>/cat/1.jpg. Mend the maps, or set prior.folder to null to compute region contrast."
    )


def _chosen(by_stem: dict[str, list[str]], images: ImageList) -> list[str]:
    """The first map of each image, '' where there is none. Without the split only if that leaves no doubt."""
    shared = Counter(images.id)
    chosen = []
    for split, name in zip(images.split, images.id, strict=True):
        found = by_stem.get(f"{split}/{name}") or (by_stem.get(name) if shared[name] == 1 else None)
        chosen.append(found[0] if found else "")
    return chosen


def _wrong_sizes(folder: Path, images: ImageList, chosen: list[str], threads: int) -> list[str]:
    """Maps whose header is broken or whose aspect ratio is not that of the image, with the reason."""
    rows = [row for row, name in enumerate(chosen) if name]
    jobs = batches((chosen[row] for row in rows), BATCH)
    results = progress(
        ordered_map(partial(read_headers, folder, MEGAPIXELS, WHOLE), jobs, threads), len(rows), "headers", len
    )
    wrong = []
    for row, size in zip(rows, (size for batch in results for size in batch), strict=True):
        image = int(images.height[row]), int(images.width[row])
        if isinstance(size, str):
            wrong.append(f"{chosen[row]!r}: {size}")
        elif not fits(size[:2], image):
            wrong.append(f"{chosen[row]!r}: {size[0]} x {size[1]} for an image of {image[0]} x {image[1]} (h x w)")
    return wrong


def fits(size: tuple[int, int], image: tuple[int, int]) -> bool:
    """Whether a map has the aspect ratio of its image: one side follows from the other up to one pixel."""
    (height, width), (image_height, image_width) = size, image
    return (
        abs(width - height * image_width / image_height) <= 1 or abs(height - width * image_height / image_width) <= 1
    )
