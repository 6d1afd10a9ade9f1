"""What the settings of all stages ask of the images, checked before the first of them works. Imports no torch."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from luss_core.config import Config, MethodConfig, Stages
from luss_core.errors import UserError
from luss_core.io import read_json
from luss_core.paper_rows import judged

if TYPE_CHECKING:
    from luss_core.data.images import ListedFile

IMAGES, FOLDERS, LABELS, MASKS, FRAMES, BATCH = "images", "folders", "labels", "masks", "frames", "batch"


class Need(NamedTuple):
    """One thing that the training images must have."""

    kind: str
    """images: at least so many; folders: category folders, at least so many; labels: exactly so many of them; masks:
    every image has one; frames: some video has so many, at least; batch: at least so many images, to be looked at
    together."""
    least: int
    key: str
    """Of the setting that asks for it."""

    def __str__(self) -> str:
        return f"{self.kind}:{self.least}:{self.key}"


class Counts(NamedTuple):
    """What there is; None where that is not known."""

    images: int
    folders: int | None = None
    masks: int | None = None
    frames: int | None = None
    """Of the longest video."""


def needs_of(config: Config, presets: Mapping[str, Stages]) -> list[Need]:
    """What the runs of a configuration ask for, each thing once."""
    found = [Need(IMAGES, config.gpus * config.nodes, "gpus x nodes"), Need(IMAGES, config.shards, "shards")]
    for name in config.run:
        stages, method = presets[name], presets[name].pretrain.method
        key = f"presets.{name}.pretrain.method"
        found += [Need(IMAGES, least, f"{key}.{setting}") for setting, least in method.images_needed.items()]
        found += [Need(IMAGES, config.classes, "classes")]
        if config.classes < stages.pretrain.least_batch and stages.pretrain.train.epochs:  # else there are enough
            found += [Need(BATCH, stages.pretrain.least_batch, f"{key} {method.name}")]
        found += [Need(FOLDERS, 2, f"{key} {method.name}")] if "labels" in method.needs else []
        found += [Need(MASKS, 1, f"{key} {method.name}")] if "masks" in method.needs else []
        found += _pairs(f"{key}.stride", method) if "pairs" in method.needs else []
        found += [Need(FOLDERS, config.classes, "classes")] if stages.cluster.assign == "folders" else []
    found += [Need(LABELS, config.classes, "wsss.labels")] if _labelled(config) else []
    for name in judged(config):
        method = presets[name].pretrain.method
        found += _pairs(f"the stride of {name}", method) if "pairs" in method.needs else []
    return [need for need in dict.fromkeys(found) if (need.kind, need.least) != (IMAGES, 1)]


def _labelled(config: Config) -> bool:
    """Whether rows of `snakemake wsss` take the folders for labels."""
    return bool(config.wsss.encoders) and "folders" in config.wsss.labels


def _pairs(key: str, method: MethodConfig) -> list[Need]:
    """What frames a given time apart, or so many frames, ask for; an image paired with itself asks for nothing."""
    if method.frame_stride_ms is not None:
        return [Need(FRAMES, 2, f"{key}_ms")]
    return [Need(FRAMES, method.frame_stride + 1, key)] if method.frame_stride else []


def as_text(needs: Iterable[Need]) -> str:
    """In one word, for a command line."""
    return ",".join(map(str, needs))


def from_text(text: str) -> list[Need]:
    """``as_text`` back."""
    parts = [part.split(":", 2) for part in text.split(",") if part]
    return [Need(kind, int(least), key) for kind, least, key in parts]


def counts_of(images: Iterable["ListedFile"]) -> Counts:
    """What the training images among the files have."""
    train = [listed for listed in images if listed.split == "train"]
    folders = {listed.folder for listed in train}
    masks = sum(bool(listed.mask) for listed in train)
    return Counts(len(train), len(folders), masks)


def counts_before(config: Config, summary: Path) -> Counts | None:
    """What is known before any stage runs: of a generated data set, or from an earlier run; None if nothing is.

    Args:
        summary: summary.json of prepare.

    Raises:
        UserError: it is cut short.
    """
    if config.data_root is None:
        return Counts(config.synthesize.train)
    train = read_json(summary)["images"].get("train") if summary.exists() else None
    return None if train is None else Counts(train)


def stop_if_not_enough(needs: Sequence[Need], there: Counts | None, set_aside: int = 0) -> None:
    """Args:
        set_aside: files that cannot be used, for the message.

    Raises:
        UserError: something that is asked for is not there; all of it in one message.
    """
    if there is None:
        return
    few = [f"{need.key} = {need.least}" for need in needs if need.kind == IMAGES and need.least > there.images]
    others = [text for need in needs if (text := _lacking(need, there))]
    if few:
        aside = f" ({set_aside} more cannot be used)" if set_aside else ""
        verb, it = ("needs", "it") if len(few) == 1 else ("need", "them")
        others.insert(
            0,
            f"{there.images} training image{'' if there.images == 1 else 's'}{aside}, but {' and '.join(few)} {verb} at"
            f" least as many; add images, or lower {it}",
        )
    if others:
        raise UserError("the images are not enough for the settings: " + "; ".join(others))


def _lacking(need: Need, there: Counts) -> str:
    if need.kind == FOLDERS and there.folders is not None and there.folders < need.least:
        return (
            f"{need.key} needs the images of each category in a folder of its own, at least {need.least} folders, and"
            f" there are {there.folders}; sort the images into folders, or change this setting"
        )
    if need.kind == LABELS and there.folders is not None and there.folders != need.least:
        return (
            f"{need.key} has folders: the training images lie in {there.folders}, and classes = {need.least}; sort them"
            " into one folder for each category, set classes to the number of folders, or wsss.labels: [clusters]"
        )
    if need.kind == MASKS and there.masks is not None and there.masks < there.images:
        return f"{need.key} needs a mask for each of the {there.images} training images, and {there.masks} have one"
    if need.kind == BATCH and there.images < need.least:
        return (
            f"{need.key} needs batches of at least {need.least} images, and there is {there.images} training image; add"
            " images"
        )
    if need.kind == FRAMES and there.frames is not None and there.frames < need.least:
        return (
            f"{need.key} needs videos of at least {need.least} frames, and the longest has {there.frames}; lower it, or"
            " give longer ones"
        )
    return ""
