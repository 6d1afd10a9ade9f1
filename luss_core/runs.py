"""Which runs a configuration asks for, and the settings of each: what the Snakefile knows. Imports no torch."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from luss_core.config import METHODS, Config, Section, Stages
from luss_core.config.sequences import check_pairs
from luss_core.digests import content
from luss_core.errors import UserError
from luss_core.explain import explain, nearest_first
from luss_core.io import provenance, read_json
from luss_core.names import read_names
from luss_core.paper_rows import CACL, judged, paper_rows
from luss_core.presets import COMMON, PIPELINE, check_beginnings, in_common, merge, resolve
from luss_core.wsss_rows import WSSS, wsss_rows

CHAIN = ("pretrain", *PIPELINE, "evaluate")
"""Each works on what the one before it made."""


def load(values: Mapping[str, Any]) -> Config:
    """The validated configuration; every preset is resolved once, so that a mistake shows before any work.

    Raises:
        UserError: unknown key, value out of range, unknown preset, a preset that cannot be used.
    """
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        raise UserError(explain(error, "config", Config)) from error
    _check_methods(config)
    for preset in config.presets:
        _check_name(preset)
        resolve(config, preset)
    for key, names in config.named.items():
        kind = "method" if key.startswith("benchmark.") else "preset"
        for preset in names:
            if preset not in config.presets:
                raise UserError(f"{key}: unknown {kind} {preset!r}; {nearest_first(preset, config.presets)}")
    found = presets(config)
    check_beginnings(found)
    for preset in dict.fromkeys((*config.asked, *judged(config))):
        _check_batches(config, preset, found[preset])
        check_pairs(preset, found[preset].pretrain, config.prepare.video)
    for preset in config.run:
        found[preset].check_classes(config.classes, preset)
    for row in (name for name in found if name.endswith(WSSS)):
        _check_batches(config, row, found[row])
    for row in config.rows:
        _check_batches(config, row, found[row + COMMON])
    return config


def over_defaults(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings laid over config.yaml as Snakemake lays a file over it."""
    defaults = Config().model_dump()
    defaults["pretrain"]["method"] = {"name": defaults["pretrain"]["method"]["name"]}  # all that config.yaml says of it
    return merge(defaults, values)


def _check_name(preset: str) -> None:
    for end, what in ((COMMON, "ablation and benchmark"), (CACL, "`snakemake cacl`"), (WSSS, "`snakemake wsss`")):
        if preset.endswith(end):
            raise UserError(f"config: presets.{preset}: names in {end} are those of {what}; rename it")


def _check_methods(config: Config) -> None:
    for name, settings in config.methods.items():
        if name not in METHODS:
            raise UserError(f"config: methods.{name}: unknown method; {nearest_first(name, METHODS)}")
        try:
            METHODS[name].config.model_validate(settings)
        except ValidationError as error:
            raise UserError(explain(error, "config", METHODS[name].config, f"methods.{name}")) from error


def _check_batches(config: Config, preset: str, stages: Stages) -> None:
    """Whether the processes of a training can share its batches evenly."""
    processes = config.gpus * config.nodes
    for stage in ("pretrain", "finetune"):
        size = getattr(stages, stage).train.batch_size
        if size % processes:
            raise UserError(
                f"config: gpus = {config.gpus} on nodes = {config.nodes} cannot share {stage}.train.batch_size = {size}"
                f" of {preset} evenly; make it a multiple of {processes}"
            )


def presets(config: Config) -> dict[str, Stages]:
    """Every preset, resolved, and behind them rows: <row>+common of ablation and benchmark, +cacl and +wsss.

    Those of config.yaml come first, in its order, whatever the order in which a user's file brings them: Snakemake puts
    that before them, and ``makers`` goes by the order.
    """
    ours = [name for name in Config.model_fields["presets"].default if name in config.presets]
    found = {name: resolve(config, name) for name in dict.fromkeys((*ours, *config.presets))}
    common = {row + COMMON: in_common(config, row, found[row].pretrain) for row in config.rows}
    return found | common | paper_rows(config, found) | wsss_rows(config, found)


def makers(presets: Mapping[str, Stages], stage: str) -> dict[str, str]:
    """For each preset the one whose output of ``stage`` is its own: the first with the same settings up to there.

    Args:
        presets: all of them; one that is put before others may take outputs over, one that is added behind never does.
        stage: of CHAIN.
    """
    sections = CHAIN[: CHAIN.index(stage) + 1]
    first: dict[str, str] = {}
    return {
        name: first.setdefault("".join(settings(getattr(stages, section)) for section in sections), name)
        for name, stages in presets.items()
    }


def settings(section: Section) -> str:
    """A section as JSON text, the same text for the same settings: what a rule compares with its last run."""
    return json.dumps(section.model_dump(mode="json"), sort_keys=True)


def cache_folder(environment: Mapping[str, str]) -> str:
    """The folder that Snakemake keeps shared outputs in; empty if none is named.

    Raises:
        UserError: no such folder, or named from the working folder, where the links to it would lead nowhere.
    """
    folder = environment.get("SNAKEMAKE_OUTPUT_CACHE", "")
    if folder and not (Path(folder).is_absolute() and Path(folder).is_dir()):
        raise UserError(f"SNAKEMAKE_OUTPUT_CACHE: {folder!r} must be the whole path, from /, of a folder that exists")
    return folder


def contents(files: Iterable[Path]) -> str:
    """Digest of what files hold, and of the libraries here.

    Raises:
        FileNotFoundError: a file is not there yet.
    """
    held = [*map(content, files), json.dumps(provenance({})["libraries"])]
    return hashlib.sha256("".join(held).encode()).hexdigest()


def largest_id(summary: Path) -> int:
    """The largest id in the masks of a data set, from what prepare wrote of it; 0 without masks, or before prepare.

    Raises:
        UserError: ``summary`` is cut short.
    """
    return int(read_json(summary).get("largest_mask_id", 0)) if summary.exists() else 0


def check_classes(config: Config, summary: Path) -> None:
    """Stop where the masks that prepare read hold more categories than are to be found: not after days of training.

    Args:
        summary: what prepare wrote of them; nothing is checked before it is there.

    Raises:
        UserError: ids above ``config.classes``, or ``summary`` is cut short.
    """
    largest = largest_id(summary)
    if largest > config.classes:
        raise UserError(
            f"config: classes = {config.classes}, but {summary} says that masks hold ids up to {largest}; set classes"
            f" to {largest} or more, or, if the images or masks are others by now, delete {summary}: prepare then reads"
            " them again"
        )


def photographs(config: Config) -> Path | None:
    """The user's folder of images; None where the data set is generated.

    Raises:
        UserError: no such folder, or nothing in it.
    """
    if config.data_root is None:
        return None
    advice = "name the folder of images, for instance with --config data_root=/path/to/images"
    return _folder("data_root", config.data_root, advice)


def saliency_maps(config: Config) -> Path | None:
    """The user's folder of saliency maps; None where they are computed.

    Raises:
        UserError: no such folder, or nothing in it.
    """
    if config.prior.folder is None:
        return None
    return _folder("prior.folder", config.prior.folder, "name the folder of saliency maps, or null to compute them")


def names_file(config: Config) -> Path | None:
    """The user's file of the names of category folders, read once so that a mistake shows before any work.

    Raises:
        UserError: missing, or not in the form that ``read_names`` wants.
    """
    if config.names is None:
        return None
    path = Path(config.names).expanduser()
    read_names(path)
    return path


def weight_files(config: Config) -> dict[str, Path]:
    """The files of weights that presets begin from, by preset, wherever one is named.

    Raises:
        UserError: that of a preset which is run is missing.
    """
    settings = {name: resolve(config, name).pretrain for name in config.presets}
    named = {name: pretrain.weight_file for name, pretrain in settings.items()}
    files = {name: Path(file).expanduser() for name, file in named.items() if file is not None}
    for name in dict.fromkeys((*config.asked, *judged(config))):
        if name in files and not files[name].is_file():
            raise UserError(
                f"config: pretrain.weights of {name}: {files[name]} is not a file (seen from {Path.cwd()}); name a file"
                " of weights, or timm or torchvision to download what they publish, or null for random weights"
            )
    return files


def _folder(key: str, path: str, advice: str) -> Path:
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise UserError(f"config: {key}: {folder} is not a folder (seen from {Path.cwd()}); {advice}")
    if not any(folder.iterdir()):
        raise UserError(f"config: {key}: {folder} is empty; {advice}")
    return folder
