"""The images and masks of a data folder: what lies there, read from its names and from a few contents."""

import logging
import os
from pathlib import Path

from luss_core.data.arrange import Listing, arrange
from luss_core.data.files import Files, list_files, look_inside
from luss_core.data.images import ListedFile
from luss_core.data.kinds import MORE_MASKS, printable
from luss_core.data.splits import Role, role_of
from luss_core.data.suspects import masks_among
from luss_core.data.unfit_masks import why_unfit
from luss_core.errors import UserError

log = logging.getLogger(__name__)

SHOWN = 5
NO_MASKS = "none"
"""As ``masks``: all files are photographs, whatever they look like."""


def files_below(root: Path) -> Files:
    """All that may be photographs, masks or videos.

    Raises:
        UserError: no such folder.
    """
    if not root.is_dir():
        kind = "is a file" if root.exists() else "does not exist"
        raise UserError(f"data_root {root} {kind}; give a folder of images")
    return list_files(root, photographs=True)


def find(
    root: Path, masks: str | None, *, videos: bool = False, found: Files | None = None
) -> tuple[Listing, list[tuple[str, str]]]:
    """The images and masks below a folder, and the entries that cannot be read.

    Args:
        videos: look at video files as well.
        found: ``files_below`` the folder, where these are known.

    Raises:
        UserError: no such folder, or no images in it.
    """
    found = found or files_below(root)
    no_masks = masks is not None and masks.lower() == NO_MASKS and not (root / masks).is_dir()
    files, prefix = found.files, None
    if masks is not None and not no_masks:
        folder = root / masks if (root / masks).is_dir() else Path(masks)
        prefix = Path(os.path.relpath(folder.resolve(), root.resolve())).as_posix()
        if not folder.is_dir() or prefix == ".":
            raise UserError(
                f"prepare.masks {masks}: no such folder below {root} or here; give one of masks only, or null"
            )
        if not any(name.startswith(f"{prefix}/") for name in files):  # elsewhere, or in a folder that is passed over
            files = [*files, *(f"{prefix}/{name}" for name in list_files(folder).files)]
    listing = arrange(files, prefix, videos=videos)
    if not no_masks and (further := masks_among(root, listing, asked=prefix is not None)):
        listing = arrange(sorted(set(files).difference(further)), prefix, videos=videos)
        for name in further:
            listing.left_out.add(MORE_MASKS, name)
    look_inside(root, files, listing.left_out)
    listing.left_out.include(found.left_out)
    if not (listing.images or listing.videos):
        lines = "; ".join(listing.left_out.lines[:SHOWN]) or "nothing"
        raise UserError(f"data_root {root} holds no images; found: {lines}. Give a folder of JPEG, PNG or other images")
    if prefix is not None and not any(listed.mask for listed in listing.images):
        below = [name[len(f"{prefix}/") :] for name in files if name.startswith(f"{prefix}/")]
        why = why_unfit(str(masks), {listed.id for listed in listing.images}, below)
        raise UserError(f"prepare.masks {masks}: no mask fits an image; {why}")
    if listing.splits:
        _stop_without_png(listing, files)
    return listing, found.problems


def say(listing: Listing, apart: list[ListedFile]) -> None:
    """What was found, and how it is read, in the log.

    Args:
        apart: images that kept their suffix in their id.
    """
    for split, folder in listing.splits.items():
        log.info("split %s: the folder %s/", split, folder)
    if listing.remark:
        log.warning("%s", listing.remark)
    first = next((listed for listed in listing.images if listed.mask), None)
    if first:
        log.info("masks: %s is that of %s, and so on", printable(first.mask), printable(first.path))
    if apart:
        text = (
            "%d of the images have the name of another but for the suffix, and keep it: the mask of %s will be %s.png"
        )
        log.info(text, len(apart), printable(apart[0].path), printable(apart[0].id))
    for kind, line in zip(listing.left_out.ordered, listing.left_out.lines, strict=True):
        log.log(logging.WARNING if kind.advice else logging.INFO, "left out: %s", line)


def _stop_without_png(listing: Listing, files: list[str]) -> None:
    """Raises:
    UserError: a folder of masks in ImageNet-S layout holds none, for images that are there.
    """
    folders = {role_of(top): top for top in {name.partition("/")[0] for name in files if "/" in name}}
    for split in {listed.split for listed in listing.images} - listing.truth:
        if top := folders.get(Role(split, masks=True)):
            why = why_unfit(f"{top}/", (), [name[len(top) + 1 :] for name in files if name.startswith(f"{top}/")])
            raise UserError(f"{top}/: {why}; or take the folder away, to score without it")
