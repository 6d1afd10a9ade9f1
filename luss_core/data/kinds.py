"""What files are, by their names: images that can be read, and in plain words everything else that is left out."""

from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from os.path import splitext
from typing import Any, NamedTuple

READ = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif"})
READ |= {".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".avif"}
HEIF = frozenset({".heic", ".heif", ".hif"})
"""Of phones; read where the package pillow-heif is installed."""
PLUGIN = "pillow_heif"
SHOWN = 6
"""Suffixes that a line names."""


class Kind(NamedTuple):
    """Files of which a person would say that they are the same sort of thing."""

    one: str
    many: str
    advice: str = ""
    """What to do where they were meant to be used."""


PHONE = Kind("HEIC photograph", "HEIC photographs", "install what reads them: pip install pillow-heif")
AVIF = Kind("AVIF photograph", "AVIF photographs", "this Pillow cannot read them: pip install --upgrade pillow")
RAW = Kind("raw photograph of a camera", "raw photographs of cameras", "convert them to JPEG or TIFF")
VIDEO = Kind("video", "videos", "save frames of them as JPEG, or set prepare.video.sources")
UNREAD = Kind("picture in a format that is not read", "pictures in formats that are not read", "convert them to PNG")
ARCHIVE = Kind("archive", "archives", "unpack them")
OTHER = Kind("other file", "other files")
BARE = Kind("file without a suffix", "files without a suffix")
BARE_IMAGE = Kind(
    "file without a suffix", "files without a suffix", "by their first bytes they are images: add .jpg or .png, ..."
)
HIDDEN = Kind("hidden file or folder", "hidden files or folders")
APPLE = Kind("companion file of macOS", "companion files of macOS")
SYSTEM = Kind("thumbnail or bin of the system", "thumbnails, bins and other things of the system")
RESULTS = Kind("folder of this program's own results", "folders of this program's own results")
PROGRAM = Kind("folder of this program", "folders of this program")
NO_MASK = Kind("file among the masks that is no PNG", "files among the masks that are no PNG", "save them as PNG")
OUTSIDE = Kind("image outside the folders of the splits", "images outside the folders of the splits")
MORE_MASKS = Kind("mask beside those of prepare.masks", "masks beside those of prepare.masks")

SUFFIXES_OF = {
    RAW: ".3fr .arw .cr2 .cr3 .crw .dcr .dng .erf .iiq .kdc .mef .mos .mrw .nef .nrw .orf .pef .raf .raw .rw2 .rwl"
    " .sr2 .srf .srw .x3f",
    VIDEO: ".3gp .avi .flv .insv .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .ogv .webm .wmv",
    UNREAD: ".ai .cur .dcm .dds .eps .exr .fits .hdr .ico .j2k .jpf .jpx .jxl .jxr .pdf .psb .psd .svg .tga .xcf",
    ARCHIVE: ".7z .bz2 .gz .rar .tar .tgz .xz .zip .zst",
}
KIND_OF = {suffix: kind for kind, suffixes in SUFFIXES_OF.items() for suffix in suffixes.split()}


def suffix_of(name: str) -> str:
    """In lower case, with the dot; '' where there is none."""
    return splitext(name)[1].lower()  # noqa: PTH122 - a million times faster than a Path each


def stem_of(name: str) -> str:
    """The path without its suffix."""
    return splitext(name)[0]  # noqa: PTH122


@cache
def readable() -> frozenset[str]:
    """Suffixes of images that can be read here, in lower case."""
    from PIL import features

    found = READ | (HEIF if find_spec(PLUGIN) else frozenset())
    return found if features.check("avif") else found - {".avif"}


def is_image(name: str) -> bool:
    """Whether a file is looked at as an image, by its suffix."""
    return suffix_of(name) in readable()


def is_video(name: str) -> bool:
    """Whether a file is a video, by its suffix."""
    return KIND_OF.get(suffix_of(name)) is VIDEO


def kind_of(name: str) -> Kind:
    """What a file is that is not looked at as an image."""
    suffix = suffix_of(name)
    if suffix in HEIF:
        return PHONE
    if suffix == ".avif":
        return AVIF
    return KIND_OF.get(suffix, OTHER if suffix else BARE)


@dataclass
class Found:
    """Files of one kind."""

    first: str
    count: int = 0
    suffixes: Counter[str] = field(default_factory=Counter)


class Tally(dict[Kind, Found]):
    """What was left out: of each kind how many there are, and the first as an example."""

    def add(self, kind: Kind, path: str, *, suffix: str = "") -> None:
        """Count one more.

        Args:
            suffix: to be named, where it says something.
        """
        found = self.setdefault(kind, Found(path))
        found.count += 1
        if suffix:
            found.suffixes[suffix] += 1

    def include(self, other: "Tally") -> None:
        """Add what another one counted."""
        for kind, theirs in other.items():
            found = self.setdefault(kind, Found(theirs.first))
            found.count += theirs.count
            found.suffixes.update(theirs.suffixes)

    def rename(self, kind: Kind, new: Kind) -> None:
        """Call a kind otherwise, once more is known about it."""
        if kind in self:
            self[new] = self.pop(kind)

    @property
    def ordered(self) -> list[Kind]:
        """What may have been meant to be used comes first, then the most."""
        return sorted(self, key=lambda kind: (not kind.advice, -self[kind].count, kind))

    @property
    def lines(self) -> list[str]:
        """Such as "31 videos (.mov, e.g. IMG_1.MOV): save frames of them as JPEG"."""
        return [_line(kind, self[kind]) for kind in self.ordered]

    def as_json(self) -> list[dict[str, Any]]:
        """For summary.json."""
        return [
            {
                "kind": kind.many,
                "count": self[kind].count,
                "example": self[kind].first,
                "advice": kind.advice,
                "text": _line(kind, self[kind]),
            }
            for kind in self.ordered
        ]


def printable(path: str) -> str:
    """A path as it can be shown on one line, whatever its bytes are."""
    return path if path.isprintable() else repr(path)


def _line(kind: Kind, found: Found) -> str:
    suffixes = [suffix for suffix, _ in found.suffixes.most_common(SHOWN)]
    more = [*suffixes, *(["..."] if len(found.suffixes) > SHOWN else []), f"e.g. {printable(found.first)}"]
    advice = f": {kind.advice}" if kind.advice else ""
    return f"{found.count:,} {kind.one if found.count == 1 else kind.many} ({', '.join(more)}){advice}"
