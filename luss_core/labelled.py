"""Labels from a file: which presets learn from one, and what is looked at before any work. Imports no torch."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from luss_core.config import Config, Stages
from luss_core.data.image_labels import ImageLabels, check_loss, matched, read_labels, without_suffix
from luss_core.data.images import read_images
from luss_core.errors import UserError

KEY = "cluster.labels"


def files(config: Config, presets: Mapping[str, Stages]) -> dict[str, Path]:
    """The file of labels of every preset that learns from one.

    Args:
        presets: all of them, resolved.

    Raises:
        UserError: that of a preset which is run is no file, or a file is named and no preset has assign: file.
    """
    found = {
        name: Path(stages.cluster.labels).expanduser()
        for name, stages in presets.items()
        if stages.cluster.assign == "file" and stages.cluster.labels is not None
    }
    idle = {Path(stages.cluster.labels).expanduser() for stages in presets.values() if stages.cluster.labels}
    for path in sorted(idle - set(found.values())):
        raise UserError(
            f"config: {KEY}: {path} is named, and nothing reads it; set cluster.assign: file, or {KEY}: null"
        )
    for name in (name for name in config.asked if name in found):
        if not found[name].is_file():
            raise UserError(
                f"config: {KEY} of {name}: {found[name]} is not a file (seen from {Path.cwd()}); name a CSV file with"
                " the columns image and category"
            )
    return found


def check(
    config: Config, presets: Mapping[str, Stages], named: Mapping[str, Path], root: Path | None, images: Path | None
) -> None:
    """Read the files of the presets that are run, so that a mistake shows before any work.

    Args:
        named: of ``files``.
        root: the folder of images; None where the data set is generated.
        images: images.csv of prepare, which may not be there yet; None where it is of other images.

    Raises:
        UserError: a file is not in its form, has more or fewer categories than there are to be, or labels for none of
            the images; or some images have several labels, and the loss allows one.
    """
    read = cache(read_labels)
    for name in (name for name in config.run if name in named):
        finetune = presets[name].finetune
        if finetune.train.epochs:
            labels = read(named[name])
            check_loss(finetune.method.classification, labels.several, len(labels.image), f" of {name}")
    for path in dict.fromkeys(named[name] for name in config.asked if name in named):
        labels = read(path)
        labels.check_classes(config.classes)
        if images is not None and images.exists():
            listing = read_images(images)
            matched(labels, [listing.path[row] for row in listing.rows("train").tolist()] or listing.path)
        elif root is not None and not config.prepare.video.reads_files and not _any_there(labels, root):
            raise UserError(
                f"config: {KEY}: {labels.path} has labels for none of the images in {root}: it names"
                f" {labels.image[0]!r}, for instance, which is not there; write paths below that folder, with or"
                " without their ending"
            )


def _any_there(labels: ImageLabels, root: Path) -> bool:
    """Whether any image of the file lies in the folder; each folder is listed once."""
    listed: dict[str, set[str]] = {}
    for image in labels.image:
        if (root / image).is_file():
            return True
        folder, _, name = image.rpartition("/")
        if folder not in listed:
            try:
                listed[folder] = {without_suffix(entry.name) for entry in (root / folder).iterdir()}
            except OSError:
                listed[folder] = set()
        if name in listed[folder]:
            return True
    return False
