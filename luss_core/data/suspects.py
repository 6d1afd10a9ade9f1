"""Masks that lie among the photographs, where nothing said so: found by names and contents, and asked about.

Names alone do not tell: photographs lie in a folder called labels too, and a second version of a photograph has its
name. Contents alone do not either: drawings are flat. Where both agree, the user is asked.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from luss_core.data.arrange import Listing
from luss_core.data.decode import opened
from luss_core.data.images import ListedFile
from luss_core.data.kinds import printable, stem_of, suffix_of
from luss_core.data.pairing import called_masks, plain
from luss_core.errors import UserError

LOSSLESS = frozenset({".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".pnm", ".pbm", ".ppm"})
NAMES, CONTENTS = 40, 5
"""Files of a group whose names, and whose pixels, are looked at."""
GROUPS = 50
"""Groups that are looked at."""
FLAT, COLOURS, MEGAPIXELS = 0.85, 300, 64
"""A mask has at least this share of pixels equal to the one on their left, and at most so many colours."""


class Group(NamedTuple):
    """Files that might be masks."""

    folder: str
    """Below the data root; '' for the data root itself."""
    ending: str
    """What their names have after those of the images: "_mask"; '' where they have a folder of their own."""
    files: list[str]
    partner: str
    """The image that the first of them belongs to; '' if none has its name."""


def masks_among(root: Path, listing: Listing, *, asked: bool) -> list[str]:
    """Files that lie among the photographs and are masks beside those that the settings name.

    Args:
        asked: whether the settings say where the masks are.

    Raises:
        UserError: the settings do not; names them, and the setting that answers.
    """
    found = [group for group in _groups(listing.images) if _contents_agree(root, group.files)]
    if found and not asked:
        raise UserError(_question(root, _together(found), bool(listing.splits)))
    return sorted({name for group in found for name in group.files})


def _groups(images: Sequence[ListedFile]) -> list[Group]:
    """What the names suggest, at most GROUPS."""
    lossless = [listed.path for listed in images if suffix_of(listed.path) in LOSSLESS]
    if not lossless:
        return []
    folders, endings = defaultdict(list), defaultdict(list)
    for path in lossless:
        folder, _, name = path.rpartition("/")
        stem = stem_of(name)
        if plain(stem) != stem:
            endings[_mask_folder(folder), _ending(stem)].append(path)
        folders[_mask_folder(folder)].append(path)
    groups = [(folder, "", files) for folder, files in folders.items()]
    groups += [(folder, ending, files) for (folder, ending), files in endings.items() if len(files) > 1]
    groups = sorted(groups, key=lambda group: (not called_masks(group[0]), not group[1], -len(group[2])))[:GROUPS]
    partners = _partners(images, groups)
    found: list[Group] = []
    for folder, ending, files in groups:
        sample = _spread(files, NAMES)
        paired = [path for path in sample if partners.get(path)]
        if 2 * len(paired) > len(sample) or called_masks(folder):
            known = {name for group in found for name in group.files}
            if not known.issuperset(files):
                files = [paired[0], *(path for path in files if path != paired[0])] if paired else files
                found.append(Group(folder, ending, files, partners.get(files[0], "")))
    return found


def _mask_folder(folder: str) -> str:
    """The topmost folder above files that is called like one of masks, else the one that they lie in."""
    parts = folder.split("/")
    for depth, part in enumerate(parts):
        if called_masks(part):
            return "/".join(parts[: depth + 1])
    return folder


def _ending(stem: str) -> str:
    short = plain(stem)
    return stem[len(short) :] if stem.startswith(short) else stem[: -len(short)]


def _partners(images: Sequence[ListedFile], groups: Iterable[tuple[str, str, list[str]]]) -> dict[str, str]:
    """Of the files that are looked at, the image outside the group that is called so; JPEG where there are several."""
    wanted: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for folder, ending, files in groups:
        for path in _spread(files, NAMES):
            wanted[plain(stem_of(os.path.basename(path)))].append((path, folder, ending))  # noqa: PTH119
    found: dict[str, str] = {}
    for listed in images:
        name = listed.path.rpartition("/")[2]
        for path, folder, ending in wanted.get(plain(stem_of(name)), ()):
            inside = _mask_folder(listed.path.rpartition("/")[0]) == folder
            same_kind = suffix_of(name) == suffix_of(path) and (not ending or _ending(stem_of(name)) == ending)
            if listed.path != path and not (inside and same_kind):
                found.setdefault(path, listed.path)
    return found


def _spread(files: Sequence[str], most: int) -> Sequence[str]:
    return files[:: -(-len(files) // most)]


def _contents_agree(root: Path, files: Sequence[str]) -> bool:
    """Whether most of some files are flat as masks are."""
    sample = _spread(files, CONTENTS)
    return 2 * sum(looks_like_a_mask(root / path) for path in sample) > len(sample)


def looks_like_a_mask(path: Path) -> bool:
    """Whether a file has few colours in areas of one colour each. A file that cannot be read does not."""
    try:
        with opened(path) as image:
            if image.width * image.height > MEGAPIXELS * 1e6:
                return False
            pixels = np.asarray(image if image.mode in ("L", "P", "1", "I", "I;16") else image.convert("RGBA"))
    except Exception:  # broken files are somebody else's business, and raise anything
        return False
    values = pixels if pixels.ndim == 2 else np.ascontiguousarray(pixels).view(np.uint32)[..., 0]
    flat = (values[:, 1:] == values[:, :-1]).mean() if values.shape[1] > 1 else 0.0
    return bool(flat >= FLAT) and len(np.unique(values)) <= COLOURS


def _together(groups: list[Group]) -> list[Group]:
    """Folders of masks that lie in one folder with no image of theirs in it, as masks/cat/ and masks/dog/, are one."""
    above = os.path.commonpath([group.folder for group in groups]) if len(groups) > 1 else ""
    if not above or any(group.ending or group.partner.startswith(f"{above}/") for group in groups):
        return groups
    return [Group(above, "", [name for group in groups for name in group.files], groups[0].partner)]


def _question(root: Path, groups: Sequence[Group], splits: bool) -> str:
    first = groups[0]
    where = f"{first.folder}/" if first.folder else "the data folder itself"
    example = printable(first.files[0])
    named = f", named as the images are ({example} as {printable(first.partner)})" if first.partner else f" ({example})"
    others = ", ".join(f"{group.folder}/" for group in groups[1:4] if group.folder != first.folder)
    remedy = _remedy(first, splits)
    return (
        f"data_root {root}: {len(first.files)} files in {where} look like masks, not like photographs: flat areas of"
        f" few colours{named}{f'; the same in {others}' if others else ''}. If they are masks, {remedy}. If they are"
        " photographs, set prepare.masks: none"
    )


def _remedy(group: Group, splits: bool) -> str:
    if splits:
        return (
            "move them out of the folder of the split: those of train/ into train-segmentation/, and so on, under the"
            " names of the images"
        )
    if group.ending or not group.folder or _shares_folder(group):
        return "move them into a folder of their own, such as masks/, and set prepare.masks: masks"
    return f"set prepare.masks: {group.folder}"


def _shares_folder(group: Group) -> bool:
    return bool(group.partner) and group.partner.startswith(f"{group.folder}/")
