"""Why no mask of a folder belongs to an image: what the names and kinds of the files say."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import PurePosixPath

RULE = "the mask of cat/1.jpg must be cat/1.png there"
SHOWN = 3


def why_unfit(folder: str, ids: Collection[str], files: Sequence[str]) -> str:
    """The reason and what to do, as a sentence.

    Args:
        folder: of the masks, as the settings name it.
        ids: paths of the images without suffix.
        files: paths below ``folder``.
    """
    stems = [name[:-4] for name in files if name.lower().endswith(".png")]
    if not stems:
        return _no_png(files)
    for reason in (_label_studio(stems), _nested(folder, set(ids), stems), _affixed(set(ids), stems)):
        if reason:
            return reason
    image = min(ids, default="")
    return f"{RULE}; found: {len(stems)} masks, such as {stems[0] + '.png'!r}, and images such as {image!r}"


def _no_png(files: Sequence[str]) -> str:
    kinds = Counter(PurePosixPath(name).suffix.lower() or "without suffix" for name in files)
    if not kinds:
        return "the folder is empty"
    found = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(SHOWN))
    if kinds[".jpg"] + kinds[".jpeg"]:
        return (
            f"found {found}: JPEG changes the values of pixels, so that ids are lost; export the masks as PNG, the mask"
            " of cat/1.jpg as cat/1.png"
        )
    return f"found {found}: masks are PNG files here; save them as PNG, the mask of cat/1.jpg as cat/1.png"


def _label_studio(stems: Sequence[str]) -> str:
    found = [stem for stem in stems if re.search(r"(^|/)task-\d+-annotation-\d+-by-", stem)]
    if 2 * len(found) <= len(stems):
        return ""
    return (
        f"these are exports of Label Studio, one PNG for each label, such as {found[0] + '.png'!r}. Join the labels of"
        " each photograph into one mask with the name of the photograph: 0 where no label is, 1, 2, ... the ids of the"
        " labels"
    )


def _nested(folder: str, ids: Collection[str], stems: Sequence[str]) -> str:
    """Masks that lie deeper: masks/masks/1.png, masks/train/1.png."""
    places = Counter(place for stem in stems for place, rest in _splits(stem) if rest in ids)
    if not places:
        return ""
    place, count = places.most_common(1)[0]
    others = sum(places.values()) - count
    more = f" ({others} more lie in other folders: bring them together)" if others else ""
    deeper = f"{folder.rstrip('/')}/{place}"
    return f"{count} of {len(stems)} masks lie deeper, in {deeper}: set prepare.masks: {deeper}{more}"


def _splits(stem: str) -> Iterator[tuple[str, str]]:
    """A path cut in two at each of its folders."""
    parts = stem.split("/")
    for cut in range(1, len(parts)):
        yield "/".join(parts[:cut]), "/".join(parts[cut:])


def _affixed(ids: Collection[str], stems: Sequence[str]) -> str:
    """Masks called as their image and something more: 1_mask.png."""
    endings = Counter(stem[cut:] for stem in stems for cut in _cuts(stem) if stem[:cut] in ids)
    if not endings:
        return ""
    ending, count = endings.most_common(1)[0]
    example = next(stem for stem in stems if stem.endswith(ending))
    return f"the names of {count} masks end in {ending!r}, such as {example + '.png'!r}; rename them without it: {RULE}"


def _cuts(stem: str) -> Iterator[int]:
    """Where a name may end and an addition begin."""
    return (match.start() for match in re.finditer(r"[_\-. ]", stem))
