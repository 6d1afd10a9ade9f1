"""Parameters and multiply-accumulates of the published networks and of those that a configuration trains.

Encoders only: no classifier, no projection head. Nothing is computed, so it takes no memory.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import yaml

from luss_core import runs
from luss_core.config import Config
from luss_core.errors import UserError
from luss_core.models.architectures import PUBLISHED, Architecture
from luss_core.models.count import count

DEFAULT = Path("config.yaml")


def main(argv: list[str] | None = None) -> None:
    """Print the cost of every network."""
    args = _parser().parse_args(argv)
    if not 8 <= args.size <= 8192:
        raise UserError(f"--size {args.size}: the side of the image in pixels must be 8 to 8192")
    result = info(configured(args.config), args.size)
    sys.stdout.write((json.dumps(result) if args.json else table(result)) + "\n")


def info(own: dict[str, Architecture], size: int) -> dict[str, Any]:
    """{"size", "models": [{"name", "parameters" (millions), "macc" (billions)}]}: published ones, then ``own``."""
    models = []
    for name, architecture in [*PUBLISHED.items(), *own.items()]:
        cost = count(architecture, size)
        models.append({"name": name, "parameters": cost.parameters / 1e6, "macc": cost.macc / 1e9})
    return {"size": size, "models": models}


def configured(path: Path | None) -> dict[str, Architecture]:
    """The networks that the presets of a configuration train, named by the presets.

    Args:
        path: a YAML file with the keys that differ from the defaults; None for config.yaml of the working directory or,
            where there is none, the defaults themselves.

    Raises:
        UserError: the file is missing or cannot be used.
    """
    if path is None:
        config = _load(DEFAULT) if DEFAULT.is_file() else Config()
    elif path.is_file():
        config = _load(path)
    else:
        raise UserError(f"--config {path}: no such file; give a YAML file such as config.yaml")
    presets: dict[Architecture, list[str]] = {}
    for preset in config.presets:
        pretrain = runs.resolve(config, preset).pretrain
        presets.setdefault(Architecture(pretrain.backbone, pretrain.decoder), []).append(preset)
    return {f"config: {', '.join(names)}": architecture for architecture, names in presets.items()}


def table(result: dict[str, Any]) -> str:
    """The costs as aligned text."""
    models, size = result["models"], result["size"]
    width = max(len(model["name"]) for model in models)
    lines = [f"{f'{size} x {size} pixels':{width}} {'parameters, M':>14} {'MACC, G':>9}"]
    lines += [f"{model['name']:{width}} {model['parameters']:14.3f} {model['macc']:9.3f}" for model in models]
    return "\n".join(lines)


def _load(path: Path) -> Config:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (ValueError, yaml.YAMLError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from error
    if not isinstance(values, dict | None):
        raise UserError(f"{path}: holds no settings; give a YAML file of keys and values such as config.yaml")
    try:
        return runs.load(runs.over_defaults(values or {}))
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "luss model-info",
        description=__doc__,
        epilog="example:\n  luss model-info --config mine.yaml",
        formatter_class=argparse.RawTextHelpFormatter,
    )
    add = parser.add_argument
    add("--size", type=int, default=224, metavar="PIXELS", help="side of the square image (default: 224)")
    add(
        "--config",
        type=Path,
        metavar="FILE",
        help="YAML file with the keys that differ from the defaults; each network that its presets train\n"
        "becomes a row (default: config.yaml of this folder if there is one, else the defaults)",
    )
    add("--json", action="store_true", help="print one JSON object instead of a table")
    return parser
