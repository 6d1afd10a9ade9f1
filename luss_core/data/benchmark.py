"""Whether images are those of ImageNet-S, by counts and digests of names, so that scores can be told comparable."""

import hashlib
import logging
from collections.abc import Iterable
from typing import Any, NamedTuple

from luss_core.data.images import ImageList

log = logging.getLogger(__name__)


class Names(NamedTuple):
    """A list of names."""

    size: int
    digest: str | None = None
    """MD5 of the sorted names, one a line; None where only the number is known."""


class Benchmark(NamedTuple):
    """The official lists of one size of the benchmark, https://github.com/LUSSeg/ImageNet-S."""

    name: str
    categories: str
    """MD5 as above, of the names of the category folders."""
    splits: dict[str, Names]


BENCHMARKS = (
    Benchmark(
        "ImageNet-S50",
        "fbb2669356f9f6c33a395471b8a935a0",
        {
            "train": Names(64_431),
            "validation": Names(752, "c0cfc7bc2ee1c2e92097269b694d4a5b"),
            "test": Names(1_682, "9fc87d18998a0bf1e601ba2e8c21033d"),
        },
    ),
    Benchmark(
        "ImageNet-S300",
        "22d5eab6dc38f0d6f7271f0ed3d8e52f",
        {
            "train": Names(384_862),
            "validation": Names(4_097, "5a7ae5a2f18a78f1a983a86d052828e6"),
            "test": Names(9_088, "b4d50f8808807995b2bed882d1543cc4"),
        },
    ),
    Benchmark(
        "ImageNet-S919",
        "900ebc1dd34a25a97869ec7ff400d588",
        {
            "train": Names(1_183_322),
            "validation": Names(12_419, "2ba00fc6f3ebef9c33a582c6a7db3e04"),
            "test": Names(27_423, "b99c90e48c901bfbe234ea7e2410606d"),
        },
    ),
)


def recognize(images: ImageList) -> dict[str, Any] | None:
    """Which benchmark has these category folders, and which splits hold exactly its images; None for other folders.

    Returns:
        {"name": "ImageNet-S50", "official": {"validation": True, ...}}; of train only the number of images is compared.
    """
    categories = digest(set(images.folder) - {""})
    found = next((benchmark for benchmark in BENCHMARKS if benchmark.categories == categories), None)
    if found is None:
        return None
    return {"name": found.name, "official": {split: _check(found, images, split) for split in images.splits}}


def digest(names: Iterable[str]) -> str:
    """MD5 of the names, sorted, one a line without one at the end: how ImageNet-S writes its lists."""
    text = "\n".join(sorted(names)).encode(errors="surrogateescape")
    return hashlib.md5(text, usedforsecurity=False).hexdigest()


def _check(benchmark: Benchmark, images: ImageList, split: str) -> bool:
    """Whether a split is the official one; said in the log as well."""
    rows, official = images.rows(split), benchmark.splits[split]
    same = len(rows) == official.size
    if same and official.digest is not None:
        same = digest(images.id[row] for row in rows) == official.digest
    place = f"{benchmark.name} {split}"
    if same and official.digest is None:
        log.info("%s: %d images, as many as the official list has", place, len(rows))
    elif same:
        log.info("%s: the official %d images", place, len(rows))
    else:
        others = "of other names" if len(rows) == official.size else f"not the official {official.size}"
        log.warning("%s: %d images, %s: scores are not comparable with published ones", place, len(rows), others)
    return same
