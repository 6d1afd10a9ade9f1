"""What each file of a run was made with, from the provenance inside it."""

import csv
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from safetensors import SafetensorError, safe_open

from luss_core.data.hdf5 import open_hdf5
from luss_core.data.look import Look, from_json
from luss_core.io import read_json

REASONS = 8

STAGES = {"images.h5": "prepare", "clusters.h5": "cluster"}


@dataclass(frozen=True)
class File:
    """One file of the run."""

    name: str
    version: str
    commit: str
    settings: str
    """YAML."""


@dataclass(frozen=True)
class Made:
    """What the files of a run say about themselves."""

    files: list[File]
    libraries: dict[str, str]
    """Of the last file."""


@dataclass(frozen=True)
class Rejected:
    """Counts of prepare."""

    images: int
    masks: int
    """That cannot be used, or belong to no image."""
    reasons: list[tuple[str, int]]
    """The commonest, with how many files each."""
    left_out: list[str]
    """What was not looked at: a line for each kind."""
    look: Look | None
    """What was found in the folder; None of results that are older than that."""


def made_with(paths: list[Path | None]) -> Made:
    """What each file, of those that there are, was made with, where it says so."""
    found = [(path, about) for path in paths if path and (about := provenance_of(path))]
    files = [
        File(
            f"{path.parent.name}/{path.name}",
            about["luss"],
            about["commit"],
            yaml.safe_dump(about["settings"], sort_keys=False, allow_unicode=True),
        )
        for path, about in found
    ]
    return Made(files, found[-1][1]["libraries"] if found else {})


def rejected(images: Path) -> Rejected:
    """What prepare set aside, from summary.json and rejected.csv beside ``images``."""
    summary = read_json(images.with_name("summary.json"))
    with images.with_name("rejected.csv").open(encoding="utf-8", errors="surrogateescape", newline="") as lines:
        reasons = Counter(row["reason"] for row in csv.DictReader(lines))
    left_out = [kind["text"] for kind in summary.get("left_out", ())]
    look = from_json(summary.get("look"))
    return Rejected(summary["rejected"], summary["noted"], reasons.most_common(REASONS), left_out, look)


def provenance_of(path: Path, checked: bool = True) -> dict[str, Any] | None:
    """What a file of a run says that it was made with; None where it says nothing, or is not there.

    Args:
        checked: compare the content of HDF5 files with their checksums, for which all of it is read.
    """
    if not path.is_file():
        return None
    if path.suffix == ".json":
        return read_json(path).get("provenance")
    if path.suffix == ".safetensors":
        return _of_weights(path)
    with open_hdf5(path, STAGES.get(path.name, path.parent.name), checked=checked) as file:
        return json.loads(file.attrs["provenance"]) if "provenance" in file.attrs else None


def _of_weights(path: Path) -> dict[str, Any] | None:
    try:
        with safe_open(path, "np") as file:
            return json.loads((file.metadata() or {}).get("luss", "{}")).get("provenance")
    except (SafetensorError, ValueError, OSError):
        return None
