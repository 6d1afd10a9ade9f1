"""What the Snakefile knows of probes: where the annotated images lie, what rules depend on. Imports no torch."""

import json
import os
import re
import sys
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from luss_core.config import AnnotatedConfig, Config, PretrainConfig, TimmConfig
from luss_core.errors import UserError

if TYPE_CHECKING:
    from luss_core import changed

PATCH = re.compile(r"_patch(\d+)")
"""In names of timm."""


def annotated(config: Config) -> Path | None:
    """The folder of the annotated data set; None where it is the generated one.

    Raises:
        UserError: no such folder.
    """
    root = config.probes.data.root or config.data_root
    if root is None:
        return None
    folder = Path(root).expanduser()
    if config.probes.data.root is not None and not folder.is_dir():
        raise UserError(
            f"config: probes.data.root: {folder} is not a folder (seen from {Path.cwd()}); name the folder of an"
            " annotated data set, or null for the images of this workflow"
        )
    return folder


def check(config: Config) -> None:
    """Look at the lists of a data set that the user names, before an encoder is trained for days.

    Raises:
        UserError: it is in another layout, a split is not there, files are missing, or a share is less than one image.
    """
    root = annotated(config)
    if config.probes.data.root is None or root is None:
        return
    from luss_core.data.annotated import read_annotated  # Pillow and NumPy: only where there is something to look at
    from luss_core.data.annotated.read import few

    train, _ = read_annotated(config.probes.data, root)
    few(len(train), min(config.probes.limited.percents), 0)


def check_transfer(config: Config, preset: str, pretrain: PretrainConfig, percent: str) -> None:
    """Whether a segmentation network can learn from a share of the labels and begin from an encoder, as far as the
    settings and the lists of files tell: before the encoder is trained for days.

    Raises:
        UserError: the share is less than two images, or the stride of the encoder cannot become that of the network.
    """
    check_stride(preset, pretrain, config.segment.network.output_stride)
    root = annotated(config)
    if root is None:
        return
    from luss_core.data.annotated import read_annotated
    from luss_core.data.annotated.share import share_of

    train, _ = read_annotated(config.probes.data, root)
    share_of(len(train), float(percent), 0)


def check_stride(preset: str, pretrain: PretrainConfig, stride: int) -> None:
    """What `models.restride` will refuse, as far as names tell: the patches of a ViT are its stride.

    Raises:
        UserError: it cannot become ``stride``.
    """
    backbone = pretrain.backbone
    if isinstance(backbone, TimmConfig) and (patch := PATCH.search(backbone.name)) and int(patch[1]) != stride:
        raise UserError(
            f"the encoder of {preset}, {backbone.name}, has one position every {patch[1]} pixels, which cannot become"
            f" the {stride} of segment.network.output_stride; leave it out of transfer.encoders. ResNets and most CNNs"
            " of timm can be used"
        )


def settings(config: Config, stage: str) -> str:
    """The settings of linear or limited, and of the data set, as JSON text: a section probes without the rest of it.

    Not the list of shares: a share more or less runs no other again.
    """
    parts = config.probes.model_dump(mode="json", include={"data", stage})
    parts[stage].pop("percents", None)
    return json.dumps(parts, sort_keys=True)


@cache
def noticed(cfg: AnnotatedConfig, root: Path, made: Path, writes: bool) -> str:
    """What the images and labels of an annotated data set go by, as long as they hold what they held before.

    The text is a parameter of linear and limited, which run again when it changes; that is said in one line. Files that
    were copied or touched are the same if their contents are.

    Args:
        root: the user's folder.
        made: the folder of the page, where a record of the files is kept.
        writes: whether the record may be written.

    Raises:
        UserError: as ``check``, or the record is not whole.
    """
    from luss_core import changed

    seen, record = _files(cfg, root), made / changed.NAME
    text, change = changed.mark(record, root, seen)
    if change:
        sys.stderr.write(
            f"probes.data.root {root} has changed since probes learned from it: {changed.described(change, 'file')}."
            " What learned from it runs again for every encoder: linear, limited and segment\n"
        )
    if writes and (change or not record.exists()):
        with suppress(UserError):  # a folder that cannot be written: all are compared again
            changed.write(record, seen, dict(zip(seen, changed.contents(root, seen), strict=True)), text)
    elif writes and change.touched:
        changed.refresh(record, seen)
    return text


def _files(cfg: AnnotatedConfig, root: Path) -> "changed.Seen":
    """Images and labels of both splits by their paths from ``root``, with size and time; no others that lie there."""
    from luss_core import changed
    from luss_core.data.annotated import read_annotated

    paths = {path for images in read_annotated(cfg, root) for pair in images.pairs for path in pair}
    names = sorted(Path(os.path.relpath(path, root)).as_posix() for path in paths)
    return changed.stamps(root, names, time.monotonic() + changed.PATIENCE)
