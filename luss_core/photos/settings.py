"""The small file of settings that a run is made from: written once, and from then on the user's."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from luss_core import runs, settings_file
from luss_core.config import Config
from luss_core.errors import UserError
from luss_core.io import atomic
from luss_core.photos.encoders import ENCODERS, Chosen, Ready
from luss_core.start import CHECKOUT

OTHERWISE = "photographs"
"""What a run is called where the name of the folder has no letter that file names can do with everywhere."""
LONGEST = 40
A_CATEGORY = 3
"""Components a category, with which the recipes were measured."""
NAME = re.compile("[A-Za-z0-9][A-Za-z0-9_.+-]*")

HEADER = """\
# Settings that `luss photos` wrote. Change what you like and give the same command again, or the one of Snakemake:
#   snakemake --cores all --configfile {file}
# What a change does not affect is not made again. All settings with their meaning stand in the program's config.yaml.

dataset: {name} # names the folder of results
data_root: {root}
{classes}

# From {recipe}: the encoder {encoder}, kept as it is.
"""
CLASSES = "classes: {classes} # categories to find; another number leaves all that comes before clustering as it is"
OPEN = "# classes: 12 # categories to find: the photographs are asked, and the number comes here, unless you write one"
"""In place of it as long as nobody has said how many."""


class Place(NamedTuple):
    """Where the settings of a folder of photographs are, or will be."""

    name: str
    file: Path
    values: dict[str, Any] | None
    """What stands there; None where nothing does."""


def name_of(root: Path) -> str:
    """A name for a run, from that of a folder."""
    plain = unicodedata.normalize("NFKD", root.name).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_.+]+", "-", plain).strip("-._+")[:LONGEST].strip("-._+").lower() or OTHERWISE


def place(root: Path, name: str | None, work: Path) -> Place:
    """The settings of a folder: those that are there already, or the next free name.

    Args:
        name: as the user wants it; null takes that of the folder.
        work: the working folder.

    Raises:
        UserError: the name cannot be one, or is that of other photographs.
    """
    if name is not None and not NAME.fullmatch(name):
        raise UserError(f"--name {name!r}: a name has letters, digits and _ . + - only, a letter or digit first")
    for candidate in _candidates(name or name_of(root)) if name is None else [name]:
        file = work / f"{candidate}.yaml"
        values = load(file) if file.exists() else None
        if values is not None and values.get("data_root") == str(root):
            return Place(candidate, file, values)
        if values is None and (name is not None or not (work / "results" / candidate).exists()):
            return Place(candidate, file, None)
    raise UserError(
        f"{name}.yaml is there and is of other photographs ({_said(values)}); give another --name, or take it away"
    )


def _candidates(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}-{number}" for number in count(2))


def _said(values: Mapping[str, Any] | None) -> str:
    root = (values or {}).get("data_root")
    return f"data_root: {root}" if root else "it names no data_root"


def text_of(name: str, root: Path, classes: int | None, chosen: Chosen) -> str:
    """The file of settings of a new run.

    Args:
        classes: how many categories to find; None where the photographs are to be asked.
    """
    recipe = recipe_of(chosen.ready)
    lines = recipe.read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line and not line.startswith("#"))
    body = [line for line in lines[start:] if not re.match("(dataset|data_root|classes):", line)]
    text = "\n".join(body).replace("weights: timm", f"weights: {as_yaml(chosen.weights)}")
    header = HEADER.format(
        file=f"{name}.yaml",
        name=name,
        root=as_yaml(str(root)),
        classes=OPEN,
        recipe=f"recipes/{chosen.ready.recipe}",
        encoder=chosen.ready.name,
    )
    whole = header + text + "\n"
    return whole if classes is None else with_classes(whole, classes)


def recipe_of(ready: Ready) -> Path:
    """The recipe of an encoder."""
    return CHECKOUT / "recipes" / ready.recipe


def as_yaml(text: str) -> str:
    """A text as YAML writes it in a line, whatever its characters."""
    if re.fullmatch("[a-z]+", text):
        return text
    return yaml.safe_dump(text, default_style='"', allow_unicode=True, width=10**9).strip()


def with_classes(text: str, classes: int) -> str:
    """The settings with another number of categories; other lines stay as they are."""
    text = text.replace(OPEN, CLASSES.format(classes=classes), 1)
    text = re.sub(r"(?m)^classes: *\S+", f"classes: {classes}", text, count=1)
    return re.sub(r"(?m)(\bcomponents: )\d+(.*# three a category)", rf"\g<1>{A_CATEGORY * classes}\g<2>", text)


def write(file: Path, text: str) -> None:
    """Write the settings, once they are known to be valid.

    Raises:
        UserError: they cannot be used, or the folder cannot be written.
    """
    checked(yaml.safe_load(text))
    with atomic(file) as partial:
        partial.write_text(text, encoding="utf-8")


def load(file: Path) -> dict[str, Any]:
    """What settings say.

    Raises:
        UserError: they cannot be read.
    """
    return dict(settings_file.load(file) or {})


def change_classes(file: Path, classes: int) -> Config:
    """Write another number of categories into settings, and leave the rest as it is.

    Raises:
        UserError: the number does not stand in a line of its own, or cannot be used.
    """
    text = with_classes(settings_file.text(file), classes)
    if yaml.safe_load(text).get("classes") != classes:
        raise UserError(
            f"{file.name}: no line in it begins with classes: , so put the number of categories there yourself"
        )
    write(file, text)
    return checked(load(file))


def checked(values: Mapping[str, Any]) -> Config:
    """The whole configuration that settings make.

    Raises:
        UserError: they cannot be used.
    """
    return runs.load(runs.over_defaults(values))


def encoder_in(config: Config) -> Ready | None:
    """The encoder that the first run of the settings begins from; None if it is none of ours."""
    backbone = runs.presets(config)[config.run[0]].pretrain.backbone
    network = getattr(backbone, "name", None)
    return next((ready for ready in ENCODERS.values() if ready.network == network), None)


def weights_in(config: Config) -> str | None:
    """The weights that the first run of the settings begins from."""
    return runs.presets(config)[config.run[0]].pretrain.weights
