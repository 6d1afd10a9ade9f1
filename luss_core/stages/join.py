"""Parts of extract or infer -> what one job would have written, bit for bit."""

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from luss_core.data.features import Features, write_features
from luss_core.data.images import read_images
from luss_core.data.scored import join_scored
from luss_core.errors import UserError
from luss_core.io import atomic_folder, read_json, write_json


def join_features(parts: Sequence[Path], *, images: Path, out: Path) -> None:
    """Put files of features together, in their order.

    Raises:
        UserError: they are damaged, were made with different settings, or are not all of the training images.
    """
    sources = [Features(path) for path in parts]
    for source in sources:
        if source.about != sources[0].about or source.dim != sources[0].dim:
            raise UserError(f"{source.path} was not made as {parts[0]}; delete both and run the stage extract again")
    row, wanted = np.concatenate([source.row for source in sources]), read_images(images).rows("train")
    if not np.array_equal(row, wanted):
        raise UserError(
            f"{', '.join(map(str, parts))}: not the {len(wanted)} training images of {images}, each once and in order;"
            " delete them and run the stage extract again"
        )
    with write_features(out, len(row), sources[0].dim, sources[0].about) as writer:
        for block in (block for source in sources for block in source.blocks()):
            writer.append(block, row[writer.filled : writer.filled + len(block)])


def join_masks(parts: Sequence[Path], *, masks: Path, scored: Path, threshold: Path) -> None:
    """Put folders with masks/, scored.h5 and threshold.json together.

    Raises:
        UserError: their thresholds differ, or a part is not whole.
    """
    found = [read_json(part / "threshold.json") for part in parts]
    for part, one in zip(parts, found, strict=True):
        if one != found[0]:
            raise UserError(f"{part} was not made as {parts[0]}; delete both and run the stage infer again")
    with atomic_folder(masks) as folder:
        for part in parts:
            _take(part / masks.name, folder)
    join_scored([part / scored.name for part in parts], scored)
    write_json(threshold, found[0])


def _take(source: Path, folder: Path) -> None:
    """All files of ``source``; links to them where the file system can, since masks are many and never changed."""
    for file in sorted(path for path in source.rglob("*") if path.is_file()):
        place = folder / file.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        with suppress(OSError):
            os.link(file, place)
            continue
        shutil.copyfile(file, place)
