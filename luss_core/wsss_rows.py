"""The rows of `snakemake wsss` as presets, and what is looked at before any of them is trained. Imports no torch."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from luss_core.config import Config, Stages
from luss_core.errors import UserError
from luss_core.explain import nearest_first
from luss_core.presets import merge, validated

WSSS = "+wsss"
"""Behind the name of a row of the table of weakly supervised methods."""
NO_KMEANS = ("folders", "file", "single")
"""Labels that are not clusters of the features."""


def name_of(encoder: str, labels: str, method: str) -> str:
    """The preset of a row."""
    return f"{encoder}+{labels}+{method}{WSSS}"


def wsss_rows(config: Config, found: Mapping[str, Stages]) -> dict[str, Stages]:
    """The preset of every row; none where no encoder is asked for.

    Args:
        found: every preset of the configuration.

    Raises:
        UserError: an unknown encoder, one category, or settings that cannot be used; the message names the row.
    """
    asked = config.wsss
    for name in asked.encoders:
        if name not in found:
            raise UserError(f"config: wsss.encoders: unknown preset {name!r}; {nearest_first(name, found)}")
    if asked.encoders and config.classes == 1:
        raise UserError(
            "config: wsss.encoders: with classes = 1 there are no categories to tell apart; set classes to 2 or more,"
            " or wsss.encoders: []"
        )
    return {
        name_of(encoder, labels, method): _row(config, found[encoder], encoder, labels, method)
        for encoder in asked.encoders
        for labels in asked.labels
        for method in asked.methods
    }


def check_asked(config: Config, images: Path) -> None:
    """Stop before any work where there is nothing to compare, or the folders of the images are no labels.

    Args:
        images: images.csv of prepare; folders are counted by prepare itself before that is there.

    Raises:
        UserError: as said.
    """
    if not config.wsss.encoders:
        raise UserError(
            "config: wsss.encoders is [], so there is nothing to compare: name presets whose encoders are to be"
            " segmented with, such as --config 'wsss={encoders: [swav]}'; recipes/wsss.yaml is an example"
        )
    if "folders" in config.wsss.labels and images.exists() and (found := _folders(images)) != config.classes:
        where = f"{found} folder{'s' if found != 1 else ''}"
        raise UserError(
            f"config: wsss.labels has folders: the training images lie in {where}, but classes = {config.classes}; sort"
            " them into one folder for each category, set classes to the number of folders, or wsss.labels: [clusters]"
        )


def _folders(images: Path) -> int:
    with images.open(encoding="utf-8", errors="surrogateescape", newline="") as lines:
        return len({row["folder"] for row in csv.DictReader(lines) if row["split"] == "train"})


def _row(config: Config, base: Stages, encoder: str, labels: str, method: str) -> Stages:
    whole: dict[str, Any] = base.model_dump()
    if labels == "folders" or whole["cluster"]["assign"] in NO_KMEANS:
        whole["cluster"] = merge(whole["cluster"], {"assign": "folders" if labels == "folders" else "kmeans"})
    changed = merge(merge(whole, config.wsss.pipeline), config.wsss.rows[method])
    try:
        return validated(changed, "")
    except UserError as error:
        raise UserError(
            f"{error} (row {method} of `snakemake wsss` with the encoder {encoder}: see wsss.rows and wsss.pipeline)"
        ) from error
