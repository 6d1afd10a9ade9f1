"""What stands on the screen when a run has ended: where the results are and what to do with them, or how to go on."""

import shlex
from collections.abc import Collection, Sequence
from pathlib import Path

from luss_core.config import Config
from luss_core.last_words import BEGINNINGS
from luss_core.photos.work import in_words
from luss_core.signs import warnings_of

SHOWN = 15
"""Last lines of Snakemake, where none of them is a message to the user."""


def run_folder(config: Config) -> Path:
    """Where the results of the first run of the settings are."""
    return Path("results", config.dataset, config.run[0], f"seed{config.seeds[0]}")


def success(config: Config, seconds: float, commands: Collection[str], luss: str) -> list[str]:
    """Where the results are, what they warn of, and what to do next, a line each.

    Args:
        seconds: that the run took.
        commands: that there are.
        luss: how the program is called here.
    """
    run = run_folder(config)
    page, gallery = run / "report" / "index.html", run / "report" / "gallery" / "index.html"
    warnings = warnings_of([(config.dataset, run / "evaluate" / "scores.json")]).strip().splitlines()
    return [
        *warnings,
        f"Done in {in_words(seconds)}.",
        f"  the page, for a browser:  {page.resolve().as_uri()}",
        *([f"  all images:               {gallery.resolve().as_uri()}"] if gallery.exists() else []),
        f"  the masks:                {run / 'infer' / 'masks'}",
        f"  the model:                {run / 'export' / 'model.safetensors'}",
        "What a good result looks like: docs/photographs.md; what to try where it does not: docs/troubleshooting.md",
        *_next(run, commands, luss),
    ]


def _next(run: Path, commands: Collection[str], luss: str) -> list[str]:
    folder = shlex.quote(str(run))
    steps = {
        "studio": f"{luss} studio {folder}",
        "predict": f"{luss} predict {folder}/export/model.safetensors /path/to/other/photographs -o predicted",
        "export": f"{luss} export {folder} --to coco",
    }
    there = [f"  {step}" for command, step in steps.items() if command in commands]
    return ["Next:", *there] if there else []


def stopped(again: str) -> list[str]:
    """How to go on after the user has stopped a run."""
    return ["Stopped; what is made stays. To go on from there, give the same command again:", f"  {again}"]


def failure(said: Sequence[str], log: Path, again: str) -> list[str]:
    """How to go on after a failure, and last what failed.

    Args:
        said: the lines of Snakemake.
        log: the file that holds them.
    """
    return [
        f"It did not end well; what is made stays. All that was said: {log}. When the cause is mended, go on with:",
        f"  {again}",
        *_last_words(said),
    ]


def _last_words(said: Sequence[str]) -> list[str]:
    """From the first of the messages at the end on."""
    starts = [number for number, line in enumerate(said) if line.startswith(BEGINNINGS)]
    if not starts:
        return [line for line in said if line.strip()][-SHOWN:]
    first = starts[-1]
    if first and said[first - 1].partition(" failed; its log is ")[1]:
        first -= 1
    return [line for line in said[first:] if line.strip()]
